/**
 * All predictions of one class, as Arrow record batches for the topic `predictions.batches`: some 40
 * bytes a prediction where a record of its own takes a thousand. Rows gather until the next tick.
 */
import {
  Field,
  Float32,
  makeData,
  Schema,
  TimestampMillisecond,
  Uint64,
  Uint8,
  Utf8,
} from 'apache-arrow'
import type { ModelRef } from '../core/assessment.ts'
import { StreamTemplate } from '../core/stream-template.ts'
import { oneRowStream } from '../ingest/samples.ts'
import type { NodeTable } from '../state/node-table.ts'
import type { FeatureRows } from '../state/table-views.ts'

/**
 * Predictions of a challenger are for comparison only: nobody acts on them. In canary pools those of a
 * `canary` are acted upon.
 */
type ModelRole = 'champion' | 'challenger' | 'canary'

/** Then it is full, and must be built. */
export const PREDICTIONS_PER_BATCH_MAX = 8_192
const NAME_BYTES_AT_FIRST = 16 * PREDICTIONS_PER_BATCH_MAX
const NO_BYTES = new Uint8Array(0)
const TWO_32 = 4_294_967_296

export class PredictionBatch {
  readonly #nodeClass: string
  readonly #model: ModelRef
  readonly #role: ModelRole
  #provider: string
  #template: StreamTemplate
  readonly #ends = new Int32Array(PREDICTIONS_PER_BATCH_MAX + 1)
  readonly #atWords = new Uint32Array(2 * PREDICTIONS_PER_BATCH_MAX)
  readonly #trigger = new Uint8Array(PREDICTIONS_PER_BATCH_MAX)
  readonly #probability = new Float32Array(PREDICTIONS_PER_BATCH_MAX)
  readonly #hashWords = new Uint32Array(2 * PREDICTIONS_PER_BATCH_MAX)
  #names = new Uint8Array(NAME_BYTES_AT_FIRST)
  #count = 0

  constructor(nodeClass: string, model: ModelRef, role: ModelRole = 'champion') {
    this.#nodeClass = nodeClass
    this.#model = model
    this.#role = role
    this.#provider = model.provider
    this.#template = new StreamTemplate(firstStream(nodeClass, model, role))
  }

  get count(): number {
    return this.#count
  }

  /** Takes rows from `from` on, those that `takes` says, until it is full; returns the row to go on with. */
  add(
    table: NodeTable,
    rows: FeatureRows,
    probability: Float32Array,
    from: number,
    takes: ((row: number) => boolean) | null = null,
  ): number {
    const { hash, count } = rows
    let row = from
    for (; row < count && this.#count < PREDICTIONS_PER_BATCH_MAX; row++) {
      if (takes !== null && !takes(row)) continue
      const to = this.#count++
      this.#addName(table, rows.node[row], to)
      const atMs = rows.atMs[row]
      this.#atWords[2 * to] = atMs
      this.#atWords[2 * to + 1] = Math.floor(atMs / TWO_32)
      this.#trigger[to] = rows.trigger[row]
      this.#probability[to] = probability[row]
      // The hash's first word is the high one, and a number's low word comes first.
      this.#hashWords[2 * to] = hash[2 * row + 1]
      this.#hashWords[2 * to + 1] = hash[2 * row]
    }
    return row
  }

  /** The rows as an Arrow IPC stream; none are left. */
  build(): Uint8Array {
    const count = this.#count
    this.#count = 0
    const bytes = (words: Uint32Array | Int32Array | Float32Array, length: number) =>
      new Uint8Array(words.buffer, 0, length * words.BYTES_PER_ELEMENT)
    const columns: readonly (readonly Uint8Array[])[] = [
      [bytes(this.#ends, count + 1), this.#names.subarray(0, this.#ends[count])],
      [bytes(this.#atWords, 2 * count)],
      [this.#trigger.subarray(0, count)],
      [bytes(this.#probability, count)],
      [bytes(this.#hashWords, 2 * count)],
    ]
    return this.#templateNow().write(
      count,
      columns.map((buffers) => ({ nullCount: 0, buffers: [NO_BYTES, ...buffers] })),
    )
  }

  /** The provider is the schema's, and changes when a GPU is lost. */
  #templateNow(): StreamTemplate {
    const { provider } = this.#model
    if (provider !== this.#provider) {
      this.#provider = provider
      this.#template = new StreamTemplate(firstStream(this.#nodeClass, this.#model, this.#role))
    }
    return this.#template
  }

  #addName(table: NodeTable, index: number, to: number): void {
    const from = this.#ends[to]
    let length = table.copyId(index, this.#names, from)
    if (length < 0) {
      const grown = new Uint8Array(2 * this.#names.length)
      grown.set(this.#names)
      this.#names = grown
      length = table.copyId(index, this.#names, from)
    }
    this.#ends[to + 1] = from + length
  }
}

/** One row, for its frame. What is the same for all rows is the schema's metadata. */
function firstStream(nodeClass: string, model: ModelRef, role: ModelRole): Uint8Array {
  const types = [
    new Utf8(),
    new TimestampMillisecond(),
    new Uint8(),
    new Float32(),
    new Uint64(),
  ] as const
  const names = ['node', 'at', 'trigger', 'probability', 'row_hash'] as const
  const schema = new Schema(
    names.map((name, index) => new Field(name, types[index], false)),
    new Map([
      ['class', nodeClass],
      ['horizon_ms', String(model.horizonMs)],
      ['acting_point', String(model.actingPoint)],
      ['model_version', model.version],
      ['feature_hash', model.featureHash],
      ['provider', model.provider],
      ['role', role],
    ]),
  )
  const common = { length: 1, nullCount: 0 }
  const [utf8, time, small, real, wide] = types
  const children = [
    makeData({
      ...common,
      type: utf8,
      valueOffsets: Int32Array.of(0, 1),
      data: Uint8Array.of(0x6e),
    }),
    makeData({ ...common, type: time, data: BigInt64Array.of(1n) }),
    makeData({ ...common, type: small, data: Uint8Array.of(1) }),
    makeData({ ...common, type: real, data: Float32Array.of(1) }),
    makeData({ ...common, type: wide, data: BigUint64Array.of(1n) }),
  ]
  return oneRowStream(schema, children)
}
