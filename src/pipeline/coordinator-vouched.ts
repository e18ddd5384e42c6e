/**
 * Nodes whose telemetry is missing while they report themselves in evidence: their telemetry is lost, late
 * or cut off, and they are not silent. As long as that is so they are `unknown`, and nothing is done about
 * them. A node vouches for itself for a while only, because whoever sends its evidence may lie.
 */
import type { Assessment } from '../core/assessment.ts'
import type { EvidenceRecord } from '../core/evidence.ts'
import type { NodeId } from '../core/ids.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** A report is a sign of life for so long, ms. */
const REPORT_FRESH_MS = 10_000
/** Longer without telemetry is silence, whatever the node says, ms. */
const VOUCHED_MS_MAX = 60_000
/** Nodes that are doubted at once; a further one is silent at once. */
const DOUBTED_MAX = 1_000

interface Doubted {
  readonly node: NodeState
  readonly row: Assessment
}

export class VouchedNodes {
  readonly #state: CoordinatorState
  readonly #doubted = new Map<NodeId, Doubted>()

  constructor(state: CoordinatorState) {
    this.#state = state
  }

  get size(): number {
    return this.#doubted.size
  }

  /** By both clocks, so that what was on its way when the node fell does not count. */
  hear({ node: id, atMs }: EvidenceRecord, nowMs: number): void {
    const node = this.#state.nodes.get(id)
    if (node !== undefined) node.reportedAtMs = Math.max(node.reportedAtMs, Math.min(atMs, nowMs))
  }

  /** A watcher's word on the node: call it before anybody asks whether it is silent. */
  weigh(node: NodeState, row: Assessment, nowMs: number): void {
    const isDoubted = row.liveness === 'silent' && reports(node, nowMs)
    if (isDoubted && (this.#doubted.has(node.id) || this.#doubted.size < DOUBTED_MAX)) {
      this.#doubted.set(node.id, { node, row })
      this.#vouch(node, true)
    } else if (this.#doubted.delete(node.id)) this.#vouch(node, false)
  }

  /** Those that have stopped to report: what their watchers said of them holds now. */
  expire(nowMs: number): readonly Doubted[] {
    const silent: Doubted[] = []
    for (const [id, doubted] of this.#doubted) {
      const { node } = doubted
      const isGone = this.#state.nodes.get(id) !== node
      if (!isGone && reports(node, nowMs)) continue
      this.#doubted.delete(id)
      this.#vouch(node, false)
      if (!isGone && node.failedAtMs === null) silent.push(doubted)
    }
    return silent
  }

  #vouch(node: NodeState, vouched: boolean): void {
    if (node.vouched === vouched) return
    node.vouched = vouched
    this.#state.touch(node)
  }
}

function reports({ reportedAtMs, lastSeenAtMs }: NodeState, nowMs: number): boolean {
  return nowMs - reportedAtMs <= REPORT_FRESH_MS && nowMs - lastSeenAtMs <= VOUCHED_MS_MAX
}
