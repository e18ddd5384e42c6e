/**
 * A series ahead: a robust trend, a day or a week that repeats where enough of them were seen, and an
 * interval from how far the rest has strayed and how long it strays. Nine intervals of ten are meant to
 * hold what comes; a world that changes its ways is no part of that.
 */
import { DAY_MS } from '../../core/time.ts'

/** Standard deviations on either side that hold 90 % of a normal distribution. */
const DEVIATIONS = 1.645
/** Slopes of a series without a season are taken between so many means. */
const MEANS_MAX = 120
/** A season is believed when it was seen so often. */
const CYCLES_MIN = 3
/** Share of the squares that a season may leave and still be one. */
const SEASON_ERROR_MAX = 0.9
const SEASONS = [
  ['weekly', 7 * DAY_MS],
  ['daily', DAY_MS],
] as const
/** With fewer values there is no trend to speak of. */
export const VALUES_MIN = 12
/** Of the correlation of one value with the next: at 1 the past would tell nothing of the level. */
const CORRELATION_MAX = 0.9999
/**
 * Values that forget less than this over the whole series cannot be told from a walk, and are taken for one.
 * Source: D. A. Dickey and W. A. Fuller, 1979: the 5 % point of n (1 - r) beside a trend.
 */
const FORGOTTEN_MIN = 20.7
/** A slope by medians varies so much more than one by least squares where noise is normal. */
const MEDIAN_VARIANCE = Math.PI / 3

export interface Ahead {
  readonly value: number
  readonly low: number
  readonly high: number
}

export interface SeriesForecast {
  readonly season: 'weekly' | 'daily' | 'none'
  /** Units a day. */
  readonly perDay: Ahead
  /** After the newest value. */
  at(aheadMs: number): Ahead
}

/** How what is left beside trend and season moves from one value to the next. */
interface Stray {
  readonly last: number
  readonly correlation: number
  readonly stepVariance: number
  /** Of one value. */
  readonly variance: number
}

/** @param values one each `stepMs`, oldest first. Null where there are too few of them. */
export function forecastSeries(values: Float64Array, stepMs: number): SeriesForecast | null {
  const count = values.length
  if (count < VALUES_MIN) return null
  const { season, period } = seasonOf(values, stepMs)
  const slope = period > 1 ? seasonalSlope(values, period) : plainSlope(values)
  const flat = values.map((value, i) => value - slope * (i - (count - 1)))
  const levels = Float64Array.from({ length: period }, (_, phase) => {
    return median(phaseOf(flat, phase, period))
  })
  const stray = strayOf(flat.map((value, i) => value - levels[i % period]))
  const slopeVariance = slopeVarianceOf(stray, count)
  const perDay = DAY_MS / stepMs
  const away = widened(count) * Math.sqrt(slopeVariance)
  return {
    season,
    perDay: { value: slope * perDay, low: (slope - away) * perDay, high: (slope + away) * perDay },
    at(aheadMs) {
      const steps = aheadMs / stepMs
      const phase = Math.round(count - 1 + steps) % period
      const kept = stray.correlation ** steps
      const value = levels[phase] + slope * steps + kept * stray.last
      const cycles = count / period
      const variance =
        stray.stepVariance * sumOfSquares(stray.correlation, steps) +
        slopeVariance * (steps + ((1 - kept) * count) / 2) ** 2 +
        (1 - kept) ** 2 * levelVarianceOf(stray, count) +
        (period > 1 ? ((Math.PI / 2) * stray.variance) / cycles : 0)
      const half = widened(count) * Math.sqrt(variance)
      return { value, low: value - half, high: value + half }
    },
  }
}

interface Season {
  readonly season: SeriesForecast['season']
  /** Values. */
  readonly period: number
}

/**
 * The season that foretells changes best, each from the same phase of the other cycles. Changes, because a
 * walk looks like any season; and a season that foretells little is left to the noise.
 */
function seasonOf(values: Float64Array, stepMs: number): Season {
  const changes = values.subarray(1).map((value, i) => value - values[i])
  let best: Season = { season: 'none', period: 1 }
  let least = SEASON_ERROR_MAX * changes.reduce((sum, change) => sum + change * change, 0)
  for (const [season, lengthMs] of SEASONS) {
    const period = lengthMs / stepMs
    const isSeen = Number.isInteger(period) && values.length >= CYCLES_MIN * period
    const error = isSeen && period > 1 ? foretoldError(changes, period) : Infinity
    if (error >= least) continue
    best = { season, period }
    least = error
  }
  return best
}

