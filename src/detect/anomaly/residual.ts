/**
 * What a sample does that the exponentially weighted mean of the samples before it did not foresee. It
 * forgets slow drift by itself. The node table holds the same residuals at its half-lives.
 */
export class Residual {
  readonly #kept: number
  readonly #mean: Float64Array
  readonly #residual: Float64Array
  #started = false

  /** The half-life is in samples. */
  constructor(halfLife: number, metricCount: number) {
    this.#kept = 2 ** (-1 / halfLife)
    this.#mean = new Float64Array(metricCount)
    this.#residual = new Float64Array(metricCount)
  }

  /** Of a first sample all residuals are 0. Valid until the next call. */
  push(row: Float64Array): Float64Array {
    if (!this.#started) this.#mean.set(row)
    this.#started = true
    for (let m = 0; m < row.length; m++) {
      this.#residual[m] = row[m] - this.#mean[m]
      this.#mean[m] += (1 - this.#kept) * this.#residual[m]
    }
    return this.#residual
  }
}
