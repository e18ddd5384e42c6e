/**
 * The plan of each incident: which steps it has, which of them may go, and how it ends. A plan that
 * cannot be finished is taken back where that does no harm, and each says in the journal how it ended.
 */
import type { CommandAction } from '../core/command.ts'
import type { Evidence } from '../core/fault.ts'
import type { Policy } from '../core/policy.ts'
import { PRIORITY_RANK } from '../core/workload.ts'
import { type Dropped, orderByDependency, type Ordered } from '../recover/dependencies.ts'
import {
  isFree,
  outcomeOf,
  passesAtMs,
  planFor,
  type PlanOutcome,
  type PlanStrategy,
  type PlanView,
  strategyFor,
} from '../recover/plan.ts'
import {
  isAchieved,
  isDone,
  isOpen,
  isUnderWay,
  MOVES,
  planStep,
  type Step,
  STEP_RULES,
  stepIdOf,
  undoneBy,
} from '../recover/step.ts'
import type { Outbox } from './coordinator-outbox.ts'
import { leavingOf } from './coordinator-relief.ts'
import type { CoordinatorState, Incident, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'
import { circleSentence, endSentences, stepsSentences } from './plan-text.ts'

/** Before the id of the step that it takes back. */
const UNDO = 'undo:'
/** Circles that are told of at once. */
const CIRCLES_TOLD_MAX = 16

const ACTIONS_OF: Readonly<Record<PlanStrategy, readonly CommandAction[]>> = {
  wait: [],
  restart: ['restart'],
  migrate: ['cordon', 'migrate'],
  'fail-over': ['fence', 'recover', 'promote'],
  redistribute: ['migrate'],
  replicate: ['replicate'],
  return: ['uncordon'],
}

/** From the first command of a plan to its end. */
export interface OpenPlan {
  readonly strategy: PlanStrategy
  readonly beganAtMs: number
  /** How it ends; what is to be taken back may be under way still. */
  outcome: PlanOutcome | null
  endedAtMs: number | null
  compensatedCount: number
}

export class PlanDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #policyFor: (pool: PoolState) => Policy
  readonly #corruption: (node: NodeState) => string | null
  readonly #hasStandby: (step: Step) => boolean
  /** Returns of which it was told that they wait. */
  readonly #waiting = new WeakSet<Incident>()

  /**
   * `corruption`: what is wrong with the data of a node, or null. `hasStandby`: the workload of a step goes
   * on from its standby.
   */
  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    policyFor: (pool: PoolState) => Policy,
    corruption: (node: NodeState) => string | null,
    hasStandby: (step: Step) => boolean,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#policyFor = policyFor
    this.#corruption = corruption
    this.#hasStandby = hasStandby
  }

  /**
   * Brings the plan up to date, and gives the steps that may go, the most urgent first. It follows the
   * placements: a workload found on the node later gets its step as well.
   */
  follow(incident: Incident): readonly Step[] {
    const { steps } = incident
    if (incident.cause === 'release' && this.#waitsForData(incident)) return []
    const strategy = strategyOf(incident)
    if (incident.plan !== null && incident.plan.strategy !== strategy) this.#supersede(incident)
    this.#takeBack(incident)
    const planned = this.#plan(incident, strategy)
    this.#settle(incident, strategy)
    const view = this.#view(incident)
    const undo = [...steps.values()].filter(isUndo)
    const free: Step[] = undo.filter(isOpen)
    for (const { stepId } of planned) {
      const step = steps.get(stepId)!
      // A plan that came to nothing is not begun again by what it has taken back.
      const isTakenBack = incident.plan?.outcome === 'failed' && step.round > 0
      if (!isOpen(step) || isTakenBack) continue
      if (isFree(step, view)) free.push(this.#freed(incident, step))
      else this.#noteDue(incident, step)
    }
    return free
  }

  /** A node returns only with data that is known to be right. */
  #waitsForData(incident: Incident): boolean {
    const { node } = incident
    const problem = this.#corruption(node)
    if (problem === null) this.#waiting.delete(incident)
    else if (!this.#waiting.has(incident)) {
      this.#waiting.add(incident)
      const evidence = [{ what: 'return', value: 'waits', limit: null }]
      this.#journal(incident, [`Node ${node.id} is not let back: ${problem}.`], evidence)
    }
    return problem !== null
  }

  /** A command of the plan is about to be sent. */
  begin(incident: Incident, step: Step): void {
    const { plan } = incident
    if (isUndo(step)) return
    if (plan !== null && plan.endedAtMs === null) {
      // What stood in its way is gone.
      plan.outcome = null
      return
    }
    const strategy = strategyOf(incident)
    for (const one of incident.steps.values()) {
      if (isOpen(one)) incident.steps.set(one.stepId, { ...one, freeAtMs: null })
    }
    incident.plan = {
      strategy,
      beganAtMs: this.#outbox.nowMs,
      outcome: null,
      endedAtMs: null,
      compensatedCount: 0,
    }
    this.#tellSteps(incident, this.#own(incident, strategy), 'begun')
  }

  /** The incident ends. `isMended`: its reason is gone. */
  close(incident: Incident, isMended: boolean): void {
    const { plan } = incident
    if (plan === null || plan.endedAtMs !== null) return
    const own = this.#own(incident, plan.strategy)
    const outcome = plan.outcome ?? outcomeOf(own, this.#policyOf(incident).attemptsMax)
    this.#end(incident, plan, outcome ?? (isMended ? 'needless' : 'lost'))
  }

  /** Whatever became of it, nothing more does. */
  drop(incident: Incident, outcome: 'superseded' | 'lost'): void {
    const { plan } = incident
    if (plan !== null && plan.endedAtMs === null) this.#end(incident, plan, outcome)
  }

  /** New steps are added; those that are known keep their order. */
  #plan(incident: Incident, strategy: PlanStrategy): readonly Step[] {
    const { cause, steps, plan } = incident
    const ordered = cause === 'release' ? NOTHING : this.#ordered(incident)
    if (cause === 'failed' && ordered.order.length === 0) return []
    const { attemptsMax, commandTtlMs } = this.#policyOf(incident)
    const planned = planFor(strategy, ordered, attemptsMax * commandTtlMs)
    const added = planned.filter(({ stepId }) => !steps.has(stepId))
    for (const step of added) steps.set(step.stepId, step)
    if (added.length === 0) return planned
    this.#tellCircles(incident, ordered.dropped, added)
    if (plan !== null && plan.endedAtMs === null) this.#tellSteps(incident, added, 'extended')
    return planned
  }

  #ordered(incident: Incident): Ordered {
    const { node, steps, cause } = incident
    const { ledger } = this.#state
    const there = ledger.workloadsOn(node.id)
    const moving =
      cause === 'overloaded' ? leavingOf(this.#state, incident, this.#policyOf(incident)) : there
    const dependents = [...moving].map((workload) => {
      const { priority = 'NORMAL', dependsOn = [] } = ledger.get(workload) ?? {}
      return { workload, rank: PRIORITY_RANK[priority], dependsOn }
    })
    const ordered = orderByDependency(dependents)
    const waitsFor = new Map(ordered.waitsFor)
    for (const { workload, dependsOn } of dependents) {
      // What has just left the node may not answer yet.
      const leaving = dependsOn.filter((other) => {
        if (there.has(other)) return false
        return MOVES.some((action) => {
          const step = steps.get(stepIdOf(action, other))
          return step !== undefined && isUnderWay(step)
        })
      })
      if (leaving.length > 0)
        waitsFor.set(workload, new Set([...waitsFor.get(workload)!, ...leaving]))
    }
    return { ...ordered, waitsFor }
  }

  #view(incident: Incident): PlanView {
    const there = this.#state.ledger.workloadsOn(incident.node.id)
    return {
      steps: incident.steps,
      attemptsMax: this.#policyOf(incident).attemptsMax,
      nowMs: this.#outbox.nowMs,
      isPrepared: (step) => this.#hasStandby(step),
      isThere: (workload) => there.has(workload),
    }
  }

  /** From now on its own timeout runs, once the plan has begun at all. */
  #freed({ steps, plan }: Incident, step: Step): Step {
    if (step.freeAtMs !== null || plan === null || plan.endedAtMs !== null) return step
    const free = { ...step, freeAtMs: this.#outbox.nowMs }
    steps.set(step.stepId, free)
    return free
  }

  /** What holds it up does not do so for ever. */
  #noteDue(incident: Incident, { after }: Step): void {
    for (const stepId of after) {
      const before = incident.steps.get(stepId)
      if (before === undefined || before.workload === null || isDone(before)) continue
      const passesMs = passesAtMs(before)
      if (passesMs > this.#outbox.nowMs) incident.dueMs = Math.min(incident.dueMs, passesMs)
    }
  }

  /** Steps of a strategy; what the node no longer runs, and was not begun, is none of them. */
  #own({ steps, node }: Incident, strategy: PlanStrategy): readonly Step[] {
    const there = this.#state.ledger.workloadsOn(node.id)
    return [...steps.values()].filter((step) => {
      if (isUndo(step) || !ACTIONS_OF[strategy].includes(step.action)) return false
      return step.workload === null || there.has(step.workload) || !isOpen(step)
    })
  }

  #settle(incident: Incident, strategy: PlanStrategy): void {
    const { plan, steps } = incident
    if (plan === null || plan.endedAtMs !== null) return
    const own = this.#own(incident, strategy)
    if (own.some(isUnderWay)) return
    if (plan.outcome === null) {
      const { attemptsMax } = this.#policyOf(incident)
      plan.outcome = outcomeOf(own, attemptsMax) ?? (this.#isHalted(incident) ? 'halted' : null)
      if (plan.outcome === 'failed' || plan.outcome === 'halted') {
        for (const undo of this.#undoOf(incident, own)) steps.set(undo.stepId, undo)
      }
    }
    if (plan.outcome !== null && ![...steps.values()].some(isUndo)) {
      this.#end(incident, plan, plan.outcome)
    }
  }

  /** People want nothing done to it. */
  #isHalted({ node }: Incident): boolean {
    const pool = this.#state.pool(node.pool)
    const mode = pool.mode ?? this.#policyFor(pool).mode
    return pool.stopped !== null || node.vetoed !== null || mode === 'observe'
  }

  /** Where something has moved, or the node is not well, going back would do more harm than good. */
  #undoOf({ node }: Incident, own: readonly Step[]): readonly Step[] {
    const isWell = node.failedAtMs === null && this.#state.livenessOf(node) === 'live'
    if (
      !isWell ||
      this.#corruption(node) !== null ||
      own.some((step) => step.workload !== null && isAchieved(step))
    )
      return []
    return own.flatMap((step) => {
      const { compensation } = STEP_RULES[step.action]
      if (compensation === null || !isDone(step) || step.state === 'rehearsed') return []
      return [{ ...planStep(compensation, null), stepId: UNDO + step.stepId, round: step.round }]
    })
  }

  /** What has been taken back is as if it had never been done. */
  #takeBack({ steps, plan }: Incident): void {
    for (const undo of steps.values()) {
      if (!isUndo(undo) || !isDone(undo)) continue
      const step = steps.get(undo.stepId.slice(UNDO.length))
      const undone = step === undefined ? null : undoneBy(step, 'compensated')
      if (undone !== null) steps.set(undone.stepId, undone)
      steps.delete(undo.stepId)
      if (plan !== null) plan.compensatedCount++
    }
  }

  #supersede(incident: Incident): void {
    const { steps } = incident
    this.drop(incident, 'superseded')
    incident.plan = null
    for (const step of steps.values()) if (isUndo(step) && isOpen(step)) steps.delete(step.stepId)
  }

  #end(incident: Incident, plan: OpenPlan, outcome: PlanOutcome): void {
    const { nowMs } = this.#outbox
    const { strategy, compensatedCount, beganAtMs } = plan
    const own = this.#own(incident, strategy)
    const doneCount = own.filter(isDone).length
    const durationMs = nowMs - beganAtMs
    plan.endedAtMs = nowMs
    plan.outcome = outcome
    const counts = { stepCount: own.length, doneCount, compensatedCount, durationMs }
    const reasons = endSentences({ strategy, outcome, node: incident.node.id, ...counts })
    this.#journal(incident, reasons, [
      { what: 'plan', value: 'ended', limit: null },
      { what: 'strategy', value: strategy, limit: null },
      { what: 'outcome', value: outcome, limit: null },
      { what: 'durationMs', value: durationMs, limit: null },
      { what: 'steps', value: own.length, limit: null },
      { what: 'stepsDone', value: doneCount, limit: null },
      { what: 'stepsTakenBack', value: compensatedCount, limit: null },
    ])
  }

  #tellSteps(incident: Incident, steps: readonly Step[], what: 'begun' | 'extended'): void {
    this.#journal(incident, stepsSentences(steps, what === 'extended'), [
      { what: 'plan', value: what, limit: null },
      { what: 'strategy', value: strategyOf(incident), limit: null },
      { what: 'steps', value: steps.length, limit: null },
    ])
  }

  /** Once, with the first plan that has both. */
  #tellCircles(incident: Incident, all: readonly Dropped[], added: readonly Step[]): void {
    const fresh = new Set(added.map(({ workload }) => workload))
    const told = all.filter(({ workload }) => fresh.has(workload)).slice(0, CIRCLES_TOLD_MAX)
    for (const dropped of told) {
      this.#journal(
        incident,
        [circleSentence(dropped)],
        [
          { what: 'plan', value: 'circle', limit: null },
          { what: 'workload', value: dropped.workload, limit: null },
          { what: 'notWaitedFor', value: dropped.dependency, limit: null },
        ],
      )
    }
  }

  #journal(
    { id, node }: Incident,
    reasons: readonly string[],
    evidence: readonly Evidence[],
  ): void {
    const { id: of, pool } = node
    this.#outbox.journal({ kind: 'plan', pool, incidentId: id, node: of, reasons, evidence })
  }

  #policyOf({ node }: Incident): Policy {
    return this.#policyFor(this.#state.pool(node.pool))
  }
}

const NOTHING: Ordered = { order: [], waitsFor: new Map(), dropped: [] }

function strategyOf({ cause, choice }: Incident): PlanStrategy {
  if (cause === 'release') return 'return'
  if (cause === 'overloaded') return 'redistribute'
  if (cause === 'corrupt') return 'replicate'
  // What was chosen before the network was split answers something else.
  return (cause === 'cut-off' ? null : choice?.strategy) ?? strategyFor(cause)
}

function isUndo({ stepId }: Step): boolean {
  return stepId.startsWith(UNDO)
}
