/** Which nodes of a table are suspect by phi accrual: quiet for longer than their habit, not yet silent. */
import type { NodeClass } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import { phiAccrual } from '../detect/phi-accrual.ts'
import { isEnabled, valuesOf } from '../detect/settings.ts'
import type { NodeTable } from '../state/node-table.ts'

/** Told in one tick; the others wait for the next. */
const CHANGES_MAX = 1_000

export class Suspects {
  /** The lowest of all policies: each detector judges by its own. Infinity where none looks. */
  readonly #suspicion: number
  readonly #indices = new Set<number>()

  constructor(policies: readonly Policy[]) {
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
    { heartbeatIntervalMs }: NodeClass,
    observedAtMs: number,
  ): readonly { readonly index: number; readonly phi: number | null }[] {
    if (heartbeatIntervalMs === null || this.#suspicion === Infinity) return []
    const changes: { readonly index: number; readonly phi: number | null }[] = []
    for (let index = 0; index < table.indexCount && changes.length < CHANGES_MAX; index++) {
      const known = this.#indices.has(index)
      // Nearly every node spoke within its interval: one comparison each.
      if (!known && !(table.silentForMs(index, observedAtMs) > heartbeatIntervalMs)) continue
      if (!table.isUsed(index)) continue
      const phi = table.isSilent(index) ? Number.NaN : table.phi(index, observedAtMs)
      const suspect = phi >= this.#suspicion
      if (suspect === known) continue
      if (suspect) this.#indices.add(index)
      else this.#indices.delete(index)
      // Its silence is told by the sweep.
      if (suspect || !table.isSilent(index)) changes.push({ index, phi: suspect ? phi : null })
    }
    return changes
  }
}
