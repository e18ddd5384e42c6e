/**
 * Which strategy an incident begins with, and which follows when it fails: Thompson sampling over what
 * verified outcomes have taught, within the limits of policy.
 *
 * A rung of the ladder costs what it costs itself and, where it fails, what the best rung above it
 * costs. Many draws of what may be so say how often each strategy would be the best one; of that share a
 * tenth is tried out, and this, held within the limits, *is* the probability with which it is chosen: the
 * propensity in the journal is exact. Chance comes from the incident's id alone, so the same log makes the
 * same choices.
 */
import { assert } from '../core/errors.ts'
import { type ChoiceContext, type ChooserRules, ladderOf, type Strategy } from '../core/strategy.ts'
import { Draws } from './draws.ts'
import { costSOf, OutcomeModel, type Trial } from './outcome-model.ts'

const DRAW_COUNT = 256
/**
 * Of the chance that another rung is the best, so much is tried out: in simulated worlds
 * (`simulate/chooser-world.ts`) more of it costs more than it teaches.
 */
const TRIED_RATIO = 0.1
/** A ladder that is used up needs a person, s of lost work. */
const PERSON_COST_S = 1_800

export interface Ranked {
  readonly strategy: Strategy
  /** With what follows where it fails, s of lost work. */
  readonly expectedCostS: number
  readonly successProbability: number
  /** The probability with which it is chosen. */
  readonly propensityRatio: number
}

export interface Choice {
  readonly strategy: Strategy
  readonly propensityRatio: number
  /** It is not the one that looks best. */
  readonly isExploring: boolean
  /** Every rung that could be chosen, the cheapest first. */
  readonly ranking: readonly Ranked[]
}

export interface Question {
  /** Incident and rung: nothing else decides what is drawn. */
  readonly seed: string
  readonly context: ChoiceContext
  /** The rung that failed; null at first. */
  readonly after: Strategy | null
  /** A CRITICAL workload is on the node: nothing is tried out on it. */
  readonly isCritical: boolean
  readonly rules: ChooserRules
}

/** Contexts and strategies are closed sets, so what is remembered is bounded by their number. */
export class Chooser {
  readonly #models = new Map<string, OutcomeModel>()

  choose({ seed, context, after, isCritical, rules }: Question): Choice {
    const ladder = rungsAfter(context, after)
    assert(ladder.length > 0, `there is a rung after ${after}`)
    const models = ladder.map((strategy) => this.#model(context, strategy))
    const expected = ladderCosts(models.map(meanOf))
    const best = expected.indexOf(Math.min(...expected))
    const draws = new Draws(seed)
    const wins = Array.from(ladder, () => 0)
    for (let i = 0; i < DRAW_COUNT; i++) {
      const drawn = ladderCosts(models.map((model) => model.draw(draws)))
      wins[drawn.indexOf(Math.min(...drawn))]++
    }
    const propensities = isCritical
      ? wins.map((_, rung) => (rung === best ? 1 : 0))
      : withinLimits(wins, best, rules)
    const chosen = pick(propensities, draws.ratio())
    const ranking = ladder.map((strategy, rung) => ({
      strategy,
      expectedCostS: expected[rung],
      successProbability: models[rung].successProbability,
      propensityRatio: propensities[rung],
    }))
    return {
      strategy: ladder[chosen],
      propensityRatio: propensities[chosen],
      isExploring: chosen !== best,
      ranking: ranking.sort((a, b) => a.expectedCostS - b.expectedCostS),
    }
  }

  learn(trial: Trial): void {
    this.#model(trial.context, trial.strategy).learn(trial.ok, costSOf(trial))
  }

  #model(context: ChoiceContext, strategy: Strategy): OutcomeModel {
    const { cause, kind, severity } = context
    const key = `${cause}/${kind}/${severity}/${strategy}`
    let model = this.#models.get(key)
    if (model === undefined) {
      model = new OutcomeModel(context, strategy)
      this.#models.set(key, model)
    }
    return model
  }
}

/** What may still be tried after this rung has failed; all of it at first. */
export function rungsAfter(context: ChoiceContext, after: Strategy | null): readonly Strategy[] {
  const ladder = ladderOf(context)
  return after === null ? ladder : ladder.slice(ladder.indexOf(after) + 1)
}

interface Believed {
  readonly successProbability: number
  readonly costS: number
}

function meanOf({ successProbability, costMeanS }: OutcomeModel): Believed {
  return { successProbability, costS: costMeanS }
}

/** Of beginning at each rung: from the last one down, each goes on with the best above it. */
function ladderCosts(rungs: readonly Believed[]): readonly number[] {
  const costs = Array.from(rungs, () => 0)
  let nextS = PERSON_COST_S
  for (let rung = rungs.length - 1; rung >= 0; rung--) {
    const { successProbability, costS } = rungs[rung]
    costs[rung] = costS + (1 - successProbability) * nextS
    nextS = rung === rungs.length - 1 ? costs[rung] : Math.min(nextS, costs[rung])
  }
  return costs
}

/** Shares of wins, those of all but the best together held between the least and the most allowed. */
function withinLimits(
  wins: readonly number[],
  best: number,
  { exploreMinRatio, exploreMaxRatio }: ChooserRules,
): readonly number[] {
  if (wins.length === 1) return [1]
  const exploring = 1 - wins[best] / DRAW_COUNT
  const allowed = Math.min(exploreMaxRatio, Math.max(exploreMinRatio, TRIED_RATIO * exploring))
  return wins.map((count, rung) => {
    if (rung === best) return 1 - allowed
    // Where nothing else ever wins, the least is shared evenly.
    const share = exploring === 0 ? 1 / (wins.length - 1) : count / DRAW_COUNT / exploring
    return allowed * share
  })
}

function pick(probabilities: readonly number[], ratio: number): number {
  let rest = ratio
  for (const [index, probability] of probabilities.entries()) {
    rest -= probability
    if (rest < 0) return index
  }
  return probabilities.lastIndexOf(Math.max(...probabilities))
}
