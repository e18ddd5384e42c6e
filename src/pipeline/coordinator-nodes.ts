/**
 * Records of the compacted topic `nodes`. Where something happens to a node it is written at once; what
 * is only newer than before (a first sight, a fresh value) is paced by the log's time, because a fleet
 * of a million is first seen within seconds, and the rest of the loop must go on meanwhile.
 */
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** Of those that nothing happens to: in a second of the log's time, and of one record at most. */
const NODES_PER_SECOND = 4_000
const NODES_AT_ONCE_MAX = 1_000

export class NodeDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  /** In the order in which they became out of date. */
  readonly #waiting = new Set<NodeState>()
  /** Goes on where it was: begun anew for each record, it would step over all that were taken out. */
  #next = this.#waiting.values()
  /** Whose record says that something happened to them. */
  readonly #stirred = new WeakSet<NodeState>()
  #allowance = NODES_AT_ONCE_MAX
  #allowedAtMs = 0

  constructor(state: CoordinatorState, outbox: Outbox) {
    this.#state = state
    this.#outbox = outbox
  }

  /** Nodes whose record is out of date. */
  get waitingCount(): number {
    return this.#waiting.size
  }

  /** Once for each record, when all else has been decided. */
  publish(): void {
    const { touched } = this.#state
    for (const node of touched) {
      if (isCalm(node) && !this.#stirred.has(node)) this.#waiting.add(node)
      else this.#write(node)
    }
    touched.clear()
    const { nowMs } = this.#outbox
    const earned = Math.floor(((nowMs - this.#allowedAtMs) * NODES_PER_SECOND) / 1_000)
    if (earned > 0) {
      this.#allowance = Math.min(NODES_AT_ONCE_MAX, this.#allowance + earned)
      this.#allowedAtMs = nowMs
    }
    while (this.#allowance > 0 && this.#waiting.size > 0) {
      const { value: node } = this.#next.next()
      if (node === undefined) {
        this.#next = this.#waiting.values()
        continue
      }
      this.#allowance -= 1
      this.#write(node)
    }
  }

  #write(node: NodeState): void {
    this.#waiting.delete(node)
    // It has left meanwhile, which was written then.
    if (this.#state.nodes.get(node.id) !== node) return
    if (isCalm(node)) this.#stirred.delete(node)
    else this.#stirred.add(node)
    const { nowMs } = this.#outbox
    this.#outbox.node(
      {
        node: node.id,
        pool: node.pool,
        class: node.class,
        zone: node.zone,
        liveness: this.#state.livenessOf(node),
        failed: node.failedAtMs !== null,
        health: node.health,
        probability: node.probability,
        alarming: node.alarm.raised,
        cordoned: node.cordonedBy !== null,
        maintenance: this.#state.isInMaintenance(node, nowMs),
        vetoed: node.vetoed !== null,
        incident: node.incident?.id ?? null,
        lastSeenAtMs: node.lastSeenAtMs,
        atMs: nowMs,
      },
      node.partition,
    )
  }
}

/**
 * Well and left alone, as far as we know: when our own view is late, a whole fleet turns unknown and back.
 */
function isCalm(node: NodeState): boolean {
  return (
    node.liveness !== 'silent' &&
    node.failedAtMs === null &&
    !node.alarm.raised &&
    node.incident === null &&
    node.cordonedBy === null &&
    node.vetoed === null &&
    node.maintenanceUntilMs === null
  )
}
