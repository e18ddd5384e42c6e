/** Facts of nodes' lives: joining, leaving, failing, labels, maintenance. */
import type { Assessment } from '../core/assessment.ts'
import { DEFAULT_POOL, type NodeId, type PoolId } from '../core/ids.ts'
import type { FailureEvent, JoinEvent, LabelsEvent, NodeEvent } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import type { Topology } from '../core/topics.ts'
import { QUIET } from '../decide/alarm.ts'
import { type IncidentDesk, whyOf } from './coordinator-incidents.ts'
import type { Outbox } from './coordinator-outbox.ts'
import { type CoordinatorState, FAILED_NODES_MAX } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'
import { SharedPlaces } from './shared-places.ts'

const POOL_LABEL = 'pool'
/** Nodes that have left, remembered so that what was on its way does not bring them back; oldest go first. */
const LEFT_NODES_MAX = 10_000

export class NodeFactDesk {
  readonly #options: { readonly partition: number; readonly topology: Topology }
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #incidents: IncidentDesk
  /** Node → when it left, oldest first. */
  readonly #left = new Map<NodeId, number>()
  readonly #places = new SharedPlaces()

  constructor(
    options: { readonly partition: number; readonly topology: Topology },
    state: CoordinatorState,
    outbox: Outbox,
    incidents: IncidentDesk,
  ) {
    this.#options = options
    this.#state = state
    this.#outbox = outbox
    this.#incidents = incidents
  }

  take(event: NodeEvent): void {
    switch (event.kind) {
      case 'join':
        return this.#join(event)
      case 'leave':
        return this.#leave(event.node)
      case 'failure':
        return this.#fail(event)
      case 'labels':
        return this.#relabel(event)
      case 'maintenance':
        return this.#maintain(this.#state.nodes.get(event.node), event.untilMs)
      case 'heartbeat':
      case 'error':
        // Watchers fold these; they say nothing that a decision looks at.
        return
    }
  }

  /**
   * Whether this is said of a node that has left: it counts for nothing, or the node would be one of its
   * pool again, and silent ever after. A sign of life after it left brings a node back.
   */
  hasLeft({ node, liveness, lastSeenAtMs }: Assessment): boolean {
    const leftAtMs = this.#left.get(node)
    if (leftAtMs === undefined) return false
    if (liveness !== 'live' || lastSeenAtMs <= leftAtMs) return true
    this.#left.delete(node)
    return false
  }

  /** A sign of life after the confirmed failure: the node is back. */
  noteSign(node: NodeState, { liveness, lastSeenAtMs }: Assessment): void {
    if (node.failedAtMs === null || liveness !== 'live' || lastSeenAtMs <= node.failedAtMs) return
    this.#revive(node)
  }

  #join(event: JoinEvent): void {
    this.#left.delete(event.node)
    const known = this.#state.nodes.get(event.node)
    if (!this.#isOurs(event.pool)) {
      if (known !== undefined) this.#handOver(known)
      return
    }
    const node = this.#state.node(event.node, event.pool)
    node.class = event.class
    node.zone = event.place.zone
    node.place = this.#places.share(event.place)
    node.capacity = event.capacity
    this.#state.suspects.add(node)
    if (node.failedAtMs !== null) this.#revive(node)
    if (node.liveness === 'unknown') node.liveness = 'live'
    this.#state.touch(node)
  }

  #revive(node: NodeState): void {
    const pool = this.#state.pool(node.pool)
    const { cordonedBy } = node
    node.failedAtMs = null
    node.liveness = 'live'
    node.alarm = QUIET
    node.probability = null
    pool.failedNodes.delete(node.id)
    pool.failedOfLate.delete(node.id)
    if (cordonedBy !== null && node.incident === null) {
      this.#incidents.release(node, { id: cordonedBy, evidence: [] })
    }
    this.#state.touch(node)
  }

  #leave(id: NodeId): void {
    this.#left.delete(id)
    this.#left.set(id, this.#outbox.nowMs)
    const [oldest] = this.#left.keys()
    if (this.#left.size > LEFT_NODES_MAX) this.#left.delete(oldest)
    const node = this.#state.nodes.get(id)
    if (node === undefined) return
    this.#closeFor(node, `Node ${node.id} has left.`)
    this.#outbox.nodeGone(node.id)
  }

  /** Another coordinator decides for it from now on, and writes its record in `nodes`. */
  #handOver(node: NodeState): void {
    this.#closeFor(node, `Node ${node.id} has moved to another pool.`)
  }

  #closeFor(node: NodeState, reason: string): void {
    if (node.incident !== null) this.#incidents.close(node.incident, reason)
    const pool = this.#state.pool(node.pool)
    for (const incident of pool.incidents.ofNode(node)) this.#incidents.drop(incident)
    this.#state.remove(node)
  }

  #fail(event: FailureEvent): void {
    const node = this.#state.nodes.get(event.node)
    if (node === undefined || node.failedAtMs !== null) return
    const pool = this.#state.pool(node.pool)
    this.#incidents.judge(node, event)
    node.failedAtMs = this.#outbox.nowMs
    node.liveness = 'silent'
    pool.failedNodes.add(node.id)
    pool.failedOfLate.set(node.id, node.failedAtMs)
    this.#forgetOldest(pool.failedNodes)
    const why = whyOf(node, 'failed', event.failureKind)
    const evidence = [{ what: 'failureKind', value: event.failureKind, limit: null }]
    this.#incidents.raise(
      node,
      'failed',
      {
        detector: 'failure-event',
        kind: 'node-hardware',
        subject: node.id,
        node: node.id,
        pool: pool.id,
        atMs: this.#outbox.nowMs,
        severity: 'critical',
        confidenceRatio: 1,
        evidence,
      },
      why,
    )
    node.alarm = QUIET
    this.#state.touch(node)
  }

  #forgetOldest(failedNodes: ReadonlySet<NodeState['id']>): void {
    if (failedNodes.size <= FAILED_NODES_MAX) return
    const [oldest] = failedNodes
    const node = oldest === undefined ? undefined : this.#state.nodes.get(oldest)
    if (node !== undefined) this.#closeFor(node, `Node ${node.id} failed long ago.`)
  }

  #relabel({ node: id, labels }: LabelsEvent): void {
    const node = this.#state.nodes.get(id)
    const label = labels[POOL_LABEL]
    if (node === undefined || label === undefined) return
    const pool = (label ?? DEFAULT_POOL) as PoolId
    if (this.#isOurs(pool)) this.#state.node(id, pool)
    else this.#handOver(node)
  }

  #maintain(node: NodeState | undefined, untilMs: number): void {
    if (node === undefined) return
    node.maintenanceUntilMs = untilMs
    this.#state.touch(node)
  }

  #isOurs(pool: PoolId): boolean {
    const { topology, partition } = this.#options
    return partitionOf(pool, topology.poolPartitions) === partition
  }
}
