/** Distance of a row from the usual, in which metrics that move together count once. */
import { momentsOf } from './scaling.ts'
import { rowOf, type Series } from './series.ts'

/** Added to each variance, so that metrics that never moved alone have a say, and only a small one. */
const RIDGE = 1e-3

export class Mahalanobis {
  readonly #mean: Float64Array
  /** Lower triangle of Cholesky's factor of the covariance, row by row. */
  readonly #factor: Float64Array
  readonly #solved: Float64Array

  /** Learns mean and covariance; no value may be NaN. */
  constructor(series: Series) {
    this.#mean = momentsOf(series).mean
    this.#factor = cholesky(covarianceOf(series, this.#mean), series.metricCount)
    this.#solved = new Float64Array(series.metricCount)
  }

  /** sqrt(d' C^-1 d), by forward substitution: |L^-1 d| where C = L L'. */
  distance(row: Float64Array): number {
    const width = row.length
    let square = 0
    for (let i = 0; i < width; i++) {
      let rest = row[i] - this.#mean[i]
      for (let j = 0; j < i; j++) rest -= this.#factor[i * width + j] * this.#solved[j]
      this.#solved[i] = rest / this.#factor[i * width + i]
      square += this.#solved[i] ** 2
    }
    return Math.sqrt(square)
  }
}

/** width x width, symmetric. */
export function covarianceOf(series: Series, mean: Float64Array): Float64Array {
  const { sampleCount, metricCount: width } = series
  const sums = new Float64Array(width * width)
  const away = new Float64Array(width)
  for (let s = 0; s < sampleCount; s++) {
    const row = rowOf(series, s)
    for (let i = 0; i < width; i++) {
      away[i] = row[i] - mean[i]
      for (let j = 0; j <= i; j++) sums[i * width + j] += away[i] * away[j]
    }
  }
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      sums[i * width + j] /= Math.max(1, sampleCount - 1)
      sums[j * width + i] = sums[i * width + j]
    }
  }
  return sums
}

function cholesky(covariance: Float64Array, width: number): Float64Array {
  const factor = new Float64Array(width * width)
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = covariance[i * width + j] + (i === j ? RIDGE : 0)
      for (let k = 0; k < j; k++) rest -= factor[i * width + k] * factor[j * width + k]
      // Rounding may take a little more than the ridge gave.
      factor[i * width + j] =
        i === j ? Math.sqrt(Math.max(rest, RIDGE / 2)) : rest / factor[j * width + j]
    }
  }
  return factor
}
