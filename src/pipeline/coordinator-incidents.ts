/** Incidents from opening to closing, and what became of each failure: foreseen or missed. */
import type { AlertRecord } from '../core/alert.ts'
import type { Fault } from '../core/fault.ts'
import type { FailureEvent } from '../core/node.ts'
import { failureReason, featureReasons, lasting } from '../decide/explain.ts'
import { predictionReason, silenceReason } from '../decide/explain.ts'
import { never } from '../core/errors.ts'
import { heartbeat } from '../detect/heartbeat.ts'
import type { WorkloadId } from '../core/ids.ts'
import { isCare, type PlanCause } from '../recover/plan.ts'
import type { ChoiceDesk } from './coordinator-choices.ts'
import { type CommandDesk, flightsOf } from './coordinator-commands.ts'
import type { HoldOutDesk } from './coordinator-hold-out.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { PlanDesk } from './coordinator-plans.ts'
import type { ReturnDesk } from './coordinator-returns.ts'
import type { CoordinatorState, Incident } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

const ALERT_KINDS: Readonly<Record<Exclude<PlanCause, 'release'>, AlertRecord['kind']>> = {
  overloaded: 'fault',
  corrupt: 'fault',
  predicted: 'prediction',
  'cut-off': 'failure',
  silent: 'failure',
  failed: 'failure',
}
/** From the least grave. */
const CAUSES: readonly PlanCause[] = [
  'release',
  'overloaded',
  'corrupt',
  'predicted',
  'cut-off',
  'silent',
  'failed',
]

