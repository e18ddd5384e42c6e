/** History and statistics of attacks, from what detectors told. The oldest episodes go first. */
import type { AttackEpisode } from '../core/network.ts'
import type { Told } from './detector-set.ts'

const EPISODES_MAX = 256

export class AttackLog {
  readonly #episodes: AttackEpisode[] = []
  readonly #counts: Record<string, number> = {}
  readonly #standing = new Set<string>()

  get episodes(): readonly AttackEpisode[] {
    return this.#episodes
  }

  /** Attacks since the log began, by detector. */
  get counts(): Readonly<Record<string, number>> {
    return this.#counts
  }

  get isUnderAttack(): boolean {
    return this.#standing.size > 0
  }

  take(told: Told, nowMs: number): void {
    const { detector, subject, kind, atMs, confidenceRatio } = told.fault
    if (kind !== 'attack') return
    const key = `${detector}/${subject}`
    if (told.state === 'cleared') {
      this.#standing.delete(key)
      this.#end(detector, subject, nowMs)
    } else if (!this.#standing.has(key)) {
      this.#standing.add(key)
      this.#counts[detector] = (this.#counts[detector] ?? 0) + 1
      this.#episodes.push({ detector, subject, beganAtMs: atMs, endedAtMs: null, confidenceRatio })
      if (this.#episodes.length > EPISODES_MAX) this.#episodes.shift()
    }
  }

  #end(detector: string, subject: string, nowMs: number): void {
    const at = this.#episodes.findLastIndex(
      (each) => each.detector === detector && each.subject === subject && each.endedAtMs === null,
    )
    if (at >= 0) this.#episodes[at] = { ...this.#episodes[at], endedAtMs: nowMs }
  }
}
