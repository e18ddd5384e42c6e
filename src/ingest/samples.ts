/**
 * Rows of many records become the Arrow record batches of the node-log: `node` utf8, `at` and
 * `appended_at` timestamps in ms, then one float64 column per metric in the order of the class, where
 * null is missing. Columns are kept between batches and only grow, so a row allocates nothing.
 */
import {
  Field,
  Float32,
  Float64,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
  makeData,
} from 'apache-arrow'
import type { Data } from 'apache-arrow'
import { assert } from '../core/errors.ts'
import type { NodeClass } from '../core/node.ts'
import { type ColumnBuffers, StreamTemplate } from '../core/stream-template.ts'

/** With names of 256 bytes and 64 metrics this stays under 4 MiB, half of what a broker takes. */
export const ROWS_PER_BATCH_MAX = 4_096
const ROWS_AT_FIRST = 64
const ID_BYTES_AT_FIRST = 1_024
const TWO_32 = 4_294_967_296
const NO_BYTES = new Uint8Array(0)

/** Rows of one node-log partition and one node class. */
export class SampleBuilder {
  readonly #template: StreamTemplate
  readonly #rowsMax: number
  #rows = 0
  #idBytes = new Uint8Array(ID_BYTES_AT_FIRST)
  #idEnds = new Int32Array(ROWS_AT_FIRST + 1)
  #at = new Uint32Array(2 * ROWS_AT_FIRST)
  #appendedAt = new Uint32Array(2 * ROWS_AT_FIRST)
  readonly #columns: Float64Array[]

  constructor(nodeClass: NodeClass, rowsMax = ROWS_PER_BATCH_MAX) {
    this.#template = new StreamTemplate(firstSamples(nodeClass, 8))
    this.#rowsMax = rowsMax
    this.#columns = nodeClass.metrics.map(() => new Float64Array(ROWS_AT_FIRST))
  }

  get count(): number {
    return this.#rows
  }

  /** A full one must be built before the next row. */
  get full(): boolean {
    return this.#rows === this.#rowsMax
  }

  /** A new row without values, of the node named by `bytes[start, end)`. */
  append(bytes: Uint8Array, start: number, end: number, atMs: number, appendedAtMs: number): void {
    assert(!this.full, 'a full batch takes no row')
    const row = this.#rows++
    if (this.#rows > this.#idEnds.length - 1) this.#growRows()
    const from = this.#idEnds[row]
    while (from + end - start > this.#idBytes.length)
      this.#idBytes = doubled(this.#idBytes, Uint8Array)
    for (let i = start; i < end; i++) this.#idBytes[from + i - start] = bytes[i]
    this.#idEnds[row + 1] = from + end - start
    setInt64(this.#at, row, atMs)
    setInt64(this.#appendedAt, row, appendedAtMs)
    for (const column of this.#columns) column[row] = NaN
  }

  /** A value of the newest row; NaN is missing. */
  set(metric: number, value: number): void {
    this.#columns[metric][this.#rows - 1] = value
  }

  /** The rows as an Arrow IPC stream of one batch, which shares no memory with the builder; and none are left. */
  build(): Uint8Array {
    const length = this.#rows
    this.#rows = 0
    const bytesOf = (column: TypedColumn, values: number): Uint8Array =>
      new Uint8Array(column.buffer, column.byteOffset, values * column.BYTES_PER_ELEMENT)
    const plain = (...buffers: readonly Uint8Array[]): ColumnBuffers => ({
      nullCount: 0,
      buffers: [NO_BYTES, ...buffers],
    })
    return this.#template.write(length, [
      plain(bytesOf(this.#idEnds, length + 1), this.#idBytes.subarray(0, this.#idEnds[length])),
      plain(bytesOf(this.#at, 2 * length)),
      plain(bytesOf(this.#appendedAt, 2 * length)),
      ...this.#columns.map((column) => {
        const values = column.subarray(0, length)
        const nullCount = nullsOf(values)
        const bitmap = nullCount === 0 ? NO_BYTES : validity(values)
        return { nullCount, buffers: [bitmap, bytesOf(values, length)] }
      }),
    ])
  }

  #growRows(): void {
    this.#idEnds = grown(this.#idEnds, new Int32Array(2 * (this.#idEnds.length - 1) + 1))
    this.#at = doubled(this.#at, Uint32Array)
    this.#appendedAt = doubled(this.#appendedAt, Uint32Array)
    for (const [index, column] of this.#columns.entries()) {
      this.#columns[index] = doubled(column, Float64Array)
    }
  }
}

/** A record of one row, whose frame is that of all records of the class. `width`: 8 for float64, 4 for float32. */
export function firstSamples(nodeClass: NodeClass, width: 4 | 8): Uint8Array {
  const [name, time, float] = [
    new Utf8(),
    new TimestampMillisecond(),
    width === 8 ? new Float64() : new Float32(),
  ]
  const schema = new Schema(
    [
      new Field('node', name, false),
      new Field('at', time, false),
      new Field('appended_at', time, false),
      ...nodeClass.metrics.map((metric) => new Field(metric.name, float, true)),
    ],
    new Map([['class', nodeClass.name]]),
  )
  const row = { length: 1, nullCount: 0 }
  const at = makeData({ ...row, type: time, data: BigInt64Array.of(1n) })
  const data = width === 8 ? Float64Array.of(1) : Float32Array.of(1)
  const children: Data[] = [
    makeData({
      ...row,
      type: name,
      valueOffsets: Int32Array.of(0, 1),
      data: Uint8Array.of(0x6e),
    }),
    at,
    at,
    ...nodeClass.metrics.map(() => makeData({ ...row, type: float, data })),
  ]
  return oneRowStream(schema, children)
}

/** What a StreamTemplate learns a schema's frame from. */
export function oneRowStream(schema: Schema, children: readonly Data[]): Uint8Array {
  const type = new Struct(schema.fields)
  const row = makeData({ type, length: 1, nullCount: 0, children: [...children] })
  const writer = new RecordBatchStreamWriter()
  writer.write(new RecordBatch(schema, row))
  writer.finish()
  return writer.toUint8Array(true)
}

/** Two's complement, low word first, without a BigInt per row. */
function setInt64(words: Uint32Array, row: number, value: number): void {
  words[2 * row] = value
  words[2 * row + 1] = Math.floor(value / TWO_32)
}

function nullsOf(values: Float64Array): number {
  let nullCount = 0
  // NaN alone differs from itself.
  for (let row = 0; row < values.length; row++) if (values[row] !== values[row]) nullCount++
  return nullCount
}

function validity(values: Float64Array): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(values.length / 8))
  for (let row = 0; row < values.length; row++) {
    if (!Number.isNaN(values[row])) bitmap[row >> 3] |= 1 << (row & 7)
  }
  return bitmap
}

function doubled<Column extends TypedColumn>(
  column: Column,
  make: new (length: number) => Column,
): Column {
  return grown(column, new make(2 * column.length))
}

type TypedColumn = Uint8Array | Uint32Array | Int32Array | Float64Array

function grown<Column extends TypedColumn>(from: Column, to: Column): Column {
  to.set(from)
  return to
}
