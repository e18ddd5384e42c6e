/** A made node for anomaly detectors: metrics that follow one daily load, with noise of their own. */
import { emptySeries, rowOf, type Series } from '../../src/detect/anomaly/series.ts'
import { randomFrom } from '../../training/boost.ts'

export interface MadeSeries {
  readonly sampleCount: number
  readonly metricCount: number
  readonly seed: number
  readonly samplesPerDay: number
}

/** Metric m is 0.5 ± 0.1 sin(load) and noise of 0.02 that is nearly normal. */
export function makeSeries({ sampleCount, metricCount, seed, samplesPerDay }: MadeSeries): Series {
  const random = randomFrom(seed)
  const series = emptySeries(sampleCount, metricCount)
  for (let i = 0; i < sampleCount; i++) {
    const row = rowOf(series, i)
    const load = Math.sin((2 * Math.PI * i) / samplesPerDay)
    for (let m = 0; m < metricCount; m++) {
      const noise = random() + random() + random() + random() - 2
      row[m] = 0.5 + (m % 2 === 0 ? 0.1 : -0.1) * load + 0.02 * noise * 1.73
    }
  }
  return series
}
