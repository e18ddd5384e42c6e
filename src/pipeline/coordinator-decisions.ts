/**
 * Looks at the open incidents of a pool after something has changed, and sends what admission lets
 * through. Every refusal is written down once, and again only after it had stopped applying.
 */
import type { CommandAction, Rail } from '../core/command.ts'
import type { WorkloadId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import { PRIORITY_RANK } from '../core/workload.ts'
import type { WaitingQueueView } from '../core/waiting.ts'
import {
  type Admission,
  admit,
  type Ask,
  type Held,
  laneOf,
  type RailCheck,
} from '../decide/admission.ts'
import { commandSentence } from '../decide/explain.ts'
import { isCare, type PlanCause } from '../recover/plan.ts'
import { isAchieved, isUnderWay, type Step } from '../recover/step.ts'
import type { ChoiceDesk } from './coordinator-choices.ts'
import type { CommandDesk } from './coordinator-commands.ts'
import { emergencyOf } from './coordinator-emergency.ts'
import type { HoldOutDesk } from './coordinator-hold-out.ts'
import type { IncidentDesk } from './coordinator-incidents.ts'
import type { Outbox } from './coordinator-outbox.ts'
import { endOfRelief } from './coordinator-relief.ts'
import type { PlanDesk } from './coordinator-plans.ts'
import type { ProposalDesk } from './coordinator-proposals.ts'
import { RefusalDesk } from './coordinator-refusals.ts'
import { SharedCauseDesk } from './coordinator-shared-causes.ts'
import type { CoordinatorState, Incident, PoolState } from './coordinator-state.ts'
import type { TargetDesk } from './coordinator-targets.ts'
import type { NodeState } from './node-state.ts'

/** After all recovery. */
const PREEMPTIVE_RANKS: Readonly<Partial<Record<PlanCause, number>>> = {
  corrupt: 8,
  predicted: 9,
  overloaded: 10,
}
/** Refusals that concern one workload; any other rail holds for every step of the node. */
const WORKLOAD_RAILS: ReadonlySet<Rail> = new Set(['attempts', 'capacity', 'in-flight'])

/** Why nodes have to vote on it first. */
type Voted = (pool: PoolState, node: NodeState, action: CommandAction) => string | null

export class DecisionDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #commands: CommandDesk
  readonly #incidents: IncidentDesk
  readonly #choices: ChoiceDesk
  readonly #plans: PlanDesk
  readonly #refusals: RefusalDesk
  readonly #holdOuts: HoldOutDesk
  readonly #sharedCauses: SharedCauseDesk
  readonly #targets: TargetDesk
  readonly #policyFor: (pool: PoolState) => Policy
  readonly #rails: readonly RailCheck[]
  readonly #heldBack: (node: NodeState) => Held | null
  readonly #voted: Voted

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    commands: CommandDesk,
    incidents: IncidentDesk,
    choices: ChoiceDesk,
    plans: PlanDesk,
    proposals: ProposalDesk,
    holdOuts: HoldOutDesk,
    policyFor: (pool: PoolState) => Policy,
    rails: readonly RailCheck[],
    heldBack: (node: NodeState) => Held | null,
    voted: Voted,
    targets: TargetDesk,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#commands = commands
    this.#incidents = incidents
    this.#choices = choices
    this.#plans = plans
    this.#refusals = new RefusalDesk(outbox, proposals, holdOuts, policyFor)
    this.#holdOuts = holdOuts
    this.#sharedCauses = new SharedCauseDesk(outbox, policyFor)
    this.#targets = targets
    this.#policyFor = policyFor
    this.#rails = rails
    this.#heldBack = heldBack
    this.#voted = voted
  }

  /** One pass over what is open; it leaves the pool settled until the next change or its due time. */
  decide(pool: PoolState): void {
    pool.dirty = false
    const isDue = this.#outbox.nowMs >= pool.dueMs
    if (isDue) this.#stirTimedOut(pool)
    const waiting = this.#inOrder(this.#awake(pool))
    this.#targets.begin(pool, this.#policyFor(pool))
    pool.woken.clear()
    pool.stirred.clear()
    for (const incident of waiting) {
      if (this.#isOver(incident)) continue
      this.#advance(pool, incident)
      pool.dueMs = Math.min(pool.dueMs, incident.dueMs)
    }
    this.#targets.end(pool)
    this.#sharedCauses.tell(pool)
    // Until then it may be too early, which costs a look in vain.
    if (isDue) pool.dueMs = earliest(pool)
  }

  /** What waits for room, of each pool. */
  waiting(): readonly WaitingQueueView[] {
    return this.#targets.waiting()
  }

  /** An alarm that is not raised yet: admission says why nothing is done, and it is journaled. */
  refuseEarly(node: NodeState): void {
    const pool = this.#state.pool(node.pool)
    const admission = admit(this.#ask(pool, node, 'cordon', null), this.#rails)
    if (!admission.ok) this.#refusals.journal(pool, node, null, 'cordon', null, admission)
  }

  /** Those that something has changed for; a pool may have thousands that wait for an operator. */
  #awake({ incidents, stirred, woken }: PoolState): readonly Incident[] {
    const awake = new Set<Incident>()
    for (const incident of stirred) if (incidents.get(incident.id) === incident) awake.add(incident)
    for (const rail of woken) for (const incident of incidents.refusedBy(rail)) awake.add(incident)
    return [...awake]
  }

  /** No rail holds back what a strategy or a step waits for: its own time is what ends it. */
  #stirTimedOut({ incidents, stirred }: PoolState): void {
    for (const incident of incidents.all()) {
      const { choice, dueMs } = incident
      const { nowMs } = this.#outbox
      const isTimedOut = choice !== null && !choice.ended && choice.untilMs <= nowMs
      if (isTimedOut || dueMs <= nowMs) stirred.add(incident)
    }
  }

  /**
   * Undoing first, then recovery by the most urgent workload, then what is likeliest to fail. What is begun is
   * finished before the like of it is begun.
   */
  #inOrder(incidents: readonly Incident[]): readonly Incident[] {
    const rated = incidents.map((incident) => ({
      incident,
      rank:
        incident.cause === 'release'
          ? -1
          : (PREEMPTIVE_RANKS[incident.cause] ?? this.#urgency(incident)),
    }))
    rated.sort(
      (a, b) =>
        a.rank - b.rank ||
        Number(isBegun(b.incident)) - Number(isBegun(a.incident)) ||
        (b.incident.node.probability ?? 0) - (a.incident.node.probability ?? 0) ||
        a.incident.openedAtMs - b.incident.openedAtMs ||
        (a.incident.id < b.incident.id ? -1 : 1),
    )
    return rated.map(({ incident }) => incident)
  }

  #urgency({ node }: Incident): number {
    let rank = PRIORITY_RANK.LOW
    for (const workload of this.#state.ledger.workloadsOn(node.id)) {
      rank = Math.min(rank, this.#priority(workload))
    }
    return rank
  }

  #priority(workload: WorkloadId): number {
    return PRIORITY_RANK[this.#state.ledger.get(workload)?.priority ?? 'NORMAL']
  }

  /** Closes an incident whose reason is gone. */
  #isOver(incident: Incident): boolean {
    const reason = this.#endOf(incident)
    if (reason === null) return false
    this.#incidents.close(incident, reason, true)
    return true
  }

  #endOf(incident: Incident): string | null {
    const { node, cause, steps } = incident
    if (cause === 'release') {
      const step = steps.get('uncordon')
      return step !== undefined && isAchieved(step) ? `Node ${node.id} takes work again.` : null
    }
    if (cause === 'overloaded') return endOfRelief(this.#state, incident)
    if (cause === 'corrupt') {
      const isRight = !this.#state.wrongReplicas.has(node.id)
      return isRight ? `The data of node ${node.id} is as its other holders have it.` : null
    }
    if (cause === 'predicted') {
      return node.alarm.raised ? null : `The alarm of node ${node.id} is cleared.`
    }
    // Who had it fenced lets it back.
    if (cause === 'cut-off') return null
    if (cause === 'silent') {
      const back = this.#state.livenessOf(node) === 'live'
      return back ? `Node ${node.id} is heard of again.` : null
    }
    if (node.failedAtMs === null) return `Node ${node.id} is back after its failure.`
    for (const workload of this.#state.ledger.workloadsOn(node.id)) {
      const step = steps.get(`recover:${workload}`)
      if (step === undefined || !isAchieved(step)) return null
    }
    // What has moved is not verified yet.
    if ([...steps.values()].some((step) => step.workload !== null && isUnderWay(step))) return null
    return `Nothing is left to recover from node ${node.id}.`
  }

  #advance(pool: PoolState, incident: Incident): void {
    const refused = new Set<Rail>()
    incident.dueMs = Number.POSITIVE_INFINITY
    this.#choices.follow(incident)
    if (this.#isDownUnrestarted(incident)) return
    for (const step of this.#plans.follow(incident)) {
      const admission = this.#tryStep(pool, incident, step)
      // What waits for the fence by itself is sent beside it.
      if (admission.ok && step.action === 'fence') this.#state.stirIncident(incident)
      if (admission.ok) continue
      const known = incident.refused.has(admission.rail) || refused.has(admission.rail)
      if (!known) {
        const { action, workload } = step
        this.#refusals.journal(pool, incident.node, incident, action, workload, admission)
        if (admission.rail === 'attempts') this.#refusals.alertAttempts(incident, admission.reason)
        if (admission.rail === 'mode') this.#refusals.alertApproval(pool, incident)
      }
      refused.add(admission.rail)
      if (!WORKLOAD_RAILS.has(admission.rail)) break
    }
    pool.incidents.setRefused(incident, refused)
  }

  /** The silence that a restart had explained outlasts it: it is an incident of its own gravity now. */
  #isDownUnrestarted(incident: Incident): boolean {
    const { node, cause, choice } = incident
    if (choice === null || cause !== 'predicted' || this.#choices.explainsSilence(incident)) {
      return false
    }
    if (this.#state.livenessOf(node) !== 'silent' || node.failedAtMs !== null) return false
    this.#incidents.raiseSilent(node)
    return true
  }

  #tryStep(pool: PoolState, incident: Incident, given: Step): Admission {
    const { node } = incident
    const policy = this.#policyFor(pool)
    const step = this.#rested(incident, incident.steps.get(given.stepId) ?? given, policy)
    const action = this.#targets.wayOf(step)
    const admission =
      laneOf(action) === 'release' && step.attempts >= policy.attemptsMax
        ? resting(step, policy)
        : admit(this.#ask(pool, node, action, step.workload, incident, step), this.#rails)
    if (!admission.ok) {
      this.#noteDue(pool, incident, policy)
      return admission
    }
    const what = commandSentence(action, step.workload, node.id, admission.target)
    this.#plans.begin(incident, step)
    const newest = { ...(incident.steps.get(step.stepId) ?? step), action }
    const reasons = [...incident.reasons, what, ...(admission.why === null ? [] : [admission.why])]
    this.#commands.send(incident, newest, admission.target, reasons)
    return admission
  }

  /**
   * Neither undoing nor recovery is given up, or a node or work would be out for good: what has used up its
   * attempts may be tried anew after a cooldown.
   */
  #rested(incident: Incident, step: Step, { attemptsMax, cooldownMs }: Policy): Step {
    const { resumesAtMs, steps } = incident
    if (laneOf(step.action) === 'preemptive' || step.attempts < attemptsMax) {
      resumesAtMs.delete(step.stepId)
      return step
    }
    const { nowMs } = this.#outbox
    const resumeAtMs = resumesAtMs.get(step.stepId) ?? nowMs + cooldownMs
    if (nowMs < resumeAtMs) {
      resumesAtMs.set(step.stepId, resumeAtMs)
      incident.dueMs = Math.min(incident.dueMs, resumeAtMs)
      return step
    }
    resumesAtMs.delete(step.stepId)
    const rested = { ...step, attempts: 0 }
    steps.set(step.stepId, rested)
    return rested
  }

  #ask(
    pool: PoolState,
    node: NodeState,
    action: CommandAction,
    workload: WorkloadId | null,
    incident: Incident | null = null,
    step: Step | null = null,
  ): Ask {
    const policy = this.#policyFor(pool)
    const { nowMs } = this.#outbox
    const lane = laneOf(action)
    const other = node.acted !== null && node.acted.incidentId !== incident?.id
    return {
      action,
      node: node.id,
      workload,
      nowMs,
      policy,
      mode: pool.mode ?? policy.mode,
      approved: incident?.approved ?? null,
      stopped: pool.stopped ?? (nowMs < pool.heldUntilMs ? pool.held : null),
      vetoed: node.vetoed,
      maintenanceUntilMs: node.maintenanceUntilMs,
      window: this.#state.windows.holding(node),
      liveness: this.#state.livenessOf(node),
      confirmed: node.failedAtMs !== null,
      zone: this.#state.zoneOf(node),
      emergency: emergencyOf(this.#state, pool, policy, nowMs),
      held: this.#heldBack(node),
      probability: node.probability,
      actingPoint: node.actingPoint,
      overCount: node.alarm.overCount,
      // What carries too much needs no alarm to be relieved, nor do wrong data.
      alarmRaised: node.alarm.raised || (incident !== null && isCare(incident.cause)),
      attempts: step?.attempts ?? 0,
      lastPreemptiveAtMs: other ? (node.acted?.lastAtMs ?? null) : null,
      budget: {
        nodeCount: pool.activeNodeCount,
        busyCount: pool.repairs.count(lane),
        nodeIsBusy: pool.repairs.has(lane, node.id),
      },
      target:
        workload === null
          ? null
          : action === 'promote'
            ? () => this.#targets.standby(workload)
            : () => this.#targets.choose(pool, node, workload, policy),
      inFlight: workload === null ? null : (pool.flightOf.get(workload) ?? null),
      voted: () => this.#voted(pool, node, action),
      heldOut:
        incident === null || lane !== 'preemptive'
          ? null
          : () => this.#holdOuts.reasonFor(pool, incident, policy),
    }
  }

  /** Time alone may end a refusal: of maintenance, of a hold, of a cooldown. */
  #noteDue(pool: PoolState, incident: Incident, policy: Policy): void {
    const { node } = incident
    const times = [
      node.maintenanceUntilMs,
      this.#state.windows.holding(node)?.endMs ?? null,
      pool.held === null ? null : pool.heldUntilMs,
      node.acted === null ? null : node.acted.lastAtMs + policy.cooldownMs,
    ]
    for (const atMs of times) {
      if (atMs !== null && atMs > this.#outbox.nowMs)
        incident.dueMs = Math.min(incident.dueMs, atMs)
    }
  }
}

function resting({ attempts }: Step, { attemptsMax }: Policy): Admission {
  const reason = `${attempts} of ${attemptsMax} attempts are used up; more follow after a rest`
  return { ok: false, rail: 'attempts', reason }
}

function isBegun({ plan }: Incident): boolean {
  return plan !== null && plan.endedAtMs === null
}

/** When time alone changes something next. */
function earliest({ flights, incidents }: PoolState): number {
  let dueMs = Number.POSITIVE_INFINITY
  for (const { deadlineMs } of flights.values()) dueMs = Math.min(dueMs, deadlineMs)
  for (const incident of incidents.all()) dueMs = Math.min(dueMs, incident.dueMs)
  return dueMs
}
