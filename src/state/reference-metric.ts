/**
 * One metric of one node, as a held signal: between two samples it stands at the older one's value.
 *
 * Over dt at held value v, with d = mean - v and k = 2^(-dt/h): mean becomes v + d k, and the variance
 * k var + k (1 - k) d². Both are exact for the signal's exponentially weighted history.
 */
import { halving } from './halving.ts'
import type { MetricKind } from '../core/node.ts'

const HOUR_MS = 3_600_000
const VALUE_MAX = 1e18
const MISSING_WEIGHT = 1 / 32

/** Nearest float32 that is neither denormal nor infinite: what the tiles hold. */
export function f32Of(x: number): number {
  if (x > 3e38) return Math.fround(3e38)
  if (x < -3e38) return Math.fround(-3e38)
  if (x > -1e-30 && x < 1e-30) return 0
  return Math.fround(x)
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
  #variances = [0, 0, 0]
  #changes = [0, 0, 0]
  #maximum = Number.NaN

  constructor(kind: MetricKind, halfLivesMs: readonly number[]) {
    this.#kind = kind
    this.#halfLivesMs = halfLivesMs
  }

  foldMissing(present: boolean): void {
    this.missing = f32Of(this.missing + ((present ? 0 : 1) - this.missing) * MISSING_WEIGHT)
  }

  /** False when the sample is not newer than the last. */
  fold(at: number, raw: number): boolean {
    if (at <= this.#at) return false
    const [lastAt, lastRaw] = [this.#at, this.#raw]
    const first = lastAt === -Infinity
    this.#at = at
    this.#raw = raw
    if (!first) this.#count(at - lastAt, raw !== lastRaw)
    if (this.#kind === 'counter' && first) return true
    let value = raw
    if (this.#kind === 'counter') {
      value = (raw >= lastRaw ? raw - lastRaw : raw) / ((at - lastAt) / 1000)
    }
    this.#hold(f32Of(Math.min(value, VALUE_MAX)), at - lastAt)
    return true
  }

  features(t: number): readonly number[] {
    const held = this.#kind !== 'code'
    if (this.#at === -Infinity) return Array.from({ length: held ? 14 : 6 }, () => Number.NaN)
    const decays = this.#decays(t > this.#at ? t - this.#at : 0)
    const distances = this.#means.map((mean) => mean - this.value)
    return [
      this.value,
      ...(held ? this.#moments(distances, decays) : []),
      ...this.#changes.map((count, h) => f32Of(count * decays[h])),
      f32Of((t - this.#changedAt) / HOUR_MS),
      f32Of((t - this.#at) / HOUR_MS),
      ...(held ? [this.#maximum] : []),
    ]
  }

  #moments(distances: readonly number[], decays: readonly number[]): readonly number[] {
    return [
      ...distances.map((d, h) => f32Of(-(d * decays[h]))),
      ...distances.map((d, h) => f32Of(Math.sqrt(this.#variance(h, d, decays[h])))),
      f32Of(distances[0] * decays[0] - distances[2] * decays[2]),
    ]
  }

  #count(dt: number, changed: boolean): void {
    const decays = this.#decays(dt)
    this.#changes = this.#changes.map((count, h) => f32Of(count * decays[h] + (changed ? 1 : 0)))
    if (changed) this.#changedAt = this.#at
  }

  #hold(value: number, dt: number): void {
    const held = this.value
    this.value = value
    if (!(this.#maximum >= value)) this.#maximum = value
    if (this.#kind === 'code') return
    if (Number.isNaN(held)) {
      this.#means = [value, value, value]
      return
    }
    const decays = this.#decays(dt)
    const distances = this.#means.map((mean) => mean - held)
    this.#variances = distances.map((d, h) => f32Of(this.#variance(h, d, decays[h])))
    this.#means = distances.map((d, h) => f32Of(held + d * decays[h]))
  }

  #variance(h: number, d: number, decay: number): number {
    return decay * this.#variances[h] + decay * (1 - decay) * (d * d)
  }

  #decays(dt: number): readonly number[] {
    return this.#halfLivesMs.map((halfLife) => halving(dt / halfLife))
  }
}
