// How far each row of the buffer is from what its node's longest mean foresaw: the largest residual over
// its deviation, and the metric that has it. Codes have neither. Reference: src/state/row-deviation.ts.
import { featureCount, matrix, metricCount, rowDeviationsAt } from './layout'
import { CODE, FEATURES_AT, METRIC_KIND } from './metrics'
import { rowCount } from './features'

/** Where they lie among a metric's features (src/state/features.ts). */
const VALUE: usize = 0
const LONG_RESIDUAL: usize = 12
const LONG_DEVIATION: usize = 24

/** f32 per metric: its deviation is thought no smaller. */
export const LEAST_DEVIATIONS: usize = memory.data(64 * 4, 16)
/** The same as a share of what was foreseen, for metrics without bounds. */
export const LEAST_RATIO: f32 = 0.01
/** Of a metric that was always nought. */
export const LEAST_OF_ALL: f32 = 1e-6

export function configureDeviation(metric: u32, least: f32): void {
  store<f32>(LEAST_DEVIATIONS + metric * 4, least)
}

/** Writes per row f32 deviation and u32 metric; 0 and 0 where nothing is known. */
export function rowDeviations(): void {
  for (let row: u32 = 0; row < rowCount; row++) {
    const from = matrix + <usize>row * featureCount * 4
    let most: f32 = 0
    let metricOfMost: u32 = 0
    for (let metric: u32 = 0; metric < metricCount; metric++) {
      if (load<u32>(METRIC_KIND + metric * 4) == CODE) continue
      const deviation = deviationAt(from + load<u32>(FEATURES_AT + metric * 4), metric)
      // A missing value compares as false.
      if (!(deviation > most)) continue
      most = deviation
      metricOfMost = metric
    }
    store<f32>(rowDeviationsAt + row * 8, most)
    store<u32>(rowDeviationsAt + row * 8, metricOfMost, 4)
  }
}

function deviationAt(features: usize, metric: u32): f32 {
  const residual = load<f32>(features, LONG_RESIDUAL)
  const foreseen = load<f32>(features, VALUE) - residual
  const known = max<f32>(
    load<f32>(features, LONG_DEVIATION),
    load<f32>(LEAST_DEVIATIONS + metric * 4),
  )
  const least = max<f32>(LEAST_OF_ALL, abs<f32>(foreseen) * LEAST_RATIO)
  return abs<f32>(residual) / max<f32>(known, least)
}
