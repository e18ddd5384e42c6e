/**
 * The strategy of each incident, where the pool's policy lets it be chosen: the choice with its ranking,
 * how it ended, and what follows. Only what was really carried out, or waited for, teaches anything.
 */
import { never } from '../core/errors.ts'
import type { Evidence, Fault, FaultKind } from '../core/fault.ts'
import type { PoolId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import {
  type ChoiceCause,
  type ChoiceContext,
  type Strategy,
  timeOutMsOf,
} from '../core/strategy.ts'
import { type Choice, Chooser, rungsAfter } from '../decide/choose.ts'
import { classify, kindOfFailure } from '../decide/classify.ts'
import { lasting, percent } from '../decide/explain.ts'
import { costSOf } from '../decide/outcome-model.ts'
import { isAchieved, type Step } from '../recover/step.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, Incident, OpenChoice, PoolState } from './coordinator-state.ts'

/** Steps of a plan that have ended as the strategy wants them, or cannot any more. */
type Progress = 'under way' | 'done' | 'failed'

export class ChoiceDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #policyFor: (pool: PoolState) => Policy
  /** Each pool learns from its own outcomes. */
  readonly #choosers = new Map<PoolId, Chooser>()

  constructor(state: CoordinatorState, outbox: Outbox, policyFor: (pool: PoolState) => Policy) {
    this.#state = state
    this.#outbox = outbox
    this.#policyFor = policyFor
  }

  /** Whether the node is only silent because a restart has taken it down. */
  explainsSilence({ choice, steps }: Incident): boolean {
    if (choice?.strategy !== 'restart' || choice.ended) return false
    const state = steps.get('restart')?.state
    return state === 'sent' || state === 'accepted' || state === 'started'
  }

  /** The incident was opened, or has got graver: what was tried before has failed. */
  begin(incident: Incident, cause: ChoiceCause, fault: Fault): void {
    const { node, choice: before } = incident
    if (this.#policyFor(this.#state.pool(node.pool)).chooser === null) return
    const context = { cause, kind: kindOf(fault, before), severity: fault.severity }
    if (before !== null) {
      // What answers a silence answers the failure that it turns out to be.
      if (before.context.cause === 'silent' && before.strategy !== 'wait') return
      if (!before.ended) this.#end(incident, before, false)
    }
    this.#choose(incident, context, null)
  }

  /** Goes on to the next rung where the strategy has failed or its time is up. */
  follow(incident: Incident): void {
    const { nowMs } = this.#outbox
    for (let choice = incident.choice; choice !== null && !choice.ended; choice = incident.choice) {
      const progress = this.#progress(incident, choice)
      if (progress === 'done') return this.#end(incident, choice, true)
      if (progress === 'under way' && nowMs < choice.untilMs) {
        incident.dueMs = Math.min(incident.dueMs, choice.untilMs)
        return
      }
      this.#end(incident, choice, false)
      const { context, strategy } = choice
      if (rungsAfter(context, strategy).length === 0) return
      this.#choose(incident, context, strategy)
    }
  }

  /** The incident is over; `mended`: because its reason is gone. */
  close(incident: Incident, mended: boolean): void {
    const { choice } = incident
    if (choice === null || choice.ended) return
    const { strategy } = choice
    const isSole = strategy === 'wait' || strategy === 'restart'
    if (mended && (isSole || this.#progress(incident, choice) === 'done')) {
      return this.#end(incident, choice, true)
    }
    choice.ended = true
    this.#journalEnd(incident, choice, null, 'It ended without it.')
  }

  #progress({ steps, node }: Incident, { strategy }: OpenChoice): Progress {
    const { attemptsMax } = this.#policyFor(this.#state.pool(node.pool))
    switch (strategy) {
      case 'wait':
        return 'under way'
      case 'restart':
        return steps.get('restart')?.state === 'failed' ? 'failed' : 'under way'
      case 'migrate':
      case 'fail-over': {
        const [shield, move] = strategy === 'migrate' ? ['cordon', 'migrate'] : ['fence', 'recover']
        const all = [shield]
        for (const workload of this.#state.ledger.workloadsOn(node.id)) {
          all.push(`${move}:${workload}`)
        }
        const own = all.map((stepId) => steps.get(stepId))
        const isUsedUp = (step: Step | undefined) =>
          step?.state === 'failed' && step.attempts >= attemptsMax
        if (own.some(isUsedUp)) return 'failed'
        return own.every((step) => step !== undefined && isAchieved(step)) ? 'done' : 'under way'
      }
      default:
        return never(strategy)
    }
  }

  #choose(incident: Incident, context: ChoiceContext, after: Strategy | null): void {
    const { id, node } = incident
    const rules = this.#policyFor(this.#state.pool(node.pool)).chooser
    if (rules === null) return
    const seed = `${id}/${context.cause}/${after ?? ''}`
    const isCritical = this.#isCritical(incident)
    const chosen = this.#chooser(node.pool).choose({ seed, context, after, isCritical, rules })
    const { nowMs } = this.#outbox
    const { strategy } = chosen
    const untilMs = nowMs + timeOutMsOf(strategy, context.cause)
    incident.choice = { context, strategy, chosenAtMs: nowMs, untilMs, ended: false }
    this.#outbox.journal({
      kind: 'choice',
      pool: node.pool,
      incidentId: id,
      node: node.id,
      reasons: sentences(chosen, context, after),
      evidence: evidenceOf(chosen, context, after),
    })
    this.#state.stirIncident(incident)
  }

  #end(incident: Incident, choice: OpenChoice, ok: boolean): void {
    choice.ended = true
    const { context, strategy } = choice
    if (!wasTried(incident, choice, ok)) {
      return this.#journalEnd(incident, choice, null, 'Nothing is learned: it was not carried out.')
    }
    const { nowMs } = this.#outbox
    const elapsedMs = nowMs - choice.chosenAtMs
    const isFelled = incident.cause !== 'predicted' && context.cause === 'predicted'
    const trial = { context, strategy, ok, elapsedMs, failedMeanwhile: !ok && isFelled }
    this.#chooser(incident.node.pool).learn(trial)
    const costS = Number(costSOf(trial).toPrecision(6))
    const how = ok ? 'worked' : 'did not work'
    const said = `Strategy ${strategy} ${how} within ${lasting(elapsedMs)}: ${costS} s of work.`
    this.#journalEnd(incident, choice, costS, said, ok)
  }

  #journalEnd(
    { id, node }: Incident,
    { context, strategy }: OpenChoice,
    costS: number | null,
    said: string,
    ok = false,
  ): void {
    this.#outbox.journal({
      kind: 'trial',
      pool: node.pool,
      incidentId: id,
      node: node.id,
      reasons: [said],
      evidence: [
        { what: 'strategy', value: strategy, limit: null },
        { what: 'context', value: contextText(context), limit: null },
        { what: 'result', value: costS === null ? 'none' : ok ? 'ok' : 'failed', limit: null },
        ...(costS === null ? [] : [{ what: 'costS', value: costS, limit: null }]),
      ],
    })
  }

  #isCritical({ node }: Incident): boolean {
    const { ledger } = this.#state
    for (const workload of ledger.workloadsOn(node.id)) {
      if (ledger.get(workload)?.priority === 'CRITICAL') return true
    }
    return false
  }

  #chooser(pool: PoolId): Chooser {
    let chooser = this.#choosers.get(pool)
    if (chooser === undefined) this.#choosers.set(pool, (chooser = new Chooser()))
    return chooser
  }
}

