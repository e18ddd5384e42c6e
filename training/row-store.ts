/** Labelled rows, collected as they are folded. */
import { ServiceError } from '../src/core/errors.ts'
import type { Binner } from './binner.ts'
import type { BinnedRows } from './bins.ts'
import { PAGE_BYTES, PAGES_MAX, STATIC_BYTES } from './boost-kernels.ts'
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

export function pickFacts(facts: RowFacts, rows: Uint32Array): RowFacts {
  return {
    node: rows.map((row) => facts.node[row]),
    atMs: Float64Array.from(rows, (row) => facts.atMs[row]),
    labels: Uint8Array.from(rows, (row) => facts.labels[row]),
    failureAtMs: Float64Array.from(rows, (row) => facts.failureAtMs[row]),
    rules: facts.rules.map((column) => Float32Array.from(rows, (row) => column[row])),
  }
}

/** What is learned from and judged by; both in the order of folding. */
export interface LabelledRows {
  facts(): RowFacts
  rows(): BinnedRows
}

type Labelled = Pick<FoldedRow, 'node' | 'atMs' | 'label'>
type Features = Pick<FoldedRow, 'matrix' | 'from'>

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

  add({ node, atMs, label }: Labelled, rules: readonly number[]): void {
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

/** By how much a store of bins grows: a share of what it has, and at least this. */
const PAGES_STEP_MIN = 64
const PAGES_STEP_RATIO = 1 / 8

/**
 * The same with the rows' features as bins, for training. The bins fill a WASM memory, which grows
 * without being copied, and in which the trainer then works: millions of rows are held once.
 */
export class RowStore implements LabelledRows {
  readonly #binner: Binner
  readonly #facts: FactStore
  readonly #memory = new WebAssembly.Memory({ initial: STATIC_BYTES / PAGE_BYTES })
  #bins: Uint8Array
  #weights = new Float32Array(ROWS_AT_FIRST)

  constructor(binner: Binner, ruleCount: number) {
    this.#binner = binner
    this.#facts = new FactStore(ruleCount)
    this.#bins = this.#view()
  }

  /** ServiceError HISTORY_INVALID when 4 GiB are full. */
  add(row: Labelled & Features, weight: number, rules: readonly number[]): void {
    const at = this.#facts.count
    const { stride } = this.#binner
    if (at === this.#weights.length) this.#weights = doubled(this.#weights)
    if (this.#bins.length < (at + 1) * stride) this.#grow()
    this.#facts.add(row, rules)
    this.#weights[at] = weight
    this.#bins.set(this.#binner.bin(row.matrix, row.from), at * stride)
  }

  facts(): RowFacts {
    return this.#facts.facts()
  }

  /** Views on what was collected; invalid after the next `add`. */
  rows(): BinnedRows {
    const { count } = this.#facts
    const { stride, featureCount } = this.#binner
    const memory = this.#memory
    return {
      rowCount: count,
      featureCount,
      stride,
      get bins() {
        return new Uint8Array(memory.buffer, STATIC_BYTES, count * stride)
      },
      memory,
      labels: this.facts().labels,
      weights: this.#weights.subarray(0, count),
    }
  }

  /** Also when training has made the memory larger, which ends the life of the view before. */
  #grow(): void {
    const pageCount = this.#memory.buffer.byteLength / PAGE_BYTES
    const step = Math.max(PAGES_STEP_MIN, Math.floor(pageCount * PAGES_STEP_RATIO))
    if (pageCount + step > PAGES_MAX) {
      throw new ServiceError(
        'HISTORY_INVALID',
        'the rows of one slice need more than 4 GB: keep a smaller share of the negatives (`negatives` in the history manifest)',
      )
    }
    this.#memory.grow(step)
    this.#bins = this.#view()
  }

  #view(): Uint8Array {
    return new Uint8Array(this.#memory.buffer, STATIC_BYTES)
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
