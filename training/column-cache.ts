/**
 * Copies of single features, a byte a row. A split reads one byte of each of a leaf's rows: from the
 * rows themselves that is a cache line each, from a column a fraction of one. Where not every feature
 * has room, those that trees split on most have it. What is grown does not depend on it.
 */
import type { BinnedRows } from './bins.ts'
import type { BoostMemory } from './boost-memory.ts'

/** Rows split on a feature, over all rows, until a copy pays. */
const CREDIT_FOR_COPY = 1
/** Per tree, so that features which trees have turned from make room. */
const CREDIT_KEPT = 0.9

/** Where the bin of row r lies: `at` + r × `stride`. */
interface BinPlace {
  readonly at: number
  readonly stride: number
}

export class ColumnCache {
  readonly #memory: BoostMemory
  readonly #rows: BinnedRows
  /** How much each feature has been split on lately. */
  readonly #credit: Float64Array
  /** Feature of each column, -1 when it is free. */
  readonly #features: Int32Array

  constructor(memory: BoostMemory, rows: BinnedRows) {
    this.#memory = memory
    this.#rows = rows
    this.#credit = new Float64Array(rows.featureCount)
    this.#features = new Int32Array(memory.layout.columnCount).fill(-1)
  }

  /** For a split of `rowCount` rows. */
  place(feature: number, rowCount: number): BinPlace {
    this.#credit[feature] += rowCount / this.#rows.rowCount
    let column = this.#features.indexOf(feature)
    if (column < 0) column = this.#copy(feature)
    if (column >= 0) return { at: this.#address(column), stride: 1 }
    return { at: this.#memory.bins + feature, stride: this.#rows.stride }
  }

  endTree(): void {
    for (let f = 0; f < this.#credit.length; f++) this.#credit[f] *= CREDIT_KEPT
  }

  #address(column: number): number {
    return this.#memory.layout.columns + column * this.#rows.rowCount
  }

  /** The column it got; -1 when it stays where it is. */
  #copy(feature: number): number {
    if (this.#features.length === 0 || this.#credit[feature] < CREDIT_FOR_COPY) return -1
    let column = this.#features.indexOf(-1)
    if (column < 0) column = this.#leastUsed()
    const held = this.#features[column]
    if (held >= 0 && this.#credit[held] >= this.#credit[feature]) return -1
    this.#features[column] = feature
    const { kernels, bins } = this.#memory
    const { stride, rowCount } = this.#rows
    kernels.gbdtColumn(bins, stride, feature, rowCount, this.#address(column))
    return column
  }

  #leastUsed(): number {
    let least = 0
    for (const [column, feature] of this.#features.entries()) {
      if (this.#credit[feature] < this.#credit[this.#features[least]]) least = column
    }
    return least
  }
}
