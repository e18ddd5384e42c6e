/**
 * Rows of many records become the Arrow record batches of the node-log: `node` utf8, `at` and
 * `appended_at` timestamps in ms, then one float64 column per metric in the order of the class, where
 * null is missing. Columns are kept between batches and only grow, so a row allocates nothing.
 */
import {
  Field,
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

/** With names of 256 bytes and 64 metrics this stays under 4 MiB, half of what a broker takes. */
export const ROWS_PER_BATCH_MAX = 4_096
const ROWS_AT_FIRST = 64
const ID_BYTES_AT_FIRST = 1_024
const TWO_32 = 4_294_967_296

/** Rows of one node-log partition and one node class. */
export class SampleBuilder {
  readonly #schema: Schema
  readonly #rowsMax: number
  #rows = 0
  #idBytes = new Uint8Array(ID_BYTES_AT_FIRST)
  #idEnds = new Int32Array(ROWS_AT_FIRST + 1)
  #at = new Uint32Array(2 * ROWS_AT_FIRST)
  #appendedAt = new Uint32Array(2 * ROWS_AT_FIRST)
  readonly #columns: Float64Array[]

  constructor(nodeClass: NodeClass, rowsMax = ROWS_PER_BATCH_MAX) {
    this.#schema = samplesSchema(nodeClass)
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
    const time = new TimestampMillisecond()
    const children: Data[] = [
      makeData({
        type: new Utf8(),
        length,
        nullCount: 0,
        valueOffsets: this.#idEnds.subarray(0, length + 1),
        data: this.#idBytes.subarray(0, this.#idEnds[length]),
      }),
      makeData({ type: time, length, nullCount: 0, data: int64s(this.#at, length) }),
      makeData({ type: time, length, nullCount: 0, data: int64s(this.#appendedAt, length) }),
      ...this.#columns.map((column) => nullable(column.subarray(0, length))),
    ]
    const type = new Struct(this.#schema.fields)
    const batch = new RecordBatch(this.#schema, makeData({ type, length, nullCount: 0, children }))
    const writer = new RecordBatchStreamWriter()
    writer.write(batch)
    writer.finish()
    const bytes = writer.toUint8Array(true)
    this.#rows = 0
    return bytes
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

function samplesSchema(nodeClass: NodeClass): Schema {
  const time = new TimestampMillisecond()
  return new Schema(
    [
      new Field('node', new Utf8(), false),
      new Field('at', time, false),
      new Field('appended_at', time, false),
      ...nodeClass.metrics.map(({ name }) => new Field(name, new Float64(), true)),
    ],
    new Map([['class', nodeClass.name]]),
  )
}

/** Two's complement, low word first, without a BigInt per row. */
function setInt64(words: Uint32Array, row: number, value: number): void {
  words[2 * row] = value
  words[2 * row + 1] = Math.floor(value / TWO_32)
}

function int64s(words: Uint32Array, length: number): BigInt64Array {
  return new BigInt64Array(words.buffer, words.byteOffset, length)
}

function nullable(values: Float64Array): Data<Float64> {
  const { length } = values
  let nullCount = 0
  // NaN alone differs from itself.
  for (let row = 0; row < length; row++) if (values[row] !== values[row]) nullCount++
  const plain = { type: new Float64(), length, data: values, nullCount }
  return makeData(nullCount === 0 ? plain : { ...plain, nullBitmap: validity(values) })
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
