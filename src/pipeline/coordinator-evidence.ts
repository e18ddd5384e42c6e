/**
 * Runs each pool's detectors on what the fold sees, and does what follows from a fault: silence and
 * foretold failures become incidents with plans.
 */
import type { Assessment } from '../core/assessment.ts'
import type { Fault } from '../core/fault.ts'
import type { PoolId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import { DetectorSet } from '../detect/detector-set.ts'
import { heartbeat } from '../detect/heartbeat.ts'
import { predictedFailure } from '../detect/predicted-failure.ts'
import { type IncidentDesk, whyOf } from './coordinator-incidents.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

export class EvidenceDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #incidents: IncidentDesk
  readonly #policyFor: (pool: PoolId) => Policy
  readonly #sets = new Map<PoolId, DetectorSet>()

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    incidents: IncidentDesk,
    policyFor: (pool: PoolId) => Policy,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#incidents = incidents
    this.#policyFor = policyFor
  }

  assess(node: NodeState, row: Assessment): void {
    if (node.failedAtMs !== null) return
    const told = this.#set(node.pool).take(
      {
        kind: 'assessment',
        row,
        liveness: this.#state.livenessOf(node),
        probability: node.probability,
        top: node.top,
        alarmRaised: node.alarm.raised,
        actingPoint: node.actingPoint,
        model: node.model,
      },
      this.#outbox.nowMs,
    )
    for (const { state, fault } of told) {
      if (state !== 'cleared' && fault.node === node.id) this.#act(node, fault)
    }
  }

  /** `DETECTOR/FIGURE` → number, over the pools. */
  stats(): Readonly<Record<string, number>> {
    const totals: Record<string, number> = {}
    for (const set of this.#sets.values()) {
      for (const [figure, value] of Object.entries(set.stats())) {
        totals[figure] = (totals[figure] ?? 0) + value
      }
    }
    return totals
  }

  #set(pool: PoolId): DetectorSet {
    let set = this.#sets.get(pool)
    if (set === undefined) {
      set = new DetectorSet(pool, this.#policyFor(pool).detectors)
      this.#sets.set(pool, set)
    }
    return set
  }

  /** A fault that a plan answers. */
  #act(node: NodeState, fault: Fault): void {
    if (fault.detector === heartbeat.name) {
      this.#incidents.raise(node, 'silent', fault, whyOf(node, 'silent'))
    } else if (fault.detector === predictedFailure.name && node.incident === null) {
      this.#incidents.raise(node, 'predicted', fault, whyOf(node, 'predicted'))
    }
  }
}