/** Squares of what the median of the other cycles leaves. */
function foretoldError(changes: Float64Array, period: number): number {
  let error = 0
  for (let phase = 0; phase < period; phase++) {
    const same = phaseOf(changes, phase, period)
    for (const [cycle, change] of same.entries()) {
      error += (change - median(same.filter((_, other) => other !== cycle))) ** 2
    }
  }
  return error
}

/**
 * Median of the slopes between values of the same phase.
 * Source: R. M. Hirsch, J. R. Slack and R. A. Smith, Techniques of trend analysis for monthly water
 * quality data, 1982.
 */
function seasonalSlope(values: Float64Array, period: number): number {
  const slopes: number[] = []
  for (let from = 0; from < values.length; from++) {
    for (let to = from + period; to < values.length; to += period) {
      slopes.push((values[to] - values[from]) / (to - from))
    }
  }
  return median(Float64Array.from(slopes))
}

/** Theil and Sen's, of means, so that a long series costs no more than a short one. */
function plainSlope(values: Float64Array): number {
  const width = Math.ceil(values.length / MEANS_MAX)
  const size = Math.floor(values.length / width)
  const means = Float64Array.from({ length: size }, (_, i) => {
    return mean(values.subarray(values.length - (size - i) * width).subarray(0, width))
  })
  const slopes: number[] = []
  for (let from = 0; from < size; from++) {
    for (let to = from + 1; to < size; to++) {
      slopes.push((means[to] - means[from]) / ((to - from) * width))
    }
  }
  return median(Float64Array.from(slopes))
}

/** As an autoregression of one step; what a fit hides of the correlation is added again. */
function strayOf(rest: Float64Array): Stray {
  const count = rest.length
  let [square, product] = [0, 0]
  for (let i = 1; i < count; i++) {
    square += rest[i - 1] * rest[i - 1]
    product += rest[i] * rest[i - 1]
  }
  const found = square === 0 ? 0 : product / square
  // Source: F. H. C. Marriott and J. A. Pope, Bias in the estimation of autocorrelations, 1954.
  const mended = Math.min(CORRELATION_MAX, Math.max(0, found + (2 + 4 * found) / count))
  const correlation = count * (1 - found) < FORGOTTEN_MIN ? CORRELATION_MAX : mended
  let errors = 0
  for (let i = 1; i < count; i++) errors += (rest[i] - correlation * rest[i - 1]) ** 2
  const stepVariance = errors / (count - 1)
  const variance = rest.reduce((sum, value) => sum + value * value, 0) / count
  return { last: rest[count - 1], correlation, stepVariance, variance }
}

/** Between that of independent values and that of a walk, which is the largest. */
function slopeVarianceOf({ correlation, stepVariance }: Stray, count: number): number {
  const independent = (12 * stepVariance) / ((1 - correlation) ** 2 * count ** 3)
  return MEDIAN_VARIANCE * Math.min(independent, (1.2 * stepVariance) / count)
}

function levelVarianceOf({ correlation, stepVariance, variance }: Stray, count: number): number {
  return Math.min(variance, stepVariance / ((1 - correlation) ** 2 * count))
}

/** 1 + r² + r⁴ + …, one term a step. */
function sumOfSquares(correlation: number, steps: number): number {
  const square = correlation * correlation
  return (1 - square ** steps) / (1 - square)
}

/** For what few values say of their own spread. Source: R. A. Fisher's expansion of Student's t. */
function widened(count: number): number {
  return DEVIATIONS * (1 + (DEVIATIONS ** 2 + 1) / (4 * Math.max(1, count - 3)))
}

/** The values that lie one period apart. */
function phaseOf(values: Float64Array, phase: number, period: number): Float64Array {
  const size = Math.ceil((values.length - phase) / period)
  return Float64Array.from({ length: size }, (_, cycle) => values[phase + cycle * period])
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function median(values: Float64Array): number {
  const sorted = values.toSorted()
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2
}
