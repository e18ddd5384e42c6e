/**
 * A look at the frame of an Arrow IPC record before the Arrow library reads it. The library believes
 * every count and length it finds: forty changed bytes can make it fill the memory. Here each one is
 * held against the bytes that are really there. Everything throws; the caller makes it a refusal.
 *
 * Field numbers are those of Schema.fbs and Message.fbs (https://arrow.apache.org/docs/format/).
 */
import { FlatBuffer } from './flat-buffer.ts'

const FIELDS_MAX = 512
const DEPTH_MAX = 8
const MESSAGES_MAX = 1_024
/** A name and a time stamp: no row is smaller, not even in a dictionary. */
const ROW_BYTES_MIN = 8

const MAGIC = 'ARROW1'
const BLOCK_BYTES = 24

export function checkFrame(bytes: Uint8Array): void {
  const isFile = MAGIC.split('').every((letter, at) => bytes[at] === letter.charCodeAt(0))
  const fields = { count: 0 }
  if (isFile) return checkFile(bytes, fields)
  let at: number | undefined = 0
  for (let messages = 0; at !== undefined && at < bytes.length; messages++) {
    need(messages < MESSAGES_MAX, `has more than ${MESSAGES_MAX} messages`)
    at = checkMessageAt(bytes, at, fields)
  }
}

/** Magic word, messages, footer (with the schema, and where the messages are), its length, magic word. */
function checkFile(bytes: Uint8Array, fields: { count: number }): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = bytes.length - MAGIC.length - 4
  const start = end - view.getInt32(end, true)
  need(start >= 0 && start < end, 'its footer is cut off')
  const flat = new Flat(bytes.subarray(start, end))
  const footer = flat.root()
  checkFields(flat, flat.table(footer, 1), 1, 0, fields)
  for (const slot of [2, 3]) {
    const blocks = flat.vector(footer, slot, BLOCK_BYTES)
    need(blocks.length <= MESSAGES_MAX, `has more than ${MESSAGES_MAX} messages`)
    for (let index = 0; index < blocks.length; index++) {
      const at = flat.int64At(blocks.start + BLOCK_BYTES * index)
      need(at >= 0 && at < start, 'a message is outside the file')
      checkMessageAt(bytes.subarray(0, start), at, fields)
    }
  }
  checkMetadata(flat, footer, 4)
}

/** Where the next message begins; `undefined` after the mark of the end. */
function checkMessageAt(
  bytes: Uint8Array,
  at: number,
  fields: { count: number },
): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const marked = view.getInt32(at, true) === -1
  const length = view.getInt32(at + (marked ? 4 : 0), true)
  if (length === 0) return undefined
  const start = at + (marked ? 8 : 4)
  const end = start + length
  need(length > 0 && end <= bytes.length, 'a message is cut off')
  return end + checkMessage(new Flat(bytes.subarray(start, end)), bytes.length - end, fields)
}

/** The length of the message's body. */
function checkMessage(flat: Flat, bytesLeft: number, fields: { count: number }): number {
  const message = flat.root()
  const type = flat.uint8(message, 1)
  const header = flat.table(message, 2)
  const bodyLength = flat.int64(message, 3)
  need(bodyLength >= 0 && bodyLength <= bytesLeft, 'a body is cut off')
  need(header !== 0, 'a message has no header')
  if (type === 1) checkFields(flat, header, 1, 0, fields)
  else if (type === 2) checkBatch(flat, flat.table(header, 1), bodyLength, 4)
  else if (type === 3) checkBatch(flat, header, bodyLength, ROW_BYTES_MIN)
  else need(false, `has a message of type ${type}`)
  flat.vector(message, 4, 4)
  return bodyLength
}

/** Fields of a schema (number 1) or children of a field (number 5), with their own. */
function checkFields(
  flat: Flat,
  parent: number,
  slot: number,
  depth: number,
  fields: { count: number },
): void {
  need(depth < DEPTH_MAX, `is nested deeper than ${DEPTH_MAX}`)
  const { start, length } = flat.vector(parent, slot, 4)
  fields.count += length
  need(fields.count <= FIELDS_MAX, `has more than ${FIELDS_MAX} fields`)
  checkMetadata(flat, parent, depth === 0 ? 2 : 6)
  for (let index = 0; index < length; index++) {
    const field = flat.indirect(start + 4 * index)
    flat.vector(field, 0, 1)
    const [kind, type] = [flat.uint8(field, 2), flat.table(field, 3)]
    need(kind !== UNION, 'has a union')
    if (kind === TIMESTAMP && type !== 0) flat.vector(type, 1, 1)
    checkFields(flat, field, 5, depth + 1, fields)
  }
}

const TIMESTAMP = 10
const UNION = 14

function checkMetadata(flat: Flat, table: number, slot: number): void {
  const { start, length } = flat.vector(table, slot, 4)
  for (let index = 0; index < length; index++) {
    const pair = flat.indirect(start + 4 * index)
    flat.vector(pair, 0, 1)
    flat.vector(pair, 1, 1)
  }
}

function checkBatch(flat: Flat, batch: number, bodyLength: number, rowBytesMin: number): void {
  need(batch !== 0, 'a dictionary has no batch')
  const rows = flat.int64(batch, 0)
  need(rows >= 0 && rows * rowBytesMin <= bodyLength, `has ${rows} rows in ${bodyLength} bytes`)
  const nodes = flat.vector(batch, 1, 16)
  for (let index = 0; index < nodes.length; index++) {
    const values = flat.int64At(nodes.start + 16 * index)
    need(values >= 0 && values <= 8 * bodyLength, `has a column of ${values} values`)
  }
  const buffers = flat.vector(batch, 2, 16)
  for (let index = 0; index < buffers.length; index++) {
    const offset = flat.int64At(buffers.start + 16 * index)
    const length = flat.int64At(buffers.start + 16 * index + 8)
    need(
      offset >= 0 && length >= 0 && offset + length <= bodyLength,
      'has a buffer outside its body',
    )
  }
  need(flat.table(batch, 3) === 0, 'is compressed; send it uncompressed and let Kafka compress')
}

/** With the vectors of a message that nobody vouches for. */
class Flat extends FlatBuffer {
  /** What its vectors and texts may still add up to: shared ones would be work without bytes. */
  #bytesLeft: number

  constructor(bytes: Uint8Array) {
    super(bytes)
    this.#bytesLeft = bytes.length
  }

  root(): number {
    return this.indirect(0)
  }

  /** Elements of `size` bytes each; empty where it is absent. */
  vector(table: number, slot: number, size: number): { start: number; length: number } {
    const at = this.table(table, slot)
    if (at === 0) return { start: 0, length: 0 }
    const length = this.view.getUint32(at, true)
    this.#bytesLeft -= length * size
    need(this.#bytesLeft >= 0, 'says that it is longer than it is')
    need(at + 4 + length * size <= this.view.byteLength, 'points beyond its end')
    return { start: at + 4, length }
  }
}

function need(condition: boolean, problem: string): void {
  if (!condition) throw new Error(problem)
}
