/**
 * Nodes that have failed or left, so that samples which were on their way do not bring them back.
 * Telemetry and events are different topics: a node's last sample may be read after the event that
 * ended it, and would begin a node without a pool that is silent ever after.
 */
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NodeTable, Observed } from '../state/node-table.ts'

/** Beyond it the longest ended is forgotten: nothing of it should be on its way any more. */
export const ENDED_NODES_MAX = 1_024

interface Ended {
  /** Append time of the event. */
  readonly atMs: number
  /** Of a failed node: it comes back to it, even where nobody says that it joins again. */
  readonly pool: PoolId | undefined
}

export class EndedNodes {
  /** Oldest first. */
  readonly #ended = new Map<NodeId, Ended>()

  end(node: NodeId, appendedAtMs: number, pool?: PoolId): void {
    this.#ended.delete(node)
    this.#ended.set(node, { atMs: appendedAtMs, pool })
    if (this.#ended.size <= ENDED_NODES_MAX) return
    const [oldest] = this.#ended.keys()
    if (oldest !== undefined) this.#ended.delete(oldest)
  }

  /** Of a node that has failed and is not back. */
  poolOf(node: NodeId): PoolId | undefined {
    return this.#ended.get(node)?.pool
  }

  begin(node: NodeId): void {
    this.#ended.delete(node)
  }

  /** Takes out of the table again what only late samples brought back. Call it with no rows waiting. */
  dropFrom(table: NodeTable, observed: Observed): void {
    for (const [node, { atMs, pool }] of this.#ended) {
      const index = table.indexOf(node)
      if (index === undefined) continue
      const seenAtMs = table.lastSeenAtMs(index)
      if (seenAtMs <= atMs) {
        table.foldEvent({ kind: 'leave', node, atMs: 0 }, atMs, NEVER_OBSERVED)
        continue
      }
      this.#ended.delete(node)
      if (pool === undefined) continue
      table.foldEvent({ kind: 'labels', node, atMs: 0, labels: { pool } }, seenAtMs, observed)
    }
  }
}

/** Of a leave nothing is observed. */
const NEVER_OBSERVED = { atMs: 0, watermarkMs: 0 }
