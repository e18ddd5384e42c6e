/**
 * One metric of one node, as a held signal: between two samples it stands at the older one's value.
 *
 * Over dt at held value v, with d = mean - v and k = 2^(-dt/h): mean becomes v + d k, and the variance
 * k var + k (1 - k) d². Both are exact for the signal's exponentially weighted history. All is float32,
 * rounded after each operation in the kernel's order; times are exact.
 *
 * Of the kind `signal`, a share s of the mean lies before the first value, at first 1, then k s, and is no
 * history: the mean keeps (k - k s) / (1 - k s) of d instead of k, so that it is that of what was seen.
 */
import { halving } from './halving.ts'
import type { Metric, MetricKind } from '../core/node.ts'
import { metricDeviation } from './row-deviation.ts'

const HOUR_MS = 3_600_000
/** Beyond this a float32 could not hold the square. */
export const VALUE_MAX = 1e18
const MISSING_WEIGHT = 1 / 32
const MISSING_MIN = 2 ** -20
/** Smaller ones count as zero, so that no product of them is denormal: slow, and no information. */
const DISTANCE_MIN = 2 ** -40
const DECAY_MIN = 2 ** -40
/** For the same reason these are held at no less, which means zero. */
const CHANGES_MIN = 2 ** -40
const VARIANCE_MIN = 2 ** -84
/** Of a divisor: the share of a mean that is known is no less. */
const KNOWN_MIN = 2 ** -24

const f32 = Math.fround

/** Nearest float32 that is neither denormal nor infinite: what the tiles hold. */
export function f32Of(x: number): number {
  if (x > 3e38) return f32(3e38)
  if (x < -3e38) return f32(-3e38)
  if (x > -1e-30 && x < 1e-30) return 0
  return f32(x)
}

/** What is left after a length of time, k, and k (1 - k). */
interface Decay {
  readonly kept: number
  readonly spread: number
}

export class ReferenceMetric {
  value = Number.NaN
  missing = 0
  readonly #kind: MetricKind
  readonly #halfLivesMs: readonly number[]
  #raw = Number.NaN
  #at = -Infinity
  #changedAt = Number.NaN
  #means = [Number.NaN, Number.NaN, Number.NaN]
  #variances = [VARIANCE_MIN, VARIANCE_MIN, VARIANCE_MIN]
  /** Decayed counts; of a signal the shares of its means that lie before its first value. */
  #changes = [CHANGES_MIN, CHANGES_MIN, CHANGES_MIN]
  #maximum = Number.NaN

  constructor(kind: MetricKind, halfLivesMs: readonly number[]) {
    this.#kind = kind
    this.#halfLivesMs = halfLivesMs
  }

  foldMissing(present: boolean): void {
    const step = f32(f32((present ? 0 : 1) - this.missing) * MISSING_WEIGHT)
    this.missing = atLeast(MISSING_MIN, f32(this.missing + step))
  }

