/** Samples of one node at equal distances, row by row. */
export interface Series {
  readonly sampleCount: number
  readonly metricCount: number
  /** sampleCount x metricCount; a missing value is NaN. */
  readonly values: Float64Array
}

/** A view, not a copy. */
export function rowOf({ values, metricCount }: Series, sample: number): Float64Array {
  return values.subarray(sample * metricCount, (sample + 1) * metricCount)
}

/** Samples `from` to before `to`; a view, not a copy. */
export function partOf({ values, metricCount }: Series, from: number, to: number): Series {
  return {
    sampleCount: to - from,
    metricCount,
    values: values.subarray(from * metricCount, to * metricCount),
  }
}

export function emptySeries(sampleCount: number, metricCount: number): Series {
  return { sampleCount, metricCount, values: new Float64Array(sampleCount * metricCount) }
}
