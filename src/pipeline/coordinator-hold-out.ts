/**
 * A few alarms are watched and not answered, so that it is known what becomes of alarms: of a node whose work
 * was moved it never is. Off unless it is asked for. Which incident it is follows from its id, so a log that
 * is folded again holds out the same.
 */
import type { Evidence } from '../core/fault.ts'
import type { NodeId } from '../core/ids.ts'
import { logOutput } from '../core/log.ts'
import {
  type HoldOutRecord,
  MODEL_POOL_PARTITION,
  type PromotionRules,
} from '../core/model-life.ts'
import type { Policy } from '../core/policy.ts'
import { DAY_MS } from '../core/time.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { Draws } from '../decide/draws.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, Incident, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** A node that is watched until a horizon is over. */
export interface HoldOut {
  readonly incident: Incident
  readonly sinceMs: number
  readonly untilMs: number
}

/** Of one pool. A day's number counts from 1970. */
export interface HoldOuts {
  readonly open: Map<NodeId, HoldOut>
  day: number
  dayCount: number
}

export class HoldOutDesk {
  readonly #topology: Topology
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  #rules: PromotionRules

  constructor(topology: Topology, state: CoordinatorState, outbox: Outbox, rules: PromotionRules) {
    this.#topology = topology
    this.#state = state
    this.#outbox = outbox
    this.#rules = rules
  }

  /** Rules from here on. */
  rule(rules: PromotionRules): void {
    this.#rules = rules
  }

  /** As the journal has it: an estimate from it needs nothing else. */
  get propensity(): Evidence {
    return { what: 'propensityRatio', value: this.#rules.holdOutRatio, limit: null }
  }

  /** Why the node is only watched; null: it is acted upon. Asked when nothing else speaks against it. */
  reasonFor(pool: PoolState, incident: Incident, policy: Policy): string | null {
    const { node } = incident
    if (!incident.holdOutDrawn) {
      incident.holdOutDrawn = true
      this.#draw(pool, incident, policy)
    }
    const held = pool.holdOuts.open.get(node.id)
    if (held === undefined) return null
    // It alarms anew, people want it done, or something urgent came to it: it is not waited any longer.
    if (held.incident !== incident || incident.approved !== null || this.#isUrgent(node)) {
      pool.holdOuts.open.delete(node.id)
      return null
    }
    const chance = `${100 * this.#rules.holdOutRatio} %`
    return `node ${node.id} is held out, as ${chance} of such alarms are: it is watched until its horizon is over`
  }

  #draw({ holdOuts }: PoolState, incident: Incident, policy: Policy): void {
    const { holdOutRatio, holdOutsPerDay } = this.#rules
    const { node, id, cause, approved } = incident
    if (holdOutRatio === 0 || cause !== 'predicted' || policy.dryRun) return
    if (node.model === null || approved !== null || this.#isUrgent(node)) return
    const { nowMs: sinceMs } = this.#outbox
    const day = Math.floor(sinceMs / DAY_MS)
    if (day !== holdOuts.day) Object.assign(holdOuts, { day, dayCount: 0 })
    if (holdOuts.dayCount >= holdOutsPerDay || holdOuts.open.has(node.id)) return
    if (new Draws(`hold-out/${id}`).ratio() >= holdOutRatio) return
    holdOuts.dayCount++
    holdOuts.open.set(node.id, { incident, sinceMs, untilMs: sinceMs + node.model.horizonMs })
  }

  /** CRITICAL and HIGH work is nothing to try something out on. */
  #isUrgent({ id }: NodeState): boolean {
    const { ledger } = this.#state
    return [...ledger.workloadsOn(id)].some((workload) => {
      const priority = ledger.get(workload)?.priority
      return priority === 'CRITICAL' || priority === 'HIGH'
    })
  }

  /** Whether the node was held out; its failure is then known to have come. */
  failed(node: NodeState): boolean {
    const { open } = this.#state.pool(node.pool).holdOuts
    const held = open.get(node.id)
    if (held === undefined) return false
    open.delete(node.id)
    this.#tell(held, true)
    return true
  }

  /** Ends what has had its horizon. A node that has fallen silent may have failed: nothing is known of it. */
  follow(): void {
    for (const pool of this.#state.pools.values()) {
      for (const [id, held] of pool.holdOuts.open) {
        const { incident, untilMs } = held
        const isLive = this.#state.livenessOf(incident.node) === 'live'
        const isHere = this.#state.nodes.get(id) === incident.node && incident.node.pool === pool.id
        if (!isHere) pool.holdOuts.open.delete(id)
        else if (untilMs <= this.#outbox.nowMs) {
          pool.holdOuts.open.delete(id)
          if (isLive) this.#tell(held, false)
          pool.stirred.add(incident)
          pool.dirty = true
        }
      }
    }
  }

  #tell({ incident, sinceMs }: HoldOut, failed: boolean): void {
    const { node } = incident
    const { holdOutRatio: propensityRatio } = this.#rules
    const place = { nodeClass: node.class, pool: node.pool }
    const body: HoldOutRecord = { ...place, sinceMs, propensityRatio, failed }
    const topic = topicName(this.#topology, 'pool-log')
    this.#outbox.push(logOutput(topic, MODEL_POOL_PARTITION, 'model-hold-out', node.class, body))
    if (failed) return
    this.#outbox.journal({
      kind: 'outcome',
      pool: node.pool,
      incidentId: incident.id,
      node: node.id,
      reasons: [`Node ${node.id} was held out and did not fail within the horizon.`],
      evidence: [{ what: 'outcome', value: 'held-out-quiet', limit: null }, this.propensity],
    })
  }
}
