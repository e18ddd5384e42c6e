/** Strategies: what may be tried against an incident, and the ladder on which one follows another. */
import { never } from './errors.ts'
import type { FaultKind, Severity } from './fault.ts'

export type Strategy =
  | 'wait' // it may pass by itself: watch it for a bounded time
  | 'restart' // the node's service, in place
  | 'migrate' // cordon the node and move its work away while it runs
  | 'fail-over' // fence the node and start its work elsewhere

/** What is being answered; a release only undoes and leaves no choice. */
export type ChoiceCause = 'predicted' | 'silent' | 'failed'

/** What outcomes are learned by. */
export interface ChoiceContext {
  readonly cause: ChoiceCause
  readonly kind: FaultKind
  readonly severity: Severity
}

/** How a pool lets strategies be chosen; null in a policy: the last rung at once, always. */
export interface ChooserRules {
  /** Least and most of the choices that may differ from the one that looks best, 0..1. */
  readonly exploreMinRatio: number
  readonly exploreMaxRatio: number
}

/** They would go on doing harm: only what takes the work away answers them. */
const HARMFUL: ReadonlySet<FaultKind> = new Set(['data-corruption', 'byzantine', 'attack'])

/**
 * Every rung that is allowed, in the order in which they escalate. The last is what is done where
 * nothing is chosen. A confirmed failure is not waited for: an event has said that it is one.
 */
export function ladderOf({
  cause,
  kind,
}: Pick<ChoiceContext, 'cause' | 'kind'>): readonly Strategy[] {
  const last = cause === 'predicted' ? 'migrate' : 'fail-over'
  if (HARMFUL.has(kind)) return [last]
  return cause === 'failed' ? ['restart', last] : ['wait', 'restart', last]
}

/** After this a strategy has failed and the next rung's turn has come; the last rung has all the time. */
export function timeOutMsOf(strategy: Strategy, cause: ChoiceCause): number {
  switch (strategy) {
    case 'wait':
      return cause === 'predicted' ? 180_000 : 45_000
    case 'restart':
      return cause === 'predicted' ? 300_000 : 180_000
    case 'migrate':
    case 'fail-over':
      return Number.POSITIVE_INFINITY
    default:
      return never(strategy)
  }
}
