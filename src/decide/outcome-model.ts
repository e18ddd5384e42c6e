/**
 * What is known of a strategy in a context: how often it works, as a Beta distribution, and what it
 * costs, as a running mean. Both begin with what the kind of fault suggests, which counts like a few
 * outcomes and is outweighed by as many real ones.
 *
 * Costs are seconds of lost work of the node: those that were measured, and what people would pay to be
 * spared the strategy itself.
 */
import type { FaultKind } from '../core/fault.ts'
import type { ChoiceCause, ChoiceContext, Strategy } from '../core/strategy.ts'
import type { Draws } from './draws.ts'

/** Outcomes that a prior counts for. */
const PRIOR_COUNT = 4
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
const ACTION_COST_S: Readonly<Record<Strategy, number>> = {
  wait: 0,
  restart: 15,
  migrate: 60,
  'fail-over': 180,
}
/** A node that fails under its work while something milder is tried, s. */
const FAILED_COST_S = 300
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

/** Mean number of successes, failures and costs, with the prior in them. */
export class OutcomeModel {
  #successes: number
  #failures: number
  #costCount = PRIOR_COUNT
  #costMean: number
  #costSquares: number

  constructor({ cause, kind }: ChoiceContext, strategy: Strategy) {
    const prior = strategy === 'wait' || strategy === 'restart' ? PRIORS[kind][strategy] : null
    const probability = prior ?? LAST_RUNG_PRIOR
    this.#successes = PRIOR_COUNT * probability
    this.#failures = PRIOR_COUNT - this.#successes
    this.#costMean = priorCostS(cause, strategy)
    this.#costSquares = PRIOR_COUNT * (COST_SPREAD_RATIO * this.#costMean) ** 2
  }

  get count(): number {
    return this.#successes + this.#failures
  }

  get successProbability(): number {
    return this.#successes / this.count
  }

  get costMeanS(): number {
    return this.#costMean
  }

  learn(ok: boolean, costS: number): void {
    if (this.count >= COUNT_MAX) {
      const kept = (COUNT_MAX - 1) / this.count
      this.#successes *= kept
      this.#failures *= kept
      this.#costCount *= kept
      this.#costSquares *= kept
    }
    if (ok) this.#successes++
    else this.#failures++
    // Welford's update.
    this.#costCount++
    const off = costS - this.#costMean
    this.#costMean += off / this.#costCount
    this.#costSquares += off * (costS - this.#costMean)
  }

  /** What may be so, as likely as it is believed. */
  draw(draws: Draws): { readonly successProbability: number; readonly costS: number } {
    const error = Math.sqrt(this.#costSquares) / this.#costCount
    return {
      successProbability: draws.beta(this.#successes, this.#failures),
      costS: Math.max(0, this.#costMean + error * draws.normal()),
    }
  }
}

function priorCostS(cause: ChoiceCause, strategy: Strategy): number {
  const context = { cause, kind: 'software', severity: 'error' } as const
  const elapsedMs = 1_000 * ELAPSED_S[strategy]
  return costSOf({ context, strategy, elapsedMs, failedMeanwhile: false })
}
