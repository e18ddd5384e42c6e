/**
 * How far a feature row is from what its node's longest mean foresaw: the largest residual over its
 * deviation, and the metric that has it. The readable reference of wasm/assembly/row-deviation.ts, in its
 * float32 arithmetic; test/wasm holds the two equal.
 */
import type { Metric, NodeClass } from '../core/node.ts'
import { featureNames } from './features.ts'

export interface RowDeviation {
  /** In deviations; 0 where nothing is known. */
  readonly deviation: number
  /** Index among the metrics of the class. */
  readonly metric: number
}

/** Of the range of a metric with bounds: its deviation is thought no smaller. */
const LEAST_OF_RANGE = 0.01
const LEAST_RATIO = 0.01
const LEAST_OF_ALL = 1e-6

export function leastDeviation({ min, max }: Metric): number {
  return min === null || max === null ? 0 : LEAST_OF_RANGE * (max - min)
}

export function rowDeviation(nodeClass: NodeClass, row: Float32Array): RowDeviation {
  const names = featureNames(nodeClass)
  let most: RowDeviation = { deviation: 0, metric: 0 }
  for (const [metric, described] of nodeClass.metrics.entries()) {
    if (described.kind === 'code') continue
    const at = names.indexOf(`${described.name}.value`)
    const deviation = metricDeviation(described, row.subarray(at))
    if (deviation > most.deviation) most = { deviation, metric }
  }
  return most
}

/**
 * Of one metric that is no code; `features` begins with its own, and its deviation counts `widening` times.
 * NaN where its value is missing.
 */
export function metricDeviation(metric: Metric, features: ArrayLike<number>, widening = 1): number {
  const [value, residual, known] = [features[0], features[3], features[6]]
  const foreseen = Math.fround(value - residual)
  const least = Math.max(
    Math.fround(LEAST_OF_ALL),
    Math.fround(Math.abs(foreseen) * Math.fround(LEAST_RATIO)),
  )
  const wide = Math.fround(known * widening)
  const width = Math.max(wide, Math.fround(leastDeviation(metric)), least)
  return Math.fround(Math.abs(residual) / width)
}
