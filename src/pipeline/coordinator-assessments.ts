/** What watchers say of nodes: liveness, health, probabilities and anomalies. */
import type { Assessment, AssessmentRecord, ModelRef } from '../core/assessment.ts'
import type { PoolId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import { actingPointOf } from '../decide/acting-point.ts'
import { nextAlarm } from '../decide/alarm.ts'
import { anomalyReason } from '../decide/explain.ts'
import { detectAnomaly } from '../detect/anomaly/node-anomaly.ts'
import type { DecisionDesk } from './coordinator-decisions.ts'
import type { EvidenceDesk } from './coordinator-evidence.ts'
import type { NodeFactDesk } from './coordinator-facts.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

export class AssessmentDesk {
  readonly #policyFor: (pool: PoolId) => Policy
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #facts: NodeFactDesk
  readonly #evidence: EvidenceDesk
  readonly #decisions: DecisionDesk

  constructor(
    { policyFor }: { readonly policyFor: (pool: PoolId) => Policy },
    state: CoordinatorState,
    outbox: Outbox,
    facts: NodeFactDesk,
    evidence: EvidenceDesk,
    decisions: DecisionDesk,
  ) {
    this.#policyFor = policyFor
    this.#state = state
    this.#outbox = outbox
    this.#facts = facts
    this.#evidence = evidence
    this.#decisions = decisions
  }

  take({ source, late, model, rows }: AssessmentRecord): void {
    if (late !== this.#state.lateSources.has(source)) this.#turnLate(source, late)
    for (const row of rows) if (!this.#facts.hasLeft(row)) this.#assess(row, model, late)
  }

  /** The watcher of these nodes lost sight of them, or has it again. */
  #turnLate(source: number, late: boolean): void {
    if (late) this.#state.lateSources.add(source)
    else this.#state.lateSources.delete(source)
    for (const node of this.#state.nodes.values()) {
      if (node.partition === source) this.#state.touch(node)
    }
  }

  #assess(row: Assessment, model: ModelRef | null, late: boolean): void {
    const node = this.#state.node(row.node, row.pool)
    const before = node.liveness
    node.class = row.class
    node.silentForMs = row.silentForMs
    node.health = row.health
    node.lastSeenAtMs = row.lastSeenAtMs
    // A late watcher says `unknown` of every node; what it last knew for certain is kept beneath.
    if (!late) node.liveness = row.liveness
    if (before !== node.liveness) this.#state.touch(node)
    this.#facts.noteSign(node, row)
    this.#assessProbability(node, row, model)
    this.#evidence.assess(node, row)
    if (node.failedAtMs === null) this.#tellAnomaly(row)
    this.#state.touched.add(node)
  }

  #assessProbability(node: NodeState, row: Assessment, model: ModelRef | null): void {
    if (row.probability === null || row.trigger === 'liveness') return
    const policy = this.#policyFor(node.pool)
    const actingPoint = actingPointOf(policy.actingPoint, model)
    node.probability = row.probability
    node.actingPoint = actingPoint
    node.model = model
    // Of an alarm that stands, reasons that did not change are not told again.
    if (row.top.length > 0 || !node.alarm.raised) node.top = row.top
    if (actingPoint === null) return
    const before = node.alarm
    node.alarm = nextAlarm(before, row.probability, actingPoint, policy)
    if (before.raised !== node.alarm.raised || before.overCount !== node.alarm.overCount) {
      this.#state.touch(node)
    }
    const firstOver = before.overCount === 0 && node.alarm.overCount > 0
    if (firstOver && !node.alarm.raised) this.#decisions.refuseEarly(node)
  }

  /** People are told; nothing moves for an anomaly alone. */
  #tellAnomaly(row: Assessment): void {
    const fault = detectAnomaly(row, this.#outbox.nowMs)
    if (fault === null) return
    this.#outbox.alert({
      kind: 'anomaly',
      pool: row.pool,
      node: row.node,
      zone: this.#state.nodes.get(row.node)?.zone ?? null,
      severity: fault.severity,
      message: anomalyReason(row.node, fault.evidence),
      incidentId: null,
      evidence: fault.evidence,
    })
  }
}
