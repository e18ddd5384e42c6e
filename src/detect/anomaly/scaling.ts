/** Metrics as distances from their mean in standard deviations, so that one scale fits all. */
import { rowOf, type Series } from './series.ts'

export interface Moments {
  readonly mean: Float64Array
  readonly deviation: Float64Array
}

/** Mean and deviation of each column over the values that are there; 0 and 0 without any. */
export function momentsOf(series: Series): Moments {
  const { sampleCount, metricCount } = series
  const count = new Float64Array(metricCount)
  const mean = new Float64Array(metricCount)
  const squares = new Float64Array(metricCount)
  for (let i = 0; i < sampleCount; i++) {
    const row = rowOf(series, i)
    for (let m = 0; m < metricCount; m++) {
      if (Number.isNaN(row[m])) continue
      // Welford's update: no difference of two large sums.
      const away = row[m] - mean[m]
      mean[m] += away / ++count[m]
      squares[m] += away * (row[m] - mean[m])
    }
  }
  return { mean, deviation: squares.map((sum, m) => Math.sqrt(sum / Math.max(1, count[m]))) }
}

/** A copy with no deviation under `least`: what never moved in training may move a little later. */
export function atLeast(deviation: Float64Array, least: number): Float64Array {
  return deviation.map((d) => Math.max(d, least))
}

/** Stands in for missing values: the last one there was, and the mean before the first. */
export class Scaler {
  readonly #moments: Moments
  readonly #scaled: Float64Array

  constructor(moments: Moments) {
    this.#moments = moments
    this.#scaled = new Float64Array(moments.mean.length)
  }

  /** Valid until the next call. */
  scale(row: Float64Array): Float64Array {
    const { mean, deviation } = this.#moments
    for (let m = 0; m < row.length; m++) {
      if (!Number.isNaN(row[m])) this.#scaled[m] = (row[m] - mean[m]) / deviation[m]
    }
    return this.#scaled
  }
}
