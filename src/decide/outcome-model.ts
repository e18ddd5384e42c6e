/**
 * What is known of a strategy in a context: how often it works, as a Beta distribution, and what it
 * costs, as one running mean of where it worked and one of where it did not: what fails has taken all
 * its time, so the two are far apart, and their mixture moves with the odds. All begin with what the
 * kind of fault suggests, which counts like a few outcomes and is outweighed by as many real ones.
 *
 * Costs are seconds of lost work of the node: those that were measured, and what people would pay to be
 * spared the strategy itself.
 */
import type { FaultKind } from '../core/fault.ts'
import {
  type ChoiceCause,
  type ChoiceContext,
  type Strategy,
  timeOutMsOf,
} from '../core/strategy.ts'
import type { Draws } from './draws.ts'

/** Outcomes that a prior counts for. */
const PRIOR_COUNT = 5
/** Ends of one kind that a prior of their cost counts for: one way of ending costs much the same. */
const COST_PRIOR_COUNT = 1
/** Outcomes remembered; with more the older weigh less, so that what changes is learned again. */
const COUNT_MAX = 200
/** Standard deviation of a single cost, of its mean, until costs are seen. */
const COST_SPREAD_RATIO = 0.5

/** Share of faults that pass within the time of `wait`, and that a restart mends. */
const PRIORS: Readonly<Record<FaultKind, { readonly wait: number; readonly restart: number }>> = {
  'node-hardware': { wait: 0.05, restart: 0.1 },
  network: { wait: 0.5, restart: 0.15 },
  software: { wait: 0.1, restart: 0.8 },
  'performance-degradation': { wait: 0.4, restart: 0.5 },
  'resource-exhaustion': { wait: 0.1, restart: 0.7 },
  'network-partition': { wait: 0.5, restart: 0.05 },
  'service-unavailability': { wait: 0.2, restart: 0.5 },
  'data-corruption': { wait: 0.05, restart: 0.1 },
  byzantine: { wait: 0.05, restart: 0.1 },
  attack: { wait: 0.05, restart: 0.1 },
}
const LAST_RUNG_PRIOR = 0.9

/**
 * What the strategy itself costs, s: a restart loses caches and what was under way; moved work leaves a
 * node empty until somebody has looked at it, and a fence turns it off.
 */
export const ACTION_COST_S: Readonly<Record<Strategy, number>> = {
  wait: 0,
  restart: 15,
  migrate: 60,
  'fail-over': 180,
}
/** A node that fails under its work while something milder is tried, s. */
export const FAILED_COST_S = 300
/** Prior of the share of predicted failures that come while something milder is tried in vain. */
const MEANWHILE_PRIOR = 0.1
/** Prior of what passes until a strategy is over, s. */
const ELAPSED_S: Readonly<Record<Strategy, number>> = {
  wait: 40,
  restart: 60,
  migrate: 60,
  'fail-over': 60,
}

/** How a strategy ended. */
export interface Trial {
  readonly context: ChoiceContext
  readonly strategy: Strategy
  /** It worked, and that was verified. */
  readonly ok: boolean
  /** From its choice to its end. */
  readonly elapsedMs: number
  /** Of a predicted failure: it came before the strategy had worked. */
  readonly failedMeanwhile: boolean
}

/** Seconds of lost work. Before a failure the work runs on, but for a restart. */
export function costSOf({
  context: { cause },
  strategy,
  elapsedMs,
  failedMeanwhile,
}: Omit<Trial, 'ok'>): number {
  const isDown = cause !== 'predicted' || strategy === 'restart'
  const lostS = isDown ? elapsedMs / 1_000 : 0
  return lostS + ACTION_COST_S[strategy] + (failedMeanwhile ? FAILED_COST_S : 0)
}

/** Mean number of successes, failures and their costs, with the prior in them. */
export class OutcomeModel {
  #successes: number
  #failures: number
  readonly #costs: Readonly<Record<'works' | 'fails', CostMean>>

  constructor({ cause, kind }: ChoiceContext, strategy: Strategy) {
    const prior = strategy === 'wait' || strategy === 'restart' ? PRIORS[kind][strategy] : null
    const probability = prior ?? LAST_RUNG_PRIOR
    this.#successes = PRIOR_COUNT * probability
    this.#failures = PRIOR_COUNT - this.#successes
    const { worksS, failsS } = priorCosts(cause, strategy)
    this.#costs = { works: new CostMean(worksS), fails: new CostMean(failsS) }
  }

  get count(): number {
    return this.#successes + this.#failures
  }

  get successProbability(): number {
    return this.#successes / this.count
  }

  get costMeanS(): number {
    return mixed(this.successProbability, this.#costs.works.meanS, this.#costs.fails.meanS)
  }

  learn(ok: boolean, costS: number): void {
    if (this.count >= COUNT_MAX) {
      const kept = (COUNT_MAX - 1) / this.count
      this.#successes *= kept
      this.#failures *= kept
    }
    if (ok) this.#successes++
    else this.#failures++
    this.#costs[ok ? 'works' : 'fails'].learn(costS)
  }

  /** What may be so, as likely as it is believed. */
  draw(draws: Draws): { readonly successProbability: number; readonly costS: number } {
    const successProbability = draws.beta(this.#successes, this.#failures)
    const [worksS, failsS] = [this.#costs.works.draw(draws), this.#costs.fails.draw(draws)]
    return { successProbability, costS: mixed(successProbability, worksS, failsS) }
  }
}

/** Running mean of what one way of ending costs, s, and how sure it is. */
class CostMean {
  #count = COST_PRIOR_COUNT
  #meanS: number
  #squares: number

  constructor(priorS: number) {
    this.#meanS = priorS
    this.#squares = COST_PRIOR_COUNT * (COST_SPREAD_RATIO * priorS) ** 2
  }

  get meanS(): number {
    return this.#meanS
  }

  /** Welford's update, the older weighing less once there are many. */
  learn(costS: number): void {
    if (this.#count >= COUNT_MAX) {
      const kept = (COUNT_MAX - 1) / this.#count
      this.#count *= kept
      this.#squares *= kept
    }
    this.#count++
    const off = costS - this.#meanS
    this.#meanS += off / this.#count
    this.#squares += off * (costS - this.#meanS)
  }

  draw(draws: Draws): number {
    const error = Math.sqrt(this.#squares) / this.#count
    return Math.max(0, this.#meanS + error * draws.normal())
  }
}

function mixed(successProbability: number, worksS: number, failsS: number): number {
  return successProbability * worksS + (1 - successProbability) * failsS
}

/** What has failed took all its time; how long that is, is known before any outcome. */
function priorCosts(
  cause: ChoiceCause,
  strategy: Strategy,
): { readonly worksS: number; readonly failsS: number } {
  const context = { cause, kind: 'software', severity: 'error' } as const
  const worksMs = 1_000 * ELAPSED_S[strategy]
  const timeOutMs = timeOutMsOf(strategy, cause)
  const failsMs = Number.isFinite(timeOutMs) ? timeOutMs : worksMs
  const cost = (elapsedMs: number) =>
    costSOf({ context, strategy, elapsedMs, failedMeanwhile: false })
  const isTried = cause === 'predicted' && Number.isFinite(timeOutMs)
  const meanwhileS = isTried ? MEANWHILE_PRIOR * FAILED_COST_S : 0
  return { worksS: cost(worksMs), failsS: cost(failsMs) + meanwhileS }
}
