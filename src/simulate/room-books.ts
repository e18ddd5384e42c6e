/**
 * Promises of returns and of room: a node is let back in part, is watched, and is whole only then; and what makes
 * room does so for work that waits, and says nothing of its node.
 */
import type { Command, JournalEntry } from '../core/command.ts'
import type { IncidentId, NodeId, WorkloadId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'

const INCIDENTS_MAX = 10_000

export class RoomBooks {
  /** Node → when it was last let back in part. */
  readonly #inPartAtMs = new Map<NodeId, number>()
  /** Work that was told to wait for room, and not yet that it waits no more. */
  readonly #waiting = new Set<WorkloadId>()

  /** Incidents of nodes that make room; results of their moves may come when they are closed. */
  readonly #roomIncidents = new Set<IncidentId>()

  /** What it had to stop for ends the return; the watch ends early for work that waits, and for nothing else. */
  takeJournal({ kind, incidentId, node, workload, evidence }: JournalEntry): void {
    const said = (name: string) => evidence.find(({ what }) => what === name)?.value
    if (kind === 'waiting' && workload !== null) {
      if (said('state') === 'waits') this.#waiting.add(workload)
      else if (said('state') !== 'put-off') this.#waiting.delete(workload)
    }
    if (kind === 'incident-opened' && incidentId !== null) {
      this.#roomIncidents.delete(incidentId)
      if (this.#waiting.has(said('roomFor') as WorkloadId)) this.#roomIncidents.add(incidentId)
      const [oldest] = this.#roomIncidents
      if (this.#roomIncidents.size > INCIDENTS_MAX) this.#roomIncidents.delete(oldest)
    }
    const isHastened = kind === 'plan' && said('return') === 'hastened' && node !== null
    if (isHastened && this.#waiting.has(said('roomFor') as WorkloadId)) {
      this.#inPartAtMs.set(node, Number.NEGATIVE_INFINITY)
    }
  }

  makesRoom(incident: IncidentId): boolean {
    return this.#roomIncidents.has(incident)
  }

  /** What is wrong with the command, or null. */
  judge(
    { action, node, capacityRatio, stepId }: Command,
    { returnRatio, returnWatchMs }: Policy,
    nowMs: number,
  ): string | null {
    if (action === 'cordon' || action === 'fence') this.#inPartAtMs.delete(node)
    if (action !== 'uncordon' || stepId !== 'uncordon' || returnRatio === 1) return null
    const watchedMs = nowMs - (this.#inPartAtMs.get(node) ?? nowMs)
    if (capacityRatio === returnRatio) this.#inPartAtMs.set(node, nowMs)
    else if (watchedMs < returnWatchMs) {
      return 'lets its node back whole that was not watched in part'
    }
    return null
  }
}
