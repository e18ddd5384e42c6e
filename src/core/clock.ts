/**
 * The two clocks of a fold: `now`, and observed time.
 *
 * `now` is the log's: the append time of the record being folded (arrival), or the least of the
 * newest ticks over all sources (driven). Observed time counts what we have really watched: it
 * stands still while a source is stalled, so that our own lag never looks like a dead node.
 */
import { assert } from './errors.ts'

/** Under the arrival clock each owner ticks its partition so often. */
export const TICK_INTERVAL_MS = 1_000
/** What one gap between watermarks may add to observed time under the arrival clock, ms. */
export const OBSERVED_GAP_MAX_MS = 2_000

export class FoldClock {
  readonly #kind: 'arrival' | 'driven'
  readonly #ticks: Float64Array
  readonly #steps: Float64Array
  #nowMs = 0

  /** `sourceCount`: the partitions that forward driven ticks (ingest for node-log, watchers for pool-log). */
  constructor(kind: 'arrival' | 'driven', sourceCount: number) {
    this.#kind = kind
    this.#ticks = new Float64Array(sourceCount)
    this.#steps = new Float64Array(sourceCount)
  }

  /** 0 until the first record (arrival) or until every source has ticked (driven). */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Driven: the step that every source has reached; 0 before the first. */
  get step(): number {
    return Math.min(...this.#steps)
  }

  /** Takes the append time of the record being folded. Driven clocks ignore it. */
  arrive(appendedAtMs: number): void {
    if (this.#kind === 'arrival' && appendedAtMs > this.#nowMs) this.#nowMs = appendedAtMs
  }

  /** Takes a forwarded tick of a driven clock; true when `now` moved because every source got there. */
  tick(source: number, atMs: number, step: number): boolean {
    if (this.#kind === 'arrival') return false
    assert(source >= 0 && source < this.#ticks.length, `tick of source ${source}`)
    if (step <= this.#steps[source]) return false
    this.#ticks[source] = atMs
    this.#steps[source] = step
    const least = Math.min(...this.#ticks)
    if (least <= this.#nowMs) return false
    this.#nowMs = least
    return true
  }
}

/** Observed time from the watermarks of every ingest partition. */
export class ObservedClock {
  readonly #sources: Float64Array
  readonly #gapMaxMs: number
  #watermarkMs = 0
  #atMs = 0

  constructor(sourceCount: number, gapMaxMs: number) {
    this.#sources = new Float64Array(sourceCount)
    this.#gapMaxMs = gapMaxMs
  }

  /** Observed time, ms since the first complete watermark. */
  get atMs(): number {
    return this.#atMs
  }

  /** Everything appended to the public topics by then has been folded; 0 before all sources reported. */
  get watermarkMs(): number {
    return this.#watermarkMs
  }

  take(source: number, atMs: number): void {
    assert(source >= 0 && source < this.#sources.length, `watermark of source ${source}`)
    if (atMs <= this.#sources[source]) return
    this.#sources[source] = atMs
    const least = Math.min(...this.#sources)
    if (least <= this.#watermarkMs) return
    if (this.#watermarkMs > 0) this.#atMs += Math.min(least - this.#watermarkMs, this.#gapMaxMs)
    this.#watermarkMs = least
  }
}
