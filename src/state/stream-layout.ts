/**
 * Where the columns of a `samples` record lie, read from its frame alone. An Arrow library makes an
 * object of every column of every record, which costs ten times what the rows do; but writers repeat
 * themselves: the schema of a record is, byte for byte, that of the one before. So the library reads
 * the first record of each schema, and its layout serves the others.
 *
 * Only the plain case is read here (one utf8 or dictionary<int32> column of names, timestamps in ms,
 * float64). `undefined` is no error: it means that the library must look at the record.
 * Field numbers are those of Message.fbs (https://arrow.apache.org/docs/format/).
 */
import { DataType, TimeUnit } from 'apache-arrow'
import type { Field, Schema } from 'apache-arrow'
import { RECORD_BATCH, frameOf, messageAt } from './stream-frame.ts'
import type { NodeClass } from '../core/node.ts'
import type { Frame, Message } from './stream-frame.ts'

/** All are views on the record. */
export interface Column {
  readonly values: Uint8Array
  /** Absent where nothing is null. */
  readonly validity: Uint8Array | undefined
}

export interface Texts {
  readonly rows: number
  /** int32 [rows + 1], to be held against the bytes by whoever follows them. */
  readonly offsets: Uint8Array
  readonly bytes: Uint8Array
}

export interface BatchLayout {
  readonly rows: number
  readonly at: Uint8Array
  readonly appendedAt: Uint8Array
  /** Names themselves, or int32 [rows] keys of the stream's dictionary. */
  readonly node: Texts | Uint8Array
  /** By metric of the class; absent where the record lacks it. */
  readonly metrics: readonly (Column | undefined)[]
}

export interface StreamLayout {
  readonly rows: number
  readonly dictionary: Texts | undefined
  readonly batches: readonly BatchLayout[]
  readonly unknownColumns: number
}

/** Numbers of a column's node and of its first buffer within a record batch. */
interface Place {
  readonly node: number
  readonly buffer: number
}

interface Plan {
  /** The schema's message. */
  readonly schema: Buffer
  readonly counts: { readonly nodes: number; readonly buffers: number }
  readonly node: Place
  readonly dictionary: boolean
  readonly at: Place
  readonly appendedAt: Place
  readonly metrics: readonly (Place | undefined)[]
  readonly unknownColumns: number
}

/** Of writers of one partition whose schemas differ; the oldest is forgotten for a new one. */
const PLANS_MAX = 16

export class StreamReader {
  readonly #metrics: readonly string[]
  readonly #plans: Plan[] = []

  constructor(nodeClass: NodeClass) {
    this.#metrics = nodeClass.metrics.map(({ name }) => name)
  }

  read(ipc: Uint8Array): StreamLayout | undefined {
    const bytes = Buffer.from(ipc.buffer, ipc.byteOffset, ipc.length)
    for (const plan of this.#plans) {
      const { length } = plan.schema
      if (bytes.length < length || plan.schema.compare(bytes, 0, length) !== 0) continue
      try {
        return layoutOf(bytes, plan)
      } catch (error) {
        // Reading past the end of the frame: the library says what is wrong with it.
        if (error instanceof RangeError) return undefined
        throw error
      }
    }
    return undefined
  }