/** A kind that was foretold stays: the silence that follows says nothing of its own. */
function kindOf(fault: Fault, before: OpenChoice | null): FaultKind {
  if (before !== null) return before.context.kind
  const failureKind = fault.evidence.find(({ what }) => what === 'failureKind')?.value
  if (failureKind !== undefined) return kindOfFailure(String(failureKind))
  return classify([fault], { nodeCount: 1, poolNodeCount: 1, workload: null }).kind
}

function wasTried({ steps }: Incident, { strategy }: OpenChoice, ok: boolean): boolean {
  if (strategy === 'wait') return true
  const own = [...steps.values()].filter(({ action }) =>
    strategy === 'restart'
      ? action === 'restart'
      : strategy === 'migrate'
        ? action === 'migrate' || action === 'cordon'
        : action === 'recover' || action === 'promote' || action === 'fence',
  )
  if (own.some(({ state }) => state === 'rehearsed')) return false
  const tried = own.filter(({ attempts }) => attempts > 0)
  // A node that is well before its restart has begun was not mended by it.
  return ok ? tried.some(isBegun) : tried.length > 0
}

function isBegun(step: Step): boolean {
  return step.state === 'started' || isAchieved(step)
}

function contextText({ cause, kind, severity }: ChoiceContext): string {
  return `${cause}/${kind}/${severity}`
}

function sentences(
  { strategy, propensityRatio, isExploring, ranking }: Choice,
  context: ChoiceContext,
  after: Strategy | null,
): readonly string[] {
  const what = `a ${context.cause} failure of kind ${context.kind}`
  const then = after === null ? `For ${what} it` : `Strategy ${after} is over for ${what}; now it`
  const why = isExploring ? 'tried out, to learn' : 'the cheapest by what is known'
  const ranked = ranking.map((rank) => {
    const costs = `${Math.round(rank.expectedCostS)} s of work expected`
    const works = `works ${percent(rank.successProbability)} of the time`
    return `${rank.strategy}: ${costs}, ${works}, chosen ${percent(rank.propensityRatio)} of the time.`
  })
  const chance = percent(propensityRatio)
  return [`${then} is ${strategy}: ${why} (chosen ${chance} of the time).`, ...ranked]
}

function evidenceOf(
  { strategy, propensityRatio, isExploring, ranking }: Choice,
  context: ChoiceContext,
  after: Strategy | null,
): readonly Evidence[] {
  const rows: Evidence[] = [
    { what: 'strategy', value: strategy, limit: null },
    { what: 'propensity', value: propensityRatio, limit: null },
    { what: 'exploring', value: isExploring ? 'yes' : 'no', limit: null },
    { what: 'context', value: contextText(context), limit: null },
  ]
  if (after !== null) rows.push({ what: 'after', value: after, limit: null })
  for (const { strategy: rung, expectedCostS } of ranking) {
    const value = Number(expectedCostS.toPrecision(6))
    rows.push({ what: `expectedCostS.${rung}`, value, limit: null })
  }
  return rows
}
