/**
 * How much of a pool fails for certain, by the records of its pool-log alone: nodes that are silent, and
 * those whose failure was confirmed within the last hour. Critical ones are left out, so it is the least.
 */
import type { Assessment } from '../core/assessment.ts'
import type { CommandAction } from '../core/command.ts'
import type { EmergencyRules } from '../core/emergency.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NodeEvent } from '../core/node.ts'

const FAILED_COUNTS_MS = 3_600_000

interface Known {
  readonly pool: PoolId
  silent: boolean
  failedAtMs: number | null
}

export class FailingBooks {
  readonly #nodes = new Map<NodeId, Known>()

  /** `late`: its watcher is, and says nothing certain. */
  assess({ node, pool, liveness, lastSeenAtMs }: Assessment, late: boolean): void {
    const known = this.#nodes.get(node) ?? { pool, silent: false, failedAtMs: null }
    this.#nodes.set(node, known)
    if (late) return
    known.silent = liveness === 'silent'
    const { failedAtMs } = known
    if (liveness === 'live' && failedAtMs !== null && lastSeenAtMs > failedAtMs) {
      known.failedAtMs = null
    }
  }

  takeFact(event: NodeEvent, nowMs: number): void {
    const known = this.#nodes.get(event.node)
    if (event.kind === 'join') {
      const silent = known?.failedAtMs === null && known.silent
      this.#nodes.set(event.node, { pool: event.pool, silent, failedAtMs: null })
    } else if (event.kind === 'leave') this.#nodes.delete(event.node)
    else if (event.kind === 'failure' && known?.failedAtMs === null) known.failedAtMs = nowMs
  }

  /** Why a preemptive command may not go out; null where it may. What is down may be restarted. */
  forbids(
    { action, node: id, pool }: { action: CommandAction; node: NodeId; pool: PoolId },
    { enterRatio, nodesMin }: EmergencyRules,
    isLate: (node: NodeId) => boolean,
    nowMs: number,
  ): string | null {
    const node = this.#nodes.get(id)
    if (action === 'restart' && (node?.silent === true || node?.failedAtMs !== null)) return null
    let [nodeCount, failingCount] = [0, 0]
    for (const [each, known] of this.#nodes) {
      if (known.pool !== pool) continue
      const { failedAtMs, silent } = known
      const isOld = failedAtMs !== null && nowMs - failedAtMs > FAILED_COUNTS_MS
      if (isOld) continue
      nodeCount++
      if (failedAtMs !== null || (silent && !isLate(each))) failingCount++
    }
    if (failingCount < nodesMin || failingCount <= enterRatio * nodeCount) return null
    return `is preemptive, and ${failingCount} of ${nodeCount} nodes of pool ${pool} fail`
  }
}
