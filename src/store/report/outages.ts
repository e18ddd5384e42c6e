/**
 * Workloads that a failure interrupted, and for how long, from where the executors say that they run. Where
 * a workload was before the oldest placement that is kept is not known, and not counted.
 */
import type { NodeId, WorkloadId } from '../../core/ids.ts'
import { checkRoom, STAYS_MAX, WORKLOADS_MAX } from './limits.ts'
import type { Failure } from './node-lives.ts'

export interface Outage {
  /** Workloads that were on the node when it failed. */
  readonly interrupted: number
  /** Of those, the ones that ran again, elsewhere or with the node. */
  readonly recovered: number
  /** Of those that ran again: the sum of their times without a node, ms. */
  readonly outageMs: number
}

export const NO_OUTAGE: Outage = { interrupted: 0, recovered: 0, outageMs: 0 }

interface Stay {
  readonly node: NodeId
  readonly sinceMs: number
  /** When it was placed on another node; null: it still is there, or runs nowhere else. */
  readonly untilMs: number | null
}

export class Outages {
  readonly #stays = new Map<WorkloadId, Stay[]>()
  #stayCount = 0

  /** Placements of one workload come in the order of their times. `node` null: it runs nowhere. */
  take(workload: WorkloadId, node: NodeId | null, atMs: number): void {
    const stays = this.#stays.get(workload) ?? []
    const last = stays.at(-1)
    if (node === null || last?.node === node) return
    if (last === undefined) {
      checkRoom(this.#stays.size, WORKLOADS_MAX, 'workloads')
      this.#stays.set(workload, stays)
    } else stays[stays.length - 1] = { ...last, untilMs: atMs }
    checkRoom(this.#stayCount++, STAYS_MAX, 'moves of workloads')
    stays.push({ node, sinceMs: atMs, untilMs: null })
  }

  byFailure(failures: ReadonlyMap<NodeId, readonly Failure[]>): ReadonlyMap<Failure, Outage> {
    const outages = new Map<Failure, Outage>()
    for (const stays of this.#stays.values()) {
      for (const { node, sinceMs, untilMs } of stays) {
        for (const failure of failures.get(node) ?? []) {
          const { atMs, backAtMs } = failure
          if (atMs < sinceMs || atMs >= (untilMs ?? Infinity)) continue
          const endMs = Math.min(untilMs ?? Infinity, backAtMs ?? Infinity)
          const { interrupted, recovered, outageMs } = outages.get(failure) ?? NO_OUTAGE
          const isOver = Number.isFinite(endMs)
          outages.set(failure, {
            interrupted: interrupted + 1,
            recovered: recovered + (isOver ? 1 : 0),
            outageMs: outageMs + (isOver ? endMs - atMs : 0),
          })
        }
      }
    }
    return outages
  }
}