  /** False when the sample is not newer than the last. */
  fold(at: number, raw: number): boolean {
    if (at <= this.#at) return false
    const [lastAt, lastRaw, held] = [this.#at, this.#raw, this.value]
    const first = lastAt === -Infinity
    this.#at = at
    this.#raw = raw
    if (this.#kind === 'counter' && first) return true
    const isCounter = this.#kind === 'counter'
    const rate = (raw >= lastRaw ? raw - lastRaw : raw) / ((at - lastAt) / 1000)
    this.value = f32Of(isCounter ? Math.min(rate, VALUE_MAX) : raw)
    if (!(this.#maximum >= this.value)) this.#maximum = this.value
    const changed = isCounter ? raw !== lastRaw : this.value !== held
    if (!first) this.#count(at - lastAt, changed)
    this.#hold(held, at - lastAt)
    return true
  }

  /** Whether what came at `t`, its newest, is so many deviations from what was foreseen, or a new code. */
  leaves(t: number, metric: Metric, deviationsMin: number, widening: number): boolean {
    if (this.#at !== t) return false
    if (this.#kind === 'code') return this.#changedAt === t
    return metricDeviation(metric, this.features(t), widening) >= deviationsMin
  }

  features(t: number): readonly number[] {
    const held = this.#kind !== 'code'
    if (this.#at === -Infinity) return Array.from({ length: held ? 14 : 6 }, () => Number.NaN)
    const decays = this.#decays(t > this.#at ? t - this.#at : 0)
    return [
      this.value,
      ...(held ? this.#moments(decays) : []),
      ...(this.#kind === 'signal' ? this.#meansAt(decays) : this.#changesAt(decays)),
      f32Of((t - this.#changedAt) / HOUR_MS),
      f32Of((t - this.#at) / HOUR_MS),
      ...(held ? [this.#maximum] : []),
    ]
  }

  #changesAt(decays: readonly Decay[]): readonly number[] {
    return this.#changes.map((count, h) => f32(over(CHANGES_MIN, count) * decays[h].kept))
  }

  #meansAt(decays: readonly Decay[]): readonly number[] {
    return this.#residuals(decays).map((residual) => f32(this.value - residual))
  }

  #moments(decays: readonly Decay[]): readonly number[] {
    if (Number.isNaN(this.value)) return Array.from({ length: 7 }, () => Number.NaN)
    const distances = this.#means.map((mean) => distance(this.value, mean))
    const residuals = this.#residuals(decays)
    return [
      ...residuals,
      ...distances.map((d, h) =>
        f32(Math.sqrt(variance(over(VARIANCE_MIN, this.#variances[h]), d, decays[h]))),
      ),
      f32(residuals[2] - residuals[0]),
    ]
  }

  #residuals(decays: readonly Decay[]): readonly number[] {
    const counts = this.#changesAt(decays)
    return this.#means.map((mean, h) =>
      f32(distance(this.value, mean) * this.#meanKept(decays[h], counts[h])),
    )
  }

  #meanKept({ kept }: Decay, unknown: number): number {
    if (this.#kind !== 'signal') return kept
    return f32(Math.max(f32(kept - unknown), 0) / Math.max(f32(1 - unknown), KNOWN_MIN))
  }

  #count(dt: number, changed: boolean): void {
    const decays = this.#decays(dt)
    this.#changes = this.#changes.map((count, h) =>
      Math.max(
        CHANGES_MIN,
        f32(f32(count * decays[h].kept) + (changed && this.#kind !== 'signal' ? 1 : 0)),
      ),
    )
    if (changed) this.#changedAt = this.#at
  }

  #hold(held: number, dt: number): void {
    if (this.#kind === 'code') return
    if (Number.isNaN(held)) {
      this.#means = [this.value, this.value, this.value]
      if (this.#kind === 'signal') this.#changes = [1, 1, 1]
      return
    }
    const decays = this.#decays(dt)
    const distances = this.#means.map((mean) => distance(mean, held))
    this.#variances = distances.map((d, h) =>
      Math.max(VARIANCE_MIN, variance(this.#variances[h], d, decays[h])),
    )
    this.#means = distances.map((d, h) =>
      f32(held + f32(d * this.#meanKept(decays[h], this.#changes[h]))),
    )
  }

  #decays(dt: number): readonly Decay[] {
    return this.#halfLivesMs.map((halfLife) => {
      const k = atLeast(DECAY_MIN, halving(dt / halfLife))
      return { kept: f32(k), spread: f32(k * (1 - k)) }
    })
  }
}

function distance(from: number, to: number): number {
  const d = f32(from - to)
  return Math.abs(d) >= DISTANCE_MIN ? d : 0
}

function variance(before: number, d: number, { kept, spread }: Decay): number {
  return f32(f32(kept * before) + f32(spread * f32(d * d)))
}

/** Nought unless it is more than `least`. */
function over(least: number, x: number): number {
  return x > least ? x : 0
}

/** Nought when it is less than `min`. */
function atLeast(min: number, x: number): number {
  return x >= min ? x : 0
}
