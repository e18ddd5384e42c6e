/**
 * How much of a pool fails for certain, by the records of its pool-log alone: nodes that are silent, and
 * those whose failure was confirmed within the last hour. Critical ones are left out, and silent ones that
 * said something of others a moment ago, so it is the least.
 */
import type { Assessment } from '../core/assessment.ts'
import type { CommandAction } from '../core/command.ts'
import type { EmergencyRules } from '../core/emergency.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NodeEvent } from '../core/node.ts'

const FAILED_COUNTS_MS = 3_600_000
/** A node that speaks of others vouches for itself at most so long. */
const VOUCHED_MS = 70_000

interface Known {
  readonly pool: PoolId
  silent: boolean
  failedAtMs: number | null
  vouchedUntilMs: number
}

export class FailingBooks {
  readonly #nodes = new Map<NodeId, Known>()

  /** `late`: its watcher is, and says nothing certain. */
  assess({ node, pool, liveness, lastSeenAtMs }: Assessment, late: boolean): void {
    const known = this.#nodes.get(node) ?? createKnown(pool)
    this.#nodes.set(node, known)
    if (late) return
    known.silent = liveness === 'silent'
    const { failedAtMs } = known
    if (liveness === 'live' && failedAtMs !== null && lastSeenAtMs > failedAtMs) {
      known.failedAtMs = null
    }
  }

  hear(node: NodeId, nowMs: number): void {
    const known = this.#nodes.get(node)
    if (known !== undefined) known.vouchedUntilMs = nowMs + VOUCHED_MS
  }

  takeFact(event: NodeEvent, nowMs: number): void {
    const known = this.#nodes.get(event.node)
    if (event.kind === 'join') {
      const silent = known?.failedAtMs === null && known.silent
      this.#nodes.set(event.node, { ...createKnown(event.pool), silent })
    } else if (event.kind === 'leave') this.#nodes.delete(event.node)
    else if (event.kind === 'failure' && known?.failedAtMs === null) known.failedAtMs = nowMs
  }

  /**
   * Why a preemptive command may not go out; null where it may. What is down may be restarted, and data that is
   * wrong may be fetched.
   */
  forbids(
    { action, node: id, pool }: { action: CommandAction; node: NodeId; pool: PoolId },
    { enterRatio, nodesMin }: EmergencyRules,
    isLate: (node: NodeId) => boolean,
    nowMs: number,
  ): string | null {
    const node = this.#nodes.get(id)
    if (action === 'replicate') return null
    if (action === 'restart' && (node?.silent === true || node?.failedAtMs !== null)) return null
    let [nodeCount, failingCount] = [0, 0]
    for (const [each, known] of this.#nodes) {
      if (known.pool !== pool) continue
      const { failedAtMs, silent, vouchedUntilMs } = known
      const isOld = failedAtMs !== null && nowMs - failedAtMs > FAILED_COUNTS_MS
      if (isOld) continue
      nodeCount++
      const isSilent = silent && !isLate(each) && nowMs > vouchedUntilMs
      if (failedAtMs !== null || isSilent) failingCount++
    }
    if (failingCount < nodesMin || failingCount <= enterRatio * nodeCount) return null
    return `is preemptive, and ${failingCount} of ${nodeCount} nodes of pool ${pool} fail`
  }
}

function createKnown(pool: PoolId): Known {
  return { pool, silent: false, failedAtMs: null, vouchedUntilMs: 0 }
}
