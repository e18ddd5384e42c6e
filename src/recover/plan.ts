/**
 * A plan: the steps that answer one incident, as a graph. Each names the steps that come before it, so
 * those without an order between them go at once, and nothing of it depends on when it is asked.
 */
import type { WorkloadId } from '../core/ids.ts'
import { never } from '../core/errors.ts'
import type { Strategy } from '../core/strategy.ts'
import type { Ordered } from './dependencies.ts'
import { isDone, isGivenUp, isOpen, isUnderWay, planStep, type Step, stepIdOf } from './step.ts'

/**
 * What a plan is for. A predicted failure that comes true becomes `silent` or `failed`; `cut-off` is on a
 * side of a split network that does not go on; an `overloaded` node only gives some of its work away, and a
 * `corrupt` one has data that is wrong.
 */
export type PlanCause =
  | 'overloaded'
  | 'corrupt'
  | 'predicted'
  | 'cut-off'
  | 'silent'
  | 'failed'
  | 'release'

/**
 * The node is well, and has something to be put right; there is one way to do that, and it says nothing of a
 * failure to come.
 */
export function isCare(cause: PlanCause): cause is 'overloaded' | 'corrupt' {
  return cause === 'overloaded' || cause === 'corrupt'
}

/**
 * `redistribute`: some work leaves a node that carries too much. `replicate`: a node fetches what it has wrong
 * from those that have it right. `return`: a node is let back to work.
 */
export type PlanStrategy = Strategy | 'redistribute' | 'replicate' | 'return'

/** How a plan can end. */
export type PlanOutcome =
  | 'done'
  | 'rehearsed' // of a dry run
  | 'failed' // tries of a step are used up, and nothing else is left to do
  | 'halted' // people want nothing done
  | 'needless' // its reason went away before it was finished
  | 'superseded' // another strategy took its place
  | 'lost' // its node has left

/** What nobody chose: what is predicted is migrated, what is silent or failed fails over. */
export function strategyFor(
  cause: Exclude<PlanCause, 'release' | 'overloaded' | 'corrupt'>,
): Strategy {
  return cause === 'predicted' ? 'migrate' : 'fail-over'
}

/** Most urgent first where nothing orders them. `timeoutMs`: of each step. */
export function planFor(
  strategy: PlanStrategy,
  { order, waitsFor }: Pick<Ordered, 'order' | 'waitsFor'>,
  timeoutMs: number,
): readonly Step[] {
  const moves = (action: 'migrate' | 'recover', shield: readonly string[]) =>
    order.map((workload) => {
      const first = [...(waitsFor.get(workload) ?? [])].map((other) => stepIdOf(action, other))
      return planStep(action, workload, { after: [...shield, ...first], timeoutMs })
    })
  switch (strategy) {
    case 'wait':
      return []
    case 'restart':
      return [planStep('restart', null, { timeoutMs })]
    case 'migrate':
      // New work and old go different ways, so neither waits for the other.
      return [planStep('cordon', null, { timeoutMs }), ...moves('migrate', [])]
    case 'redistribute':
      return moves('migrate', [])
    case 'fail-over':
      return [planStep('fence', null, { timeoutMs }), ...moves('recover', ['fence'])]
    case 'replicate':
      return [planStep('replicate', null, { timeoutMs })]
    case 'return':
      return [planStep('uncordon', null, { timeoutMs })]
    default:
      return never(strategy)
  }
}

/** Of one incident: all its steps, whatever strategy they belong to. */
export interface PlanView {
  readonly steps: ReadonlyMap<string, Step>
  readonly attemptsMax: number
  readonly nowMs: number
  /** It is made ready while what comes before it is under way, and waits for it by itself. */
  readonly isPrepared: (step: Step) => boolean
  /** The workload still has to leave the node. */
  readonly isThere: (workload: WorkloadId) => boolean
}

/**
 * Nothing before it holds it up. Fencing must be over before workloads start elsewhere, whatever it
 * takes: two copies would both write. What a workload depends on comes first, but it does not hold it up
 * for ever: not when its tries are used up, nor beyond its timeout.
 */
export function isFree(step: Step, view: PlanView): boolean {
  return step.after.every((stepId) => {
    const before = view.steps.get(stepId)
    if (before === undefined) return true
    if (before.workload !== null) return isPassed(before, before.workload, view)
    return isDone(before) || (isUnderWay(before) && view.isPrepared(step))
  })
}

function isPassed(step: Step, workload: WorkloadId, view: PlanView): boolean {
  if (isDone(step) || isGivenUp(step, view.attemptsMax)) return true
  if (isOpen(step) && !view.isThere(workload)) return true
  return passesAtMs(step) <= view.nowMs
}

/** When it no longer holds up those after it. */
export function passesAtMs({ freeAtMs, timeoutMs }: Step): number {
  return freeAtMs === null ? Number.POSITIVE_INFINITY : freeAtMs + timeoutMs
}

/** Of the steps that are its own; null while it is not over. */
export function outcomeOf(
  own: readonly Step[],
  attemptsMax: number,
): Extract<PlanOutcome, 'done' | 'rehearsed' | 'failed'> | null {
  if (own.every(isDone)) {
    return own.some(({ state }) => state === 'rehearsed') ? 'rehearsed' : 'done'
  }
  const isOver = own.every((step) => isDone(step) || isGivenUp(step, attemptsMax))
  return isOver ? 'failed' : null
}
