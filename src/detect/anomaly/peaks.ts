/**
 * Peaks over a threshold: how often runs of a statistic rise how high, by extreme-value theory. The
 * excesses of independent runs over a high level follow a generalised Pareto distribution (Pickands
 * 1975); its parameters come from probability-weighted moments (Hosking and Wallis 1987), which hold
 * for the few dozen peaks that a node has. Runs, not samples, are what an operator is told of.
 */

/** Excesses are counted over this quantile of the statistic. */
const LEVEL_QUANTILE = 0.95
/** With fewer peaks nothing is extrapolated. */
const PEAKS_MIN = 5
const SHAPE_MAX = 0.5

export interface RunRule {
  /** Samples between two runs that are told as one. */
  readonly gapMax: number
  readonly samplesPerDay: number
}

export interface Height {
  /** Excesses are counted over it. */
  readonly level: number
  readonly height: number
}

/** The height that runs of the statistic reach `runsPerDay` times a day. Values in time order. */
export function heightFor(statistic: Float64Array, runsPerDay: number, rule: RunRule): Height {
  const level = quantile(statistic, LEVEL_QUANTILE)
  const peaks = peaksOver(statistic, level, rule.gapMax)
  const peaksPerDay = (peaks.length * rule.samplesPerDay) / statistic.length
  if (peaks.length < PEAKS_MIN || peaksPerDay <= runsPerDay) return { level, height: level }
  const { shape, scale } = paretoOf(peaks.map((peak) => peak - level))
  const rarity = peaksPerDay / runsPerDay
  const isExponential = Math.abs(shape) < 1e-3
  const excess = scale * (isExponential ? Math.log(rarity) : (rarity ** shape - 1) / shape)
  return { level, height: level + excess }
}

/** The highest value of each run at or over the level. */
export function peaksOver(
  statistic: Float64Array,
  level: number,
  gapMax: number,
): readonly number[] {
  const peaks: number[] = []
  let lastOver = -Infinity
  for (let i = 0; i < statistic.length; i++) {
    if (statistic[i] < level) continue
    if (i - lastOver > gapMax + 1) peaks.push(statistic[i])
    else peaks[peaks.length - 1] = Math.max(peaks[peaks.length - 1], statistic[i])
    lastOver = i
  }
  return peaks
}

export interface Pareto {
  /** Over 0: heavy tail; under 0: there is a highest value. */
  readonly shape: number
  readonly scale: number
}

/** Of excesses over the level, of which there are at least two. */
export function paretoOf(excesses: readonly number[]): Pareto {
  const rising = excesses.toSorted((a, b) => a - b)
  const count = rising.length
  let [mean, weighted] = [0, 0]
  for (const [i, excess] of rising.entries()) {
    mean += excess / count
    weighted += (excess * (count - 1 - i)) / (count * (count - 1))
  }
  const spread = mean - 2 * weighted
  if (spread <= 0) return { shape: 0, scale: mean }
  const shape = 2 - mean / spread
  return {
    shape: Math.min(SHAPE_MAX, Math.max(-SHAPE_MAX, shape)),
    scale: (2 * mean * weighted) / spread,
  }
}

/** Linear between the two nearest values, as numpy does. */
export function quantile(values: Float64Array, ratio: number): number {
  const rising = values.toSorted()
  const at = ratio * (rising.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, rising.length - 1)
  return rising[below] + (at - below) * (rising[above] - rising[below])
}
