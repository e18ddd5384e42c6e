/**
 * Samples as Arrow IPC, stream or file. Columns are read where they lie: a row costs a few array
 * reads, and names stay UTF-8 bytes until somebody wants to read them.
 */
import { DataType, TimeUnit, Type, tableFromIPC } from 'apache-arrow'
import type { Data, RecordBatch, Timestamp } from 'apache-arrow'
import { checkFrame } from '../core/arrow-frame.ts'
import { ID_BYTES_MAX } from '../core/ids.ts'
import type { NodeClass } from '../core/node.ts'
import { AT_MS_MAX, checkedTime, nodeName, sampleAgeProblem } from './field.ts'
import type { Field } from './field.ts'
import { classField } from './json.ts'
import type { SampleContext } from './json.ts'
import { inRow, quoted, refuse } from './refusal.ts'
import type { Refusal } from './refusal.ts'

export interface ArrowRows {
  readonly count: number
  readonly ids: Names
  /** NaN: this row is refused. */
  readonly atMs: Float64Array
  /** In the order of the class's metrics; null where the record lacks the metric, NaN is missing. */
  readonly columns: readonly (Float64Array | null)[]
}

/** The name of row i is `bytes[starts[i], ends[i])`, which several rows of a dictionary share. */
export interface Names {
  readonly bytes: Uint8Array
  readonly starts: Float64Array
  readonly ends: Float64Array
}

export type DecodedArrow =
  | {
      readonly ok: true
      readonly nodeClass: NodeClass
      readonly batches: readonly ArrowRows[]
      /** Of the first refused row, if any, and how many there are. */
      readonly refused: Refusal | undefined
      readonly refusedCount: number
      /** Columns that the class does not have: ignored, and counted once a record. */
      readonly unknownMetricCount: number
    }
  | Refusal

export function decodeArrowSamples(bytes: Uint8Array, context: SampleContext): DecodedArrow {
  try {
    return decodeTable(bytes, context)
  } catch (error) {
    // The library throws on damaged input, in places that are its own business.
    const what = error instanceof Error ? error.message : String(error)
    return refuse('not-arrow', `is no Arrow IPC stream or file: ${quoted(what)}`)
  }
}

function decodeTable(bytes: Uint8Array, context: SampleContext): DecodedArrow {
  if (bytes.length === 0) return refuse('empty', 'the record is empty')
  checkFrame(bytes)
  const { schema, batches } = tableFromIPC(aligned(bytes))
  const nodeClass = classField(schema.metadata.get('class'), context)
  if (!nodeClass.ok) return nodeClass
  const { metrics } = nodeClass.value
  const names = schema.fields.map((field) => field.name)
  const wrong =
    columnRefusal(schema.fields[names.indexOf('node')]?.type, 'node', NODE_TYPES, isNameType) ??
    columnRefusal(schema.fields[names.indexOf('at')]?.type, 'at', AT_TYPES, isTimeType)
  if (wrong !== undefined) return wrong
  for (const { name } of metrics) {
    const type = schema.fields[names.indexOf(name)]?.type
    const refusal = type && columnRefusal(type, name, METRIC_TYPES, isNumberType)
    if (refusal !== undefined) return refusal
  }
  const positions = metrics.map(({ name }) => names.indexOf(name))
  const known = new Set([...RESERVED, ...metrics.map(({ name }) => name)])
  let refused: Refusal | undefined
  let refusedCount = 0
  let rowBase = 0
  const decoded = batches.map((batch) => {
    const rows = decodeBatch(batch, names, positions, context, (row, refusal) => {
      refused ??= inRow(rowBase + row + 1, refusal)
      refusedCount += 1
    })
    rowBase += rows.count
    return rows
  })
  const unknownMetricCount = names.filter((name) => !known.has(name)).length
  return {
    ok: true,
    nodeClass: nodeClass.value,
    batches: decoded,
    refused,
    refusedCount,
    unknownMetricCount,
  }
}

const RESERVED: readonly string[] = ['node', 'at', 'appended_at', 'class']
const NODE_TYPES = 'utf8 or a dictionary of utf8'
const AT_TYPES = 'a timestamp in ms'
const METRIC_TYPES = 'float64 or float32'

function columnRefusal(
  type: DataType | undefined,
  name: string,
  expected: string,
  fits: (type: DataType) => boolean,
): Refusal | undefined {
  if (type === undefined) {
    return refuse('column-missing', `column \`${name}\` is missing; expected ${expected}`)
  }
  if (fits(type)) return undefined
  return refuse('column-type', `column \`${name}\` is ${Type[type.typeId]}; expected ${expected}`)
}

function isNameType(type: DataType): boolean {
  if (DataType.isDictionary(type)) return isNameType(type.dictionary as DataType)
  return DataType.isUtf8(type) || DataType.isLargeUtf8(type)
}

function isTimeType(type: DataType): boolean {
  return DataType.isTimestamp(type)
}

/** Whole numbers are taken too: many producers send counters as such. */
function isNumberType(type: DataType): boolean {
  return DataType.isInt(type) || (DataType.isFloat(type) && type.ArrayType !== Uint16Array)
}

function decodeBatch(
  batch: RecordBatch,
  names: readonly string[],
  positions: readonly number[],
  context: SampleContext,
  refusedRow: (row: number, refusal: Refusal) => void,
): ArrowRows {
  const count = batch.numRows
  const [nodes, times] = [
    columnOf(batch, names.indexOf('node')),
    columnOf(batch, names.indexOf('at')),
  ]
  const ids = namesOf(nodes, count)
  const atMs = timesOf(times as Data<Timestamp>, count)
  for (let row = 0; row < count; row++) {
    const refusal = rowRefusal(ids, atMs[row], row, context)
    if (refusal === undefined) continue
    atMs[row] = NaN
    refusedRow(row, refusal)
  }
  const columns = positions.map((at) => (at < 0 ? null : valuesOf(columnOf(batch, at), count)))
  return { count, ids, atMs, columns }
}

