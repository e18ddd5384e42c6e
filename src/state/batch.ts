/**
 * Lays the Arrow IPC stream of one `samples` record into the kernel's staging area: buffers are
 * copied as they are, and ids are resolved inside WASM. Plain records are read from their frame alone,
 * the others by the Arrow library.
 */
import { DataType, Precision, TimeUnit, Type, tableFromIPC } from 'apache-arrow'
import { StreamReader } from '../core/arrow-layout.ts'
import { ServiceError } from '../core/errors.ts'
import type { Data, Dictionary, Table, Utf8, Vector } from 'apache-arrow'
import type { NodeClass } from '../core/node.ts'
import { keyOutOfRange, stageLayout, stageNulls, tableFull, UNASKED } from './stream-staging.ts'
import type { Kernel } from './kernel.ts'

const TIMES = ['at', 'appended_at'] as const

/** What was staged: rows, and columns that the class does not know. */
export interface Staged {
  readonly rows: number
  readonly unknownColumns: number
}

export class BatchStager {
  readonly #kernel: Kernel
  readonly #class: NodeClass
  readonly #reader: StreamReader

  constructor(kernel: Kernel, nodeClass: NodeClass) {
    this.#kernel = kernel
    this.#class = nodeClass
    this.#reader = new StreamReader(nodeClass.metrics.map(({ name }) => name))
  }

