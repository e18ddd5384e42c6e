/**
 * Where the columns of a record of samples lie, read from its frame alone. An Arrow library makes an
 * object of every column of every record, which costs ten times what the rows do; but writers repeat
 * themselves: the schema of a record is, byte for byte, that of the one before, and is read once.
 *
 * Only the plain case is read here (one utf8 or dictionary<int32> column of names, timestamps in ms,
 * float64 or float32). `undefined` is no error: it means that an Arrow library must look at the record.
 * Field numbers are those of Message.fbs (https://arrow.apache.org/docs/format/).
 */
import { type Frame, frameOf, type Message, messageAt, RECORD_BATCH } from './arrow-message.ts'
import { type ColumnType, schemaOf } from './arrow-schema.ts'

/** All are views on the record. */
export interface Column {
  readonly values: Uint8Array
  /** Bytes of a value: 8 for float64 and timestamps, 4 for float32. */
  readonly width: number
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
  /** Only in node-log. */
  readonly appendedAt: Uint8Array | undefined
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
  /** Of the schema. */
  readonly metadata: ReadonlyMap<string, string>
}

/** Numbers of a column's node and of its first buffer within a record batch. */
interface Place {
  readonly node: number
  readonly buffer: number
}

interface Plan {
  /** The schema's message. */
  readonly schema: Uint8Array
  readonly metadata: ReadonlyMap<string, string>
  readonly counts: { readonly nodes: number; readonly buffers: number }
  readonly node: Place
  readonly dictionary: boolean
  readonly at: Place
  readonly appendedAt: Place | undefined
  readonly metrics: readonly ((Place & { readonly width: number }) | undefined)[]
  readonly unknownColumns: number
}

/** Of writers of one partition whose schemas differ; the oldest is forgotten for a new one. */
const PLANS_MAX = 16

export class StreamReader {
  readonly #metrics: readonly string[]
  /** Newest used last. */
  readonly #plans: Plan[] = []

  /** `metrics`: names, in the order in which their columns are wanted. */
  constructor(metrics: readonly string[]) {
    this.#metrics = metrics
  }

  /** Views on the record, none of them longer than its column says. */
  read(ipc: Uint8Array): StreamLayout | undefined {
    try {
      const plan = this.#planFor(ipc)
      return plan && layoutOf(ipc, plan)
    } catch (error) {
      // Reading past the end of the frame: the library says what is wrong with it.
      if (error instanceof RangeError) return undefined
      throw error
    }
  }

  #planFor(ipc: Uint8Array): Plan | undefined {
    for (let i = this.#plans.length - 1; i >= 0; i--) {
      if (startsWith(ipc, this.#plans[i].schema)) return this.#plans[i]
    }
    const plan = planOf(ipc, this.#metrics)
    if (plan === undefined) return undefined
    if (this.#plans.length === PLANS_MAX) this.#plans.shift()
    this.#plans.push(plan)
    return plan
  }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  if (bytes.length < start.length) return false
  for (let i = 0; i < start.length; i++) if (bytes[i] !== start[i]) return false
  return true
}

const WIDTHS: Readonly<Partial<Record<ColumnType, number>>> = { float64: 8, float32: 4 }

function planOf(ipc: Uint8Array, metrics: readonly string[]): Plan | undefined {
  const schema = schemaOf(ipc)
  if (schema === undefined) return undefined
  const { columns, metadata, end } = schema
  const places = new Map<string, Place & { readonly type: ColumnType }>()
  let buffer = 0
  for (const [node, { name, type, buffers }] of columns.entries()) {
    if (!places.has(name)) places.set(name, { node, buffer, type })
    buffer += buffers
  }
  const [node, at, appendedAt] = ['node', 'at', 'appended_at'].map((name) => places.get(name))
  if (node?.type !== 'utf8' && node?.type !== 'dictionary') return undefined
  if (at?.type !== 'timestamp-ms') return undefined
  if (appendedAt !== undefined && appendedAt.type !== 'timestamp-ms') return undefined
  // With two dictionaries it would matter which batch is whose.
  if (columns.filter(({ type }) => type === 'dictionary').length > 1) return undefined
  const wanted = metrics.map((name) => {
    const place = places.get(name)
    return place && { ...place, width: WIDTHS[place.type] ?? 0 }
  })
  if (wanted.some((place) => place?.width === 0)) return undefined
  const known = new Set(['node', 'at', 'appended_at', ...metrics])
  return {
    schema: ipc.slice(0, end),
    metadata,
    counts: { nodes: columns.length, buffers: buffer },
    node,
    dictionary: node.type === 'dictionary',
    at,
    appendedAt,
    metrics: wanted,
    unknownColumns: columns.filter(({ name }) => !known.has(name)).length,
  }
}

function layoutOf(bytes: Uint8Array, plan: Plan): StreamLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { metadata, unknownColumns } = plan
  const batches: BatchLayout[] = []
  let dictionary: Texts | undefined
  let rows = 0
  for (let at = plan.schema.length; at < bytes.length;) {
    if (view.getInt32(at, true) !== -1) return undefined
    const length = view.getInt32(at + 4, true)
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
  return { rows, dictionary, batches, unknownColumns, metadata }
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
  const at = timesOf(frame, plan.at)
  const appendedAt = plan.appendedAt && timesOf(frame, plan.appendedAt)
  if (at === undefined || (plan.appendedAt !== undefined && appendedAt === undefined)) {
    return undefined
  }
  const node = plan.dictionary ? keysOf(frame, plan.node) : textsOf(frame, plan.node)
  if (node === undefined) return undefined
  const metrics: (Column | undefined)[] = []
  for (const place of plan.metrics) {
    const column = place && columnOf(frame, place, place.width)
    if (place !== undefined && column === undefined) return undefined
    metrics.push(column)
  }
  return { rows, at, appendedAt, node, metrics }
}

function timesOf(frame: Frame, place: Place): Uint8Array | undefined {
  const column = columnOf(frame, place, 8)
  return column?.validity === undefined ? column?.values : undefined
}

function columnOf(frame: Frame, { node, buffer }: Place, width: number): Column | undefined {
  if (frame.lengthOf(node) !== frame.rows) return undefined
  const nulls = frame.nullsOf(node)
  const values = frame.buffer(buffer + 1, frame.rows * width)
  const validity = nulls === 0 ? undefined : frame.buffer(buffer, Math.ceil(frame.rows / 8))
  if (values === undefined || (nulls !== 0 && validity === undefined)) return undefined
  return { values, width, validity }
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