function rowRefusal(
  ids: Names,
  atMs: number,
  row: number,
  context: SampleContext,
): Refusal | undefined {
  const [start, end] = [ids.starts[row], ids.ends[row]]
  if (Number.isNaN(start)) return refuse('node-missing', "`node` is null; expected the node's name")
  if (!isPlainName(ids.bytes, start, end)) {
    const name = fatalText(ids.bytes.subarray(start, end))
    if (!name.ok) return name
    const checked = nodeName(name.value)
    if (!checked.ok) return checked
  }
  if (Number.isNaN(atMs)) return refuse('at-missing', '`at` is null; expected a timestamp')
  if (atMs < 0 || atMs > AT_MS_MAX) {
    return refuse('at-invalid', `\`at\` is ${atMs} ms; expected a time since 1970`)
  }
  const at = checkedTime(atMs, context.nowMs)
  return at.ok ? sampleAgeProblem(atMs, context) : at
}

/** Nearly every name: printable ASCII of a fair length, which needs no closer look. */
function isPlainName(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end || end - start > ID_BYTES_MAX) return false
  for (let i = start; i < end; i++) if (bytes[i] < 0x20 || bytes[i] >= 0x80) return false
  return true
}

function fatalText(bytes: Uint8Array): Field<string> {
  try {
    return { ok: true, value: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return refuse('node-invalid', '`node` is not UTF-8 text')
  }
}

function columnOf(batch: RecordBatch, index: number): Data {
  const data = batch.data.children[index] as Data | undefined
  if (data === undefined || data.length < batch.numRows) {
    throw new Error('a column is shorter than its batch')
  }
  return data
}

function namesOf(data: Data, count: number): Names {
  if (data.dictionary === undefined) return utf8Names(data, count)
  const entries = dictionaryNames(data)
  const codes = valuesOf(data, count)
  const pick = (from: Float64Array) => Float64Array.from(codes, (code) => from[code] ?? NaN)
  return { bytes: entries.bytes, starts: pick(entries.starts), ends: pick(entries.ends) }
}

/** A dictionary that grew by deltas has several chunks; they are laid end to end. */
function dictionaryNames({ dictionary }: Data): Names {
  const chunks = (dictionary?.data ?? []).map((chunk) => utf8Names(chunk, chunk.length))
  const [only] = chunks
  if (chunks.length === 1 && only !== undefined) return only
  const [starts, ends]: [number[], number[]] = [[], []]
  const bytes = Buffer.concat(chunks.map((chunk) => chunk.bytes))
  let base = 0
  for (const chunk of chunks) {
    for (const start of chunk.starts) starts.push(base + start)
    for (const end of chunk.ends) ends.push(base + end)
    base += chunk.bytes.length
  }
  return { bytes, starts: Float64Array.from(starts), ends: Float64Array.from(ends) }
}

/** A start of NaN is a null. Offsets beyond the bytes are damage. */
function utf8Names(data: Data, count: number): Names {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array
  const bytes = data.values as Uint8Array
  if (count > 0 && offsets.length <= count) throw new Error('column `node` has too few offsets')
  const [starts, ends] = [new Float64Array(count), new Float64Array(count)]
  for (let row = 0; row < count; row++) {
    const [start, end] = [Number(offsets[row]), Number(offsets[row + 1])]
    if (start < 0 || end < start || end > bytes.length) {
      throw new Error('column `node` has offsets outside its bytes')
    }
    starts[row] = data.nullCount > 0 && !data.getValid(row) ? NaN : start
    ends[row] = end
  }
  return { bytes, starts, ends }
}

/** In whole ms, rounded down; NaN is a null. */
function timesOf(data: Data<Timestamp>, count: number): Float64Array {
  const perMs = UNITS_PER_MS[data.type.unit]
  const at = valuesOf(data, count, true)
  for (let row = 0; row < count; row++) at[row] = Math.floor(at[row] / perMs)
  return at
}

const UNITS_PER_MS: Readonly<Record<TimeUnit, number>> = {
  [TimeUnit.SECOND]: 0.001,
  [TimeUnit.MILLISECOND]: 1,
  [TimeUnit.MICROSECOND]: 1_000,
  [TimeUnit.NANOSECOND]: 1_000_000,
}

/** The values as they lie where that is possible, else a copy with NaN for null. */
function valuesOf(data: Data, count: number, copy = false): Float64Array {
  const values = data.values as ArrayLike<number | bigint>
  if (values.length < count) throw new Error('a column has fewer values than rows')
  const complete = data.nullCount === 0
  if (values instanceof Float64Array && complete && !copy) return values.subarray(0, count)
  if (values instanceof BigInt64Array && complete) return numbersOf(values, count)
  const numbers = new Float64Array(count)
  for (let row = 0; row < count; row++) {
    numbers[row] = data.nullCount > 0 && !data.getValid(row) ? NaN : Number(values[row])
  }
  return numbers
}

/** Rounded as `Number` rounds them, without a BigInt per row. */
function numbersOf(values: BigInt64Array, count: number): Float64Array {
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * count)
  const numbers = new Float64Array(count)
  for (let row = 0; row < count; row++) {
    numbers[row] = words[2 * row + 1] * TWO_32 + (words[2 * row] >>> 0)
  }
  return numbers
}

const TWO_32 = 4_294_967_296

/** Typed arrays over the body need its address to be a multiple of 8; a record's may be any. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : Uint8Array.from(bytes)
}