export class IncidentDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #commands: CommandDesk
  readonly #choices: ChoiceDesk
  readonly #plans: PlanDesk
  readonly #returns: ReturnDesk
  readonly #holdOuts: HoldOutDesk
  #openedCount = 0
  #foreseenCount = 0
  #missedCount = 0

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    commands: CommandDesk,
    choices: ChoiceDesk,
    plans: PlanDesk,
    returns: ReturnDesk,
    holdOuts: HoldOutDesk,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#commands = commands
    this.#choices = choices
    this.#plans = plans
    this.#returns = returns
    this.#holdOuts = holdOuts
  }

  get openedCount(): number {
    return this.#openedCount
  }

  get foreseenCount(): number {
    return this.#foreseenCount
  }

  get missedCount(): number {
    return this.#missedCount
  }

  /** Opens an incident, or lets the open one of the node become the graver thing that it is now. */
  raise(node: NodeState, cause: Exclude<PlanCause, 'release'>, fault: Fault, why: string): void {
    const pool = this.#state.pool(node.pool)
    const open = node.incident
    const reasons = [why, ...(cause === 'predicted' ? featureReasons(node.top) : [])]
    if (open !== null && gravity(open.cause) >= gravity(cause)) return
    if (open !== null && cause === 'silent' && this.#choices.explainsSilence(open)) return
    this.#returns.withdraw(node, why)
    if (open === null) {
      for (const other of pool.incidents.ofNode(node)) {
        if (other.cause === 'release') this.drop(other, 'superseded')
      }
      const id = this.#outbox.incidentId(pool.id)
      const planId = this.#outbox.planId(id)
      const incident: Incident = {
        id,
        planId,
        node,
        openedAtMs: this.#outbox.nowMs,
        cause,
        kinds: [],
        reasons,
        evidence: fault.evidence,
        steps: new Map(),
        share: 1,
        plan: null,
        actedBefore: node.acted,
        choice: null,
        approved: null,
        proposedAtMs: null,
        holdOutDrawn: false,
        overridden: false,
        refused: new Set(),
        dueMs: Number.POSITIVE_INFINITY,
        resumesAtMs: new Map(),
      }
      node.incident = incident
      pool.incidents.add(incident)
      this.#openedCount++
    } else {
      this.#commands.withdraw(why, flightsOf(pool, open))
      Object.assign(open, { cause, reasons, evidence: fault.evidence, approved: null })
      pool.incidents.setRefused(open, new Set())
    }
    if (cause !== 'predicted' && !isCare(cause)) {
      this.#commands.withdrawFrom(node, `Its target is gone: ${why}`)
    }
    this.#announce(node, cause, fault, reasons)
    if (cause !== 'cut-off' && !isCare(cause)) {
      this.#choices.begin(node.incident!, cause, fault)
    }
    this.#state.touch(node)
  }

  /** Without a new word of the node: it is known to be silent. */
  raiseSilent(node: NodeState): void {
    const { nowMs } = this.#outbox
    const { silentForMs } = node
    const fault: Fault = {
      detector: heartbeat.name,
      kind: 'service-unavailability',
      subject: node.id,
      node: node.id,
      pool: node.pool,
      atMs: nowMs,
      severity: 'critical',
      confidenceRatio: 1,
      evidence: [{ what: 'silentForMs', value: silentForMs, limit: null }],
    }
    this.raise(node, 'silent', fault, whyOf(node, 'silent'))
  }

  #announce(
    node: NodeState,
    cause: Exclude<PlanCause, 'release'>,
    { severity, evidence }: Fault,
    reasons: readonly string[],
  ): void {
    const incidentId = node.incident!.id
    const kind = ALERT_KINDS[cause]
    this.#outbox.journal({
      kind: 'incident-opened',
      pool: node.pool,
      incidentId,
      node: node.id,
      reasons,
      evidence,
    })
    this.#outbox.alert({
      kind,
      pool: node.pool,
      node: node.id,
      zone: node.zone,
      severity,
      message: reasons.join(' '),
      incidentId,
    })
  }

  /**
   * Ends an incident: nothing new is sent for it, and what shielded the node is undone. `mended`: its
   * reason is gone.
   */
  close(incident: Incident, reason: string, mended = false): void {
    const { node } = incident
    this.#choices.close(incident, mended)
    this.#plans.close(incident, mended)
    const pool = this.#state.pool(node.pool)
    this.#commands.withdraw(reason, flightsOf(pool, incident))
    pool.incidents.delete(incident)
    if (node.incident === incident) node.incident = null
    if (incident.cause !== 'release') {
      this.#outbox.journal({
        kind: 'incident-closed',
        pool: pool.id,
        incidentId: incident.id,
        node: node.id,
        reasons: [reason],
      })
    }
    if (this.#state.nodes.get(node.id) !== node) return
    if (node.failedAtMs === null && isShielded(incident)) this.release(node, incident)
    this.#state.touch(node)
  }

  /** Ends an incident with its plan, and leaves everything as it is. */
  drop(incident: Incident, outcome: 'superseded' | 'lost' = 'lost'): void {
    this.#plans.drop(incident, outcome)
    this.#state.pool(incident.node.pool).incidents.delete(incident)
  }

  /** A node that is watched after its return in part returns whole now, for what waits. */
  hastenReturn(node: NodeState, workload: WorkloadId): void {
    this.#returns.hasten(node, workload)
  }

  /** Nodes that were watched long enough after a return in part. */
  returnWhole(): void {
    for (const [node, { incidentId }] of this.#returns.due()) {
      this.release(node, { id: incidentId, evidence: [] }, 1)
    }
  }

  /** Lets a node take work again, under the incident that had shielded it; a part of it first. */
  release(
    node: NodeState,
    { id, evidence }: Pick<Incident, 'id' | 'evidence'>,
    share = this.#returns.firstShare(node),
  ): void {
    const pool = this.#state.pool(node.pool)
    const incident: Incident = {
      id,
      planId: this.#outbox.planId(id, true),
      node,
      openedAtMs: this.#outbox.nowMs,
      cause: 'release',
      kinds: [],
      reasons: [`Node ${node.id} is fit again and may take work.`],
      evidence,
      steps: new Map(),
      share,
      plan: null,
      actedBefore: null,
      choice: null,
      approved: null,
      proposedAtMs: null,
      holdOutDrawn: false,
      overridden: false,
      refused: new Set(),
      dueMs: Number.POSITIVE_INFINITY,
      resumesAtMs: new Map(),
    }
    pool.incidents.add(incident)
    pool.stirred.add(incident)
    pool.dirty = true
  }

  /** A failure is confirmed: was it foreseen by a command, and how long before? */
  judge(node: NodeState, event: FailureEvent): void {
    const failedAtMs = Math.min(event.atMs, this.#outbox.nowMs)
    if (this.#holdOuts.failed(node)) return this.#journalHeldOut(node, event)
    const firstAtMs = foreseenSince(node, failedAtMs)
    const leadTimeMs = firstAtMs === null ? null : failedAtMs - firstAtMs
    const foreseen = leadTimeMs !== null
    if (foreseen) this.#foreseenCount++
    else this.#missedCount++
    const reason = foreseen
      ? `The failure of node ${node.id} was foreseen ${lasting(leadTimeMs)} before it (${event.failureKind}).`
      : `The failure of node ${node.id} was missed: no command came before it (${event.failureKind}).`
    const incidentId = (foreseen ? node.acted?.incidentId : node.incident?.id) ?? null
    this.#outbox.journal({
      kind: 'outcome',
      pool: node.pool,
      incidentId,
      node: node.id,
      reasons: [reason],
      evidence: [
        { what: 'outcome', value: foreseen ? 'foreseen' : 'missed', limit: null },
        ...(foreseen ? [{ what: 'leadTimeMs', value: leadTimeMs, limit: null }] : []),
        { what: 'failureKind', value: event.failureKind, limit: null },
      ],
    })
    if (foreseen) return
    const severity = 'warning'
    this.#outbox.alert({
      kind: 'missed',
      pool: node.pool,
      node: node.id,
      zone: node.zone,
      severity,
      message: reason,
      incidentId,
    })
  }

  /** It was foreseen and, by chance, not answered: neither a success nor a miss. */
  #journalHeldOut(node: NodeState, { failureKind }: FailureEvent): void {
    this.#outbox.journal({
      kind: 'outcome',
      pool: node.pool,
      incidentId: node.incident?.id ?? null,
      node: node.id,
      reasons: [
        `The failure of node ${node.id} came as foreseen while it was held out (${failureKind}).`,
      ],
      evidence: [
        { what: 'outcome', value: 'held-out-failed', limit: null },
        { what: 'failureKind', value: failureKind, limit: null },
      ],
    })
  }
}

