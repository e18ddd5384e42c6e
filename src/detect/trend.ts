/** A robust trend: Theil and Sen's slope with an interval, where Kendall's tau says that it is steady. */

/** Points of a series: 276 slopes are sorted at most. */
export const POINTS_MAX = 24
/** Standard deviations of Kendall's S without a trend: passed by chance once in 300,000 looks. */
const SIGNIFICANCE = 4.5
/** Of the interval: nine of ten hold the true slope. */
const INTERVAL_DEVIATIONS = 1.645

/** Slopes are units of value in one ms. */
export interface Trend {
  readonly slope: number
  readonly low: number
  readonly high: number
  /** Kendall's rank correlation of value and time, -1..1. */
  readonly tau: number
}

/** Of pairs time, value in the order of time; null where the series does not rise that steadily. */
export function steadyTrend(points: Float64Array, tauMin: number): Trend | null {
  const size = points.length / 2
  // Cheap, and true of nearly every series: it does not rise at all.
  if (size < 2 || points[points.length - 1] <= points[1]) return null
  const pairs = (size * (size - 1)) / 2
  const score = kendallScore(points)
  const deviation = Math.sqrt((size * (size - 1) * (2 * size + 5)) / 18)
  const tau = score / pairs
  if (tau < tauMin || score < SIGNIFICANCE * deviation) return null
  const slopes = new Float64Array(pairs)
  let at = 0
  for (let i = 0; i < size; i++) {
    for (let j = i + 1; j < size; j++) {
      slopes[at++] = (points[2 * j + 1] - points[2 * i + 1]) / (points[2 * j] - points[2 * i])
    }
  }
  slopes.sort()
  const slope = quantile(slopes, 0.5)
  if (slope <= 0) return null
  // Sen's interval: as many slopes from the middle as S deviates by chance.
  const half = (INTERVAL_DEVIATIONS * deviation) / (2 * pairs)
  const [low, high] = [quantile(slopes, 0.5 - half), quantile(slopes, 0.5 + half)]
  return { slope, low, high, tau }
}

/** Pairs that rise less those that fall. */
function kendallScore(points: Float64Array): number {
  const size = points.length / 2
  let score = 0
  for (let i = 0; i < size; i++) {
    for (let j = i + 1; j < size; j++) score += Math.sign(points[2 * j + 1] - points[2 * i + 1])
  }
  return score
}

function quantile(sorted: Float64Array, share: number): number {
  const at = Math.min(1, Math.max(0, share)) * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (at - below) * (sorted[above] - sorted[below])
}
