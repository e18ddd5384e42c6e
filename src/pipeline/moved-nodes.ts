/** When work was off a node for a predicted failure: what its rows foresaw there may never be known. */
import type { Intervention } from '../core/node.ts'

/** By node; the oldest are forgotten, whose horizons are mostly over. */
const SPELLS_MAX = 4

interface Spell {
  readonly fromMs: number
  /** Infinity: it has not been let back. */
  toMs: number
}

export class MovedNodes {
  /** By node index. */
  readonly #spells = new Map<number, Spell[]>()

  note(index: number, { kind, atMs }: Intervention): void {
    const spells = this.#spells.get(index) ?? []
    const last = spells.at(-1)
    const isOpen = last?.toMs === Number.POSITIVE_INFINITY
    if (kind === 'returned') {
      if (isOpen) last.toMs = Math.max(last.fromMs, atMs)
      return
    }
    if (isOpen) return
    spells.push({ fromMs: atMs, toMs: Number.POSITIVE_INFINITY })
    if (spells.length > SPELLS_MAX) spells.shift()
    this.#spells.set(index, spells)
  }

  /** The index of a node that has ended may serve another one from now on. */
  forget(index: number): void {
    this.#spells.delete(index)
  }

  /** Whether work was off the node at any time from `fromMs` to `toMs`. */
  touches(index: number, fromMs: number, toMs: number): boolean {
    const spells = this.#spells.get(index)
    return spells?.some((spell) => spell.fromMs <= toMs && spell.toMs >= fromMs) === true
  }
}
