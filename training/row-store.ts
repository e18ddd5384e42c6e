/** Labelled rows, collected as they are folded. Memory doubles as it fills. */
import type { Binner } from './binner.ts'
import type { BinnedRows } from './bins.ts'
import type { FoldedRow } from './fold.ts'

const ROWS_AT_FIRST = 4_096

/** What judging needs of each row, in the order of folding. */
export interface RowFacts {
  readonly node: Uint32Array
  readonly atMs: Float64Array
  readonly labels: Uint8Array
  /** When the failure happens that makes the row positive; NaN for a negative row. */
  readonly failureAtMs: Float64Array
  /** Scores of the baseline rules, one column per rule. */
  readonly rules: readonly Float32Array[]
}

export class FactStore {
  #count = 0
  #nodes = new Uint32Array(ROWS_AT_FIRST)
  #atMs = new Float64Array(ROWS_AT_FIRST)
  #labels = new Uint8Array(ROWS_AT_FIRST)
  #failureAtMs = new Float64Array(ROWS_AT_FIRST)
  readonly #rules: Float32Array[]

  constructor(ruleCount: number) {
    this.#rules = Array.from({ length: ruleCount }, () => new Float32Array(ROWS_AT_FIRST))
  }

  get count(): number {
    return this.#count
  }

  add({ node, atMs, label }: FoldedRow, rules: readonly number[]): void {
    if (this.#count === this.#labels.length) this.#grow()
    const row = this.#count++
    this.#nodes[row] = node
    this.#atMs[row] = atMs
    this.#labels[row] = label.kind === 'positive' ? 1 : 0
    this.#failureAtMs[row] = label.kind === 'positive' ? label.failureAtMs : NaN
    for (const [i, score] of rules.entries()) this.#rules[i][row] = score
  }

  /** Views on what was collected; invalid after the next `add`. */
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
    this.#nodes = doubled(this.#nodes)
    this.#atMs = doubled(this.#atMs)
    this.#labels = doubled(this.#labels)
    this.#failureAtMs = doubled(this.#failureAtMs)
    for (const [i, column] of this.#rules.entries()) this.#rules[i] = doubled(column)
  }
}

/** The same with the rows' features as bins, for training. */
export class RowStore {
  readonly #binner: Binner
  readonly #facts: FactStore
  #bins: Uint8Array
  #weights = new Float32Array(ROWS_AT_FIRST)

  constructor(binner: Binner, ruleCount: number) {
    this.#binner = binner
    this.#facts = new FactStore(ruleCount)
    this.#bins = new Uint8Array(ROWS_AT_FIRST * binner.stride)
  }

  add(row: FoldedRow, weight: number, rules: readonly number[]): void {
    const at = this.#facts.count
    if (at === this.#weights.length) {
      this.#weights = doubled(this.#weights)
      this.#bins = doubled(this.#bins)
    }
    this.#facts.add(row, rules)
    this.#weights[at] = weight
    this.#bins.set(this.#binner.bin(row.matrix, row.from), at * this.#binner.stride)
  }

  facts(): RowFacts {
    return this.#facts.facts()
  }

  /** Views on what was collected; invalid after the next `add`. */
  rows(): BinnedRows {
    const { count } = this.#facts
    const { stride, featureCount } = this.#binner
    return {
      rowCount: count,
      featureCount,
      stride,
      bins: this.#bins.subarray(0, count * stride),
      labels: this.facts().labels,
      weights: this.#weights.subarray(0, count),
    }
  }
}

type Column = Uint8Array | Uint32Array | Float32Array | Float64Array

/** Twice as long, zero behind. */
export function doubled<C extends Column>(column: C): C {
  const Kind = column.constructor as new (length: number) => C
  const wider = new Kind(column.length * 2)
  wider.set(column)
  return wider
}
