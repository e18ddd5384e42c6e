/** What holds for whole pools now (emergencies, split networks), as the journal tells of it. */
import type { JournalEntry } from '../core/command.ts'
import type { PoolCondition } from '../core/emergency.ts'

export interface ConditionView extends PoolCondition {
  readonly pool: string
  /** When the journal told of it last. */
  readonly atMs: number
}

/** What is over is remembered as well, because older lines of another partition may be read later. */
const CONDITIONS_MAX = 10_000

export class ConditionViews {
  readonly #newest = new Map<string, ConditionView>()

  take({ condition, pool, atMs }: Pick<JournalEntry, 'condition' | 'pool' | 'atMs'>): void {
    if (condition === undefined) return
    const key = `${condition.name}/${pool}`
    if ((this.#newest.get(key)?.atMs ?? 0) > atMs) return
    this.#newest.delete(key)
    this.#newest.set(key, { ...condition, pool, atMs })
    if (this.#newest.size <= CONDITIONS_MAX) return
    const [oldest] = this.#newest.keys()
    if (oldest !== undefined) this.#newest.delete(oldest)
  }

  /** What stands, the newest first. */
  standing(): readonly ConditionView[] {
    return [...this.#newest.values()].filter(({ state }) => state === 'standing').toReversed()
  }
}
