/** Whose data is known to be wrong, by what the detector of data corruption says and has not taken back. */
import type { NodeId } from '../core/ids.ts'
import { dataCorruption } from '../detect/data-corruption.ts'
import type { Told } from '../detect/detector-set.ts'

/** As large as the detector lets it grow: its standing faults are bounded. */
export class Integrity {
  /** Node → subjects of the faults that stand. */
  readonly #faults = new Map<NodeId, Set<string>>()

  /** Nodes that it changes something for; where no holder is known to be right, all are suspect. */
  take({ state, fault }: Told): readonly NodeId[] {
    if (fault.detector !== dataCorruption.name || state === 'stands') return []
    const nodes = fault.node === null ? (fault.others ?? []) : [fault.node]
    for (const node of nodes) {
      const subjects = this.#faults.get(node) ?? new Set()
      if (state === 'raised') this.#faults.set(node, subjects.add(fault.subject))
      else if (subjects.delete(fault.subject) && subjects.size === 0) this.#faults.delete(node)
    }
    return nodes
  }

  /** Null where nothing is wrong. */
  problemOf(node: NodeId): string | null {
    const [subject] = this.#faults.get(node) ?? []
    return subject === undefined ? null : `its data is not verified (${subject})`
  }
}