  /** ServiceError INPUT_INVALID when it is no samples record, TABLE_FULL when a node finds no room. */
  stage(ipc: Uint8Array): Staged {
    const layout = this.#reader.read(ipc)
    const staged = layout !== undefined && stageLayout(this.#kernel, layout)
    return staged ? layout : stageTable(this.#kernel, this.#class, decode(ipc))
  }
}

function stageTable(kernel: Kernel, nodeClass: NodeClass, table: Table): Staged {
  const rows = table.numRows
  const node = column(table, 'node')
  kernel.stage(rows)
  // Addresses above 2 GiB arrive as negative numbers.
  stageTimes(kernel, kernel.stagedAtPointer() >>> 0, column(table, 'at'), 'at')
  const appended = column(table, 'appended_at')
  stageTimes(kernel, kernel.stagedAppendedPointer() >>> 0, appended, 'appended_at')
  nodeClass.metrics.forEach(({ name }, index) => {
    const at = (kernel.stagedValuesPointer() >>> 0) + index * rows * 8
    const values = table.getChild(name)
    if (values === null) new Float64Array(kernel.memory.buffer, at, rows).fill(Number.NaN)
    else stageValues(kernel, at, values, name)
  })
  stageNodes(kernel, node)
  const known = new Set<string>(['node', ...TIMES, ...nodeClass.metrics.map(({ name }) => name)])
  const unknownColumns = table.schema.fields.filter(({ name }) => !known.has(name)).length
  return { rows, unknownColumns }
}

function decode(ipc: Uint8Array): Table {
  try {
    return tableFromIPC(ipc)
  } catch (error) {
    throw new ServiceError('INPUT_INVALID', 'samples record is not an Arrow IPC stream', {
      cause: error,
    })
  }
}

function column(table: Table, name: string): Vector {
  const values = table.getChild(name)
  if (values === null) throw invalid(`has no column ${name}`)
  if (values.nullCount > 0) throw invalid(`has nulls in column ${name}, which every row needs`)
  return values
}

function stageTimes(kernel: Kernel, at: number, vector: Vector, name: string): void {
  const { type } = vector
  if (!DataType.isTimestamp(type) || type.unit !== TimeUnit.MILLISECOND) {
    throw invalid(`has type ${String(type)} in column ${name}, which takes timestamp[ms]`)
  }
  let to = at
  for (const part of vector.data) {
    const values = part.values as BigInt64Array
    new BigInt64Array(kernel.memory.buffer, to, part.length).set(values.subarray(0, part.length))
    to += part.length * 8
  }
}

function stageValues(kernel: Kernel, at: number, vector: Vector, name: string): void {
  if (!DataType.isFloat(vector.type) || vector.type.precision === Precision.HALF) {
    throw invalid(`has type ${String(vector.type)} in column ${name}, which takes float64`)
  }
  let to = at
  for (const part of vector.data) {
    const values = part.values as Float64Array | Float32Array
    new Float64Array(kernel.memory.buffer, to, part.length).set(values.subarray(0, part.length))
    if (part.nullCount > 0) {
      const bitmap = part.nullBitmap.subarray(0, (part.length + 7) >> 3)
      stageNulls(kernel, to, bitmap, part.length)
    }
    to += part.length * 8
  }
}

function stageNodes(kernel: Kernel, vector: Vector): void {
  let from = 0
  for (const part of vector.data) {
    const done = DataType.isUtf8(part.type)
      ? resolveTexts(kernel, part as Data<Utf8>, from)
      : resolveKeys(kernel, part, from)
    if (done < part.length) throw tableFull(kernel)
    from += part.length
  }
}

function resolveTexts(kernel: Kernel, part: Data<Utf8>, from: number): number {
  if (part.length === 0) return 0
  const [offsets, bytes, byteCount] = stageTexts(kernel, [part], 0)
  return kernel.resolve(offsets, bytes, byteCount, part.length, from)
}

function resolveKeys(kernel: Kernel, part: Data, from: number): number {
  const type: DataType = part.type
  if (!DataType.isDictionary(type) || !DataType.isUtf8(type.dictionary)) {
    throw invalid(`has type ${Type[part.type.typeId]} in column node, which takes utf8`)
  }
  if (part.length === 0) return 0
  const texts = (part as Data<Dictionary<Utf8>>).dictionary!.data
  const entries = texts.reduce((sum, { length }) => sum + length, 0)
  const keys = part.values as Int32Array
  const keyBytes = (part.length + entries) * 4
  const [offsets, bytes, byteCount, at] = stageTexts(kernel, texts, keyBytes)
  const staged = new Uint32Array(kernel.memory.buffer, at, part.length + entries)
  staged.set(keys.subarray(0, part.length))
  if (kernel.keysWithin(at, part.length, entries) === 0) throw keyOutOfRange()
  staged.fill(UNASKED, part.length)
  const known = at + part.length * 4
  return kernel.resolveKeys(at, known, offsets, bytes, byteCount, part.length, from)
}

/** Copies Arrow utf8 chunks as one; `before` bytes stay free in front. Returns the addresses and the bytes' count. */
function stageTexts(
  kernel: Kernel,
  texts: readonly Data<Utf8>[],
  before: number,
): readonly [number, number, number, number] {
  const rows = texts.reduce((sum, { length }) => sum + length, 0)
  const parts = texts.map(({ valueOffsets, values, length }) =>
    values.subarray(valueOffsets[0] ?? 0, valueOffsets[length] ?? 0),
  )
  const byteCount = parts.reduce((sum, { length }) => sum + length, 0)
  const at = kernel.stageText(before + (rows + 1) * 4 + byteCount) >>> 0
  const offsetsAt = at + before
  const bytesAt = offsetsAt + (rows + 1) * 4
  const offsets = new Int32Array(kernel.memory.buffer, offsetsAt, rows + 1)
  const bytes = new Uint8Array(kernel.memory.buffer, bytesAt, byteCount)
  let row = 0
  let end = 0
  texts.forEach(({ valueOffsets, length }, index) => {
    for (let i = 0; i < length; i++) offsets[row++] = end + valueOffsets[i] - valueOffsets[0]
    bytes.set(parts[index], end)
    end += parts[index].length
  })
  offsets[row] = end
  return [offsetsAt, bytesAt, byteCount, at]
}

function invalid(what: string): ServiceError {
  return new ServiceError('INPUT_INVALID', `samples record ${what}`)
}
