/**
 * Nodes that are let back to work: with a part of their capacity first, watched for a while, then whole.
 * What happens to a node meanwhile ends its return, and what answers it begins anew. The map of shards
 * hears of each, because the node's record is due then.
 */
import type { Evidence } from '../core/fault.ts'
import type { IncidentId, WorkloadId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import { lasting, percent } from '../decide/explain.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** From the partial return of a node to the whole one. */
export interface Returning {
  readonly incidentId: IncidentId
  /** Of its capacity, 0..1. */
  readonly share: number
  untilMs: number
}

export class ReturnDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #policyFor: (pool: PoolState) => Policy
  readonly #corruption: (node: NodeState) => string | null
  readonly #watched = new Set<NodeState>()
  /** Nothing is due before. */
  #dueMs = Number.POSITIVE_INFINITY

  /** `corruption`: what is wrong with the data of a node, or null. */
  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    policyFor: (pool: PoolState) => Policy,
    corruption: (node: NodeState) => string | null,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#policyFor = policyFor
    this.#corruption = corruption
  }

  /** The share with which a node of the pool returns first; 1 where it is not watched. */
  firstShare(node: NodeState): number {
    return this.#policyOf(node).returnRatio
  }

  /** It takes work again, with this share of its capacity. True where it had done so before. */
  returned(node: NodeState, incidentId: IncidentId, share: number): boolean {
    const before = node.returning
    const { returnWatchMs } = this.#policyOf(node)
    if (share < 1) {
      const untilMs = this.#outbox.nowMs + returnWatchMs
      node.returning = { incidentId, share, untilMs }
      this.#state.publish(node)
      this.#watched.add(node)
      this.#dueMs = Math.min(this.#dueMs, untilMs)
      const how = `with ${percent(share)} of its capacity, and is watched for`
      this.#journal(
        node,
        incidentId,
        'in-part',
        `Node ${node.id} returns ${how} ${lasting(returnWatchMs)}.`,
      )
      return before !== null
    }
    if (before === null) return false
    this.#forget(node)
    this.#journal(node, incidentId, 'whole', `Node ${node.id} stayed well: it returns whole.`)
    return true
  }

  /** It is ill again, or kept from work. */
  withdraw(node: NodeState, why: string): void {
    const { returning } = node
    if (returning === null) return
    this.#forget(node)
    const what = `The return of node ${node.id} is withdrawn while it was watched`
    this.#journal(node, returning.incidentId, 'withdrawn', `${what}: ${why}`)
  }

  /** The watch ends now, where the node is well: failed work needs its room. */
  hasten(node: NodeState, workload: WorkloadId): void {
    const { returning } = node
    if (returning === null || !this.#isWell(node)) return
    const { nowMs } = this.#outbox
    returning.untilMs = nowMs
    this.#dueMs = Math.min(this.#dueMs, nowMs)
    const { incidentId } = returning
    const why = `workload ${workload} runs nowhere and has no other room`
    this.#journal(
      node,
      incidentId,
      'hastened',
      `The watch of node ${node.id} ends early: ${why}.`,
      [{ what: 'roomFor', value: workload, limit: null }],
    )
  }

  /**
   * Nodes that may return whole now, each told once. Where data is wrong the watch begins anew; and where the node
   * has an incident again, for an executor may say late that it was let back in part.
   */
  *due(): Generator<readonly [NodeState, Returning]> {
    const { nowMs } = this.#outbox
    if (nowMs < this.#dueMs) return
    this.#dueMs = Number.POSITIVE_INFINITY
    for (const node of this.#watched) {
      const { returning } = node
      if (returning === null || this.#state.nodes.get(node.id) !== node) this.#watched.delete(node)
      else if (returning.untilMs > nowMs) this.#dueMs = Math.min(this.#dueMs, returning.untilMs)
      else if (this.#isWell(node)) {
        this.#watched.delete(node)
        yield [node, returning]
      } else {
        returning.untilMs = nowMs + this.#policyOf(node).returnWatchMs
        this.#dueMs = Math.min(this.#dueMs, returning.untilMs)
      }
    }
  }

  #isWell(node: NodeState): boolean {
    return node.incident === null && this.#corruption(node) === null
  }

  #forget(node: NodeState): void {
    node.returning = null
    this.#watched.delete(node)
    this.#state.publish(node)
  }

  #journal(
    node: NodeState,
    incidentId: IncidentId,
    what: string,
    reason: string,
    more: readonly Evidence[] = [],
  ): void {
    this.#outbox.journal({
      kind: 'plan',
      pool: node.pool,
      incidentId,
      node: node.id,
      reasons: [reason],
      evidence: [{ what: 'return', value: what, limit: null }, ...more],
    })
  }

  #policyOf({ pool }: NodeState): Policy {
    return this.#policyFor(this.#state.pool(pool))
  }
}
