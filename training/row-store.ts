/** Binned, labelled rows of one slice, collected as they are folded. Memory doubles as it fills. */
import { binOf, strideOf, type BinnedRows, type Bounds } from './bins.ts'
import type { FoldedRow } from './fold.ts'

const ROWS_AT_FIRST = 4_096

export class RowStore {
  readonly #bounds: Bounds
  readonly #stride: number
  #count = 0
  #bins: Uint8Array
  #labels = new Uint8Array(ROWS_AT_FIRST)
  #weights = new Float32Array(ROWS_AT_FIRST)
  #nodes = new Uint32Array(ROWS_AT_FIRST)
  #atMs = new Float64Array(ROWS_AT_FIRST)
  #failureAtMs = new Float64Array(ROWS_AT_FIRST)
  /** Scores of the baseline rules, one column per rule. */
  readonly #rules: Float32Array[]

  constructor(bounds: Bounds, ruleCount: number) {
    this.#bounds = bounds
    this.#stride = strideOf(bounds.length)
    this.#bins = new Uint8Array(ROWS_AT_FIRST * this.#stride)
    this.#rules = Array.from({ length: ruleCount }, () => new Float32Array(ROWS_AT_FIRST))
  }

  get count(): number {
    return this.#count
  }

  add(
    { node, atMs, label, matrix, from }: FoldedRow,
    weight: number,
    rules: readonly number[],
  ): void {
    if (this.#count === this.#labels.length) this.#grow()
    const row = this.#count++
    const to = row * this.#stride
    for (let f = 0; f < this.#bounds.length; f++) {
      this.#bins[to + f] = binOf(this.#bounds[f]!, matrix[from + f]!)
    }
    this.#labels[row] = label.kind === 'positive' ? 1 : 0
    this.#weights[row] = weight
    this.#nodes[row] = node
    this.#atMs[row] = atMs
    this.#failureAtMs[row] = label.kind === 'positive' ? label.failureAtMs : NaN
    for (const [i, score] of rules.entries()) this.#rules[i]![row] = score
  }

  /** Views on what was collected; invalid after the next `add`. */
  rows(): BinnedRows {
    return {
      rowCount: this.#count,
      featureCount: this.#bounds.length,
      stride: this.#stride,
      bins: this.#bins.subarray(0, this.#count * this.#stride),
      labels: this.#labels.subarray(0, this.#count),
      weights: this.#weights.subarray(0, this.#count),
    }
  }

  facts(): RowFacts {
    return {
      node: this.#nodes.subarray(0, this.#count),
      atMs: this.#atMs.subarray(0, this.#count),
      labels: this.#labels.subarray(0, this.#count),
      failureAtMs: this.#failureAtMs.subarray(0, this.#count),
      rules: this.#rules.map((column) => column.subarray(0, this.#count)),
    }
  }

  #grow(): void {
    this.#bins = doubled(this.#bins)
    this.#labels = doubled(this.#labels)
    this.#weights = doubled(this.#weights)
    this.#nodes = doubled(this.#nodes)
    this.#atMs = doubled(this.#atMs)
    this.#failureAtMs = doubled(this.#failureAtMs)
    for (const [i, column] of this.#rules.entries()) this.#rules[i] = doubled(column)
  }
}

/** What judging needs of each row, in the order of folding. */
export interface RowFacts {
  readonly node: Uint32Array
  readonly atMs: Float64Array
  readonly labels: Uint8Array
  readonly failureAtMs: Float64Array
  readonly rules: readonly Float32Array[]
}

type Column = Uint8Array | Uint32Array | Float32Array | Float64Array

function doubled<C extends Column>(column: C): C {
  const Kind = column.constructor as new (length: number) => C
  const wider = new Kind(column.length * 2)
  wider.set(column)
  return wider
}