  /** Remembers the schema of a record that the library has read, if it is of the plain kind. */
  learn(ipc: Uint8Array, { fields }: Schema): void {
    const plan = planOf(ipc, fields, this.#metrics)
    if (plan === undefined || this.#plans.some(({ schema }) => schema.equals(plan.schema))) return
    if (this.#plans.length === PLANS_MAX) this.#plans.shift()
    this.#plans.push(plan)
  }
}

function planOf(
  ipc: Uint8Array,
  fields: readonly Field[],
  metrics: readonly string[],
): Plan | undefined {
  const view = new DataView(ipc.buffer, ipc.byteOffset, ipc.length)
  if (ipc.length < 8 || view.getInt32(0, true) !== -1) return undefined
  const end = 8 + view.getInt32(4, true)
  if (end > ipc.length || fields.some(({ type }) => buffersOf(type) === 0)) return undefined
  const places = new Map<string, Place & { readonly type: DataType }>()
  let buffer = 0
  for (const [node, { name, type }] of fields.entries()) {
    if (!places.has(name)) places.set(name, { node, buffer, type })
    buffer += buffersOf(type)
  }
  const [node, at, appendedAt] = ['node', 'at', 'appended_at'].map((name) => places.get(name))
  if (node === undefined || !isName(node.type)) return undefined
  if (at === undefined || !isTime(at.type)) return undefined
  if (appendedAt === undefined || !isTime(appendedAt.type)) return undefined
  // With two dictionaries it would matter which batch is whose.
  if (fields.filter(({ type }) => DataType.isDictionary(type)).length > 1) return undefined
  const columns = metrics.map((name) => places.get(name))
  if (columns.some((column) => column !== undefined && !isDouble(column.type))) return undefined
  const known = new Set(['node', 'at', 'appended_at', ...metrics])
  return {
    schema: Buffer.from(ipc.slice(0, end)),
    counts: { nodes: fields.length, buffers: buffer },
    node,
    dictionary: DataType.isDictionary(node.type),
    at,
    appendedAt,
    metrics: columns,
    unknownColumns: fields.filter(({ name }) => !known.has(name)).length,
  }
}

/** Buffers of a column in a record batch; 0 where that is not plain. */
function buffersOf(type: DataType): number {
  if (DataType.isUtf8(type)) return 3
  const oneValueEach =
    DataType.isInt(type) ||
    DataType.isFloat(type) ||
    DataType.isTimestamp(type) ||
    DataType.isBool(type) ||
    DataType.isDictionary(type)
  return oneValueEach ? 2 : 0
}

function isName(type: DataType): boolean {
  if (!DataType.isDictionary(type)) return DataType.isUtf8(type)
  return DataType.isUtf8(type.dictionary as DataType) && type.indices.bitWidth === 32
}

function isTime(type: DataType): boolean {
  return DataType.isTimestamp(type) && type.unit === TimeUnit.MILLISECOND
}

function isDouble(type: DataType): boolean {
  return DataType.isFloat(type) && type.ArrayType === Float64Array
}

function layoutOf(bytes: Buffer, plan: Plan): StreamLayout | undefined {
  const batches: BatchLayout[] = []
  let dictionary: Texts | undefined
  let rows = 0
  for (let at = plan.schema.length; at < bytes.length;) {
    if (bytes.readInt32LE(at) !== -1) return undefined
    const length = bytes.readInt32LE(at + 4)
    if (length === 0) break
    const message = messageAt(bytes, at + 8, length)
    if (message === undefined) return undefined
    at = message.end
    if (message.type !== RECORD_BATCH) {
      if (dictionary !== undefined || batches.length > 0) return undefined
      dictionary = dictionaryOf(message)
      if (dictionary === undefined) return undefined
    } else {
      const batch = batchOf(message, plan, dictionary)
      if (batch === undefined) return undefined
      batches.push(batch)
      rows += batch.rows
    }
  }
  return { rows, dictionary, batches, unknownColumns: plan.unknownColumns }
}

/** A whole dictionary of names: neither a delta nor compressed. */
function dictionaryOf(message: Message): Texts | undefined {
  const { flat, header } = message
  const table = flat.table(header, 1)
  if (table === 0 || flat.uint8(header, 2) !== 0) return undefined
  const frame = frameOf(message, table, { nodes: 1, buffers: 3 })
  return frame && textsOf(frame, { node: 0, buffer: 0 })
}

function batchOf(
  message: Message,
  plan: Plan,
  dictionary: Texts | undefined,
): BatchLayout | undefined {
  if (plan.dictionary !== (dictionary !== undefined)) return undefined
  const frame = frameOf(message, message.header, plan.counts)
  if (frame === undefined) return undefined
  const { rows } = frame
  const at = columnOf(frame, plan.at, 8)
  const appendedAt = columnOf(frame, plan.appendedAt, 8)
  if (at === undefined || appendedAt === undefined) return undefined
  if (at.validity !== undefined || appendedAt.validity !== undefined) return undefined
  const node = plan.dictionary ? keysOf(frame, plan.node) : textsOf(frame, plan.node)
  if (node === undefined) return undefined
  const metrics: (Column | undefined)[] = []
  for (const place of plan.metrics) {
    const column = place && columnOf(frame, place, 8)
    if (place !== undefined && column === undefined) return undefined
    metrics.push(column)
  }
  return { rows, at: at.values, appendedAt: appendedAt.values, node, metrics }
}

function columnOf(frame: Frame, { node, buffer }: Place, width: number): Column | undefined {
  if (frame.lengthOf(node) !== frame.rows) return undefined
  const nulls = frame.nullsOf(node)
  const values = frame.buffer(buffer + 1, frame.rows * width)
  const validity = nulls === 0 ? undefined : frame.buffer(buffer, Math.ceil(frame.rows / 8))
  if (values === undefined || (nulls !== 0 && validity === undefined)) return undefined
  return { values, validity }
}

function keysOf(frame: Frame, place: Place): Uint8Array | undefined {
  const keys = columnOf(frame, place, 4)
  return keys?.validity === undefined ? keys?.values : undefined
}

function textsOf(frame: Frame, { node, buffer }: Place): Texts | undefined {
  const { rows } = frame
  if (frame.lengthOf(node) !== rows || frame.nullsOf(node) !== 0) return undefined
  const offsets = frame.buffer(buffer + 1, (rows + 1) * 4)
  const bytes = frame.buffer(buffer + 2)
  return offsets && bytes && { rows, offsets, bytes }
}
