/**
 * The frame of one message of an Arrow IPC stream: FlatBuffers, read where they lie. What is out of
 * bounds is `undefined` or a RangeError, never a read elsewhere.
 * Field numbers are those of Message.fbs (https://arrow.apache.org/docs/format/).
 */
import { FlatBuffer } from './flat-buffer.ts'

const DICTIONARY_BATCH = 2
export const RECORD_BATCH = 3

export interface Message {
  readonly type: number
  readonly flat: Flat
  /** Table of the record batch or dictionary batch. */
  readonly header: number
  readonly body: Uint8Array
  /** Where the next message begins. */
  readonly end: number
}

/** The message whose metadata begins at `start`; `undefined` when it is cut off or of another type. */
export function messageAt(bytes: Uint8Array, start: number, length: number): Message | undefined {
  const bodyStart = start + length
  if (length < 0 || bodyStart > bytes.length) return undefined
  const flat = new Flat(bytes.subarray(start, bodyStart))
  const root = flat.indirect(0)
  const type = flat.uint8(root, 1)
  const header = flat.table(root, 2)
  const end = bodyStart + flat.int64(root, 3)
  if (type !== RECORD_BATCH && type !== DICTIONARY_BATCH) return undefined
  // A negative length would read earlier messages again and again.
  if (header === 0 || !(end >= bodyStart && end <= bytes.length)) return undefined
  return { type, flat, header, body: bytes.subarray(bodyStart, end), end }
}

/** The record batch at `table`, if its vectors have the lengths that its schema asks for. */
export function frameOf(
  { flat, body }: Message,
  table: number,
  counts: { readonly nodes: number; readonly buffers: number },
): Frame | undefined {
  const rows = flat.int64(table, 0)
  const nodes = flat.vector(table, 1, counts.nodes)
  const buffers = flat.vector(table, 2, counts.buffers)
  const compressed = flat.table(table, 3) !== 0
  if (!(rows >= 0) || nodes === 0 || buffers === 0 || compressed) return undefined
  return new Frame(flat, body, rows, nodes, buffers)
}

export class Frame {
  readonly rows: number
  readonly #flat: Flat
  readonly #body: Uint8Array
  readonly #nodes: number
  readonly #buffers: number

  constructor(flat: Flat, body: Uint8Array, rows: number, nodes: number, buffers: number) {
    this.#flat = flat
    this.#body = body
    this.rows = rows
    this.#nodes = nodes
    this.#buffers = buffers
  }

  lengthOf(node: number): number {
    return this.#flat.int64At(this.#nodes + 16 * node)
  }

  nullsOf(node: number): number {
    return this.#flat.int64At(this.#nodes + 16 * node + 8)
  }

  /** The first `length` bytes of a buffer, or all of it; `undefined` when it has fewer. */
  buffer(index: number, length?: number): Uint8Array | undefined {
    const at = this.#buffers + 16 * index
    const start = this.#flat.int64At(at)
    const size = this.#flat.int64At(at + 8)
    if (!(start >= 0 && size >= 0 && start + size <= this.#body.length)) return undefined
    if (length !== undefined && !(length <= size)) return undefined
    return this.#body.subarray(start, start + (length ?? size))
  }
}

/** With the vectors of a layout that is known: they have the length it asks for. */
export class Flat extends FlatBuffer {
  /** Where the `count` elements of a vector begin; 0 when it has another number of them. */
  vector(table: number, slot: number, count: number): number {
    const at = this.table(table, slot)
    return at === 0 || this.view.getUint32(at, true) !== count ? 0 : at + 4
  }
}
