/** Which nodes of a table are suspect by phi accrual: quiet for longer than their habit, not yet silent. */
import type { Policy } from '../core/policy.ts'
import { phiAccrual } from '../detect/phi-accrual.ts'
import { isEnabled, valuesOf } from '../detect/settings.ts'
import type { NodeTable } from '../state/node-table.ts'

/** Told in one tick; the others wait for the next. */
const CHANGES_MAX = 1_000

export class Suspects {
  /** The lowest of all policies: each detector judges by its own. Infinity where none looks. */
  #suspicion = Infinity
  readonly #indices = new Set<number>()

  constructor(policies: readonly Policy[]) {
    this.turn(policies)
  }

  /** Other policies from here on. */
  turn(policies: readonly Policy[]): void {
    const asking = policies.filter(({ detectors }) => isEnabled(phiAccrual, detectors))
    const points = asking.map(({ detectors }) => valuesOf(phiAccrual, detectors).suspicion)
    this.#suspicion = Math.min(...points)
  }

  forget(index: number): void {
    this.#indices.delete(index)
  }

  /** Those that became suspect, with phi, and those that no longer are. */
  follow(
    table: NodeTable,
    observedAtMs: number,
  ): readonly { readonly index: number; readonly phi: number | null }[] {
    if (this.#suspicion === Infinity) return []
    const changes: { readonly index: number; readonly phi: number | null }[] = []
    const suspects = table.suspects(observedAtMs, this.#suspicion)
    if (this.#indices.size > 0) {
      const still = new Set(suspects)
      for (const index of this.#indices) {
        if (still.has(index)) continue
        if (changes.length === CHANGES_MAX) return changes
        this.#indices.delete(index)
        // Its silence is told by the sweep.
        if (!table.isSilent(index)) changes.push({ index, phi: null })
      }
    }
    for (const index of suspects) {
      if (changes.length === CHANGES_MAX) break
      if (this.#indices.has(index)) continue
      this.#indices.add(index)
      changes.push({ index, phi: Math.max(this.#suspicion, table.phi(index, observedAtMs)) })
    }
    return changes
  }
}
