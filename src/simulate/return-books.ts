/** Promise of returns: a node is let back in part, is watched, and is whole only then. */
import type { Command, JournalEntry } from '../core/command.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'

export class ReturnBooks {
  /** Node → when it was last let back in part. */
  readonly #inPartAtMs = new Map<NodeId, number>()
  /** Work that was told to wait for room, and not yet that it waits no more. */
  readonly #waiting = new Set<WorkloadId>()

  /** What it had to stop for ends the return; the watch ends early for work that waits, and for nothing else. */
  takeJournal({ kind, node, workload, evidence }: JournalEntry): void {
    const said = (name: string) => evidence.find(({ what }) => what === name)?.value
    if (kind === 'waiting' && workload !== null) {
      if (said('state') === 'waits') this.#waiting.add(workload)
      else if (said('state') !== 'put-off') this.#waiting.delete(workload)
    }
    const isHastened = kind === 'plan' && said('return') === 'hastened' && node !== null
    if (isHastened && this.#waiting.has(said('roomFor') as WorkloadId)) {
      this.#inPartAtMs.set(node, Number.NEGATIVE_INFINITY)
    }
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