export function whyOf(node: NodeState, cause: PlanCause, failureKind = 'unknown'): string {
  switch (cause) {
    case 'silent':
      return silenceReason(node.id, node.silentForMs)
    case 'cut-off':
      return `Node ${node.id} is on a side of a split network that does not go on.`
    case 'failed':
      return failureReason(node.id, failureKind)
    case 'predicted': {
      const { probability, actingPoint, model } = node
      return predictionReason(node.id, probability ?? 0, actingPoint ?? 1, model?.horizonMs ?? null)
    }
    case 'overloaded':
      return `Node ${node.id} carries too much.`
    case 'corrupt':
      return `Node ${node.id} has data that most of its holders have otherwise.`
    case 'release':
      return `Node ${node.id} is fit again.`
    default:
      return never(cause)
  }
}

function gravity(cause: PlanCause): number {
  return CAUSES.indexOf(cause)
}

/** Its cordon or fence was sent, so it may have been carried out, whatever was heard of it. */
function isShielded({ node, steps }: Incident): boolean {
  if (node.cordonedBy !== null) return true
  return ['cordon', 'fence'].some((stepId) => {
    const step = steps.get(stepId)
    if (step === undefined || step.attempts === 0 || step.state === 'rehearsed') return false
    // Its plan has taken it back, and the node has all of its work's room again.
    return step.state !== 'planned' || step.round === 0
  })
}

/** First preemptive command that still counts: of the open incident, or within the model's horizon. */
function foreseenSince({ acted, incident, model }: NodeState, failedAtMs: number): number | null {
  const firstAtMs = acted?.firstAtMs ?? null
  if (firstAtMs === null || firstAtMs >= failedAtMs) return null
  if (acted?.incidentId === incident?.id) return firstAtMs
  return failedAtMs - firstAtMs <= (model?.horizonMs ?? 0) ? firstAtMs : null
}
