/** How long an outage went unseen. An incident may be older than the outage: of a failure that was foretold, say. */
import type { IncidentId } from '../core/ids.ts'
import type { Work } from './hands.ts'

export class DetectionTime {
  /** Incident → when its first fence was begun. */
  readonly #fencedAtMs = new Map<IncidentId, number>()

  constructor(works: readonly Work[]) {
    for (const { command, beganAtMs } of works) {
      const { action, incidentId } = command
      if (action === 'fence' && !this.#fencedAtMs.has(incidentId)) {
        this.#fencedAtMs.set(incidentId, beganAtMs)
      }
    }
  }

  /**
   * Milliseconds from `fromMs`, when the workload went down, to the first turn of the incident after it that
   * `work` answers: it was opened, or an older one got graver. Turns after the first fence, or after the
   * recovery was begun, confirm what is answered already and count for nothing. 0 where there is none: the
   * node was held to be down before it was.
   */
  of(work: Work, turnsAtMs: readonly number[], fromMs: number): number {
    const fencedAtMs = this.#fencedAtMs.get(work.command.incidentId) ?? Infinity
    const answeredAtMs = Math.min(work.beganAtMs, fencedAtMs)
    const turnAtMs = turnsAtMs.find((atMs) => atMs >= fromMs && atMs <= answeredAtMs)
    return turnAtMs === undefined ? 0 : turnAtMs - fromMs
  }
}
