/**
 * Nodes that have failed or left, so that samples which were on their way do not bring them back.
 * Telemetry and events are different topics: a node's last sample may be read after the event that
 * ended it, and would begin a node without a pool that is silent ever after.
 */
import type { NodeId } from '../core/ids.ts'
import type { NodeTable } from '../state/node-table.ts'

/** Beyond it the longest ended is forgotten: nothing of it should be on its way any more. */
export const ENDED_NODES_MAX = 1_024

export class EndedNodes {
  /** Node → append time of the event that ended it, oldest first. */
  readonly #endedAtMs = new Map<NodeId, number>()

  end(node: NodeId, appendedAtMs: number): void {
    this.#endedAtMs.delete(node)
    this.#endedAtMs.set(node, appendedAtMs)
    if (this.#endedAtMs.size <= ENDED_NODES_MAX) return
    const [oldest] = this.#endedAtMs.keys()
    if (oldest !== undefined) this.#endedAtMs.delete(oldest)
  }

  begin(node: NodeId): void {
    this.#endedAtMs.delete(node)
  }

  /** Takes out of the table again what only late samples brought back. Call it with no rows waiting. */
  dropFrom(table: NodeTable): void {
    for (const [node, endedAtMs] of this.#endedAtMs) {
      const index = table.indexOf(node)
      if (index === undefined) continue
      if (table.lastSeenAtMs(index) > endedAtMs) this.#endedAtMs.delete(node)
      else table.foldEvent({ kind: 'leave', node, atMs: 0 }, endedAtMs, NEVER_OBSERVED)
    }
  }
}

/** Of a leave nothing is observed. */
const NEVER_OBSERVED = { atMs: 0, watermarkMs: 0 }
