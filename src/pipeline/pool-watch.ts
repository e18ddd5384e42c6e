/** What came to a pool lately, hour by hour, so that a change can be held against the day before it. */
import type { Measure, Seen } from '../decide/worse.ts'
import { NOTHING, sumOf } from '../decide/worse.ts'
import { HOUR_MS } from '../core/time.ts'

/** Hours that are kept; the oldest go first. */
export const HOURS_MAX = 24

interface Hour extends Seen {
  readonly sinceMs: number
  readonly counts: Record<Measure, number>
  nodeMs: number
}

export class PoolWatch {
  #hours: Hour[] = []

  count(measure: Measure, nowMs: number): void {
    this.#hour(nowMs).counts[measure]++
  }

  /** `nodeCount` nodes were there for `elapsedMs`. */
  expose(nodeCount: number, elapsedMs: number, nowMs: number): void {
    this.#hour(nowMs).nodeMs += nodeCount * elapsedMs
  }

  seen(): Seen {
    return sumOf(this.#hours)
  }

  /** What comes from now on is counted anew. */
  begin(): void {
    this.#hours = []
  }

  #hour(nowMs: number): Hour {
    const last = this.#hours.at(-1)
    if (last !== undefined && nowMs - last.sinceMs < HOUR_MS) return last
    const hour = { sinceMs: nowMs, counts: { ...NOTHING.counts }, nodeMs: 0 }
    this.#hours.push(hour)
    if (this.#hours.length > HOURS_MAX) this.#hours.shift()
    return hour
  }
}
