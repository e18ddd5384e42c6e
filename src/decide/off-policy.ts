/**
 * What another way of choosing would have cost, from what was done: incidents in which chance chose as it
 * would have count for all of them, each by how unlikely that was (self-normalised importance sampling).
 */
import type { ChoiceContext, Strategy } from '../core/strategy.ts'
import { rungsAfter } from './choose.ts'

/** One choice as the journal has it. */
export interface LoggedChoice {
  readonly context: ChoiceContext
  readonly after: Strategy | null
  readonly strategy: Strategy
  readonly propensityRatio: number
}

/** An incident that is over: its choices in order, and what they cost together. */
export interface LoggedIncident {
  readonly choices: readonly LoggedChoice[]
  readonly costS: number
}

export interface Estimate {
  /** Of one incident; null where nothing was done that the other way would have done. */
  readonly costS: number | null
  /** So many incidents, all alike in weight, would say as much (Kish). */
  readonly effectiveCount: number
}

/** Always this rung first (the last where it is not allowed), and then rung by rung. */
export function estimateFixed(incidents: readonly LoggedIncident[], first: Strategy): Estimate {
  let [weights, squares, costs] = [0, 0, 0]
  for (const { choices, costS } of incidents) {
    const weight = choices.reduce((product, choice) => {
      return (
        product * (choice.strategy === fixedRung(choice, first) ? 1 / choice.propensityRatio : 0)
      )
    }, 1)
    weights += weight
    squares += weight * weight
    costs += weight * costS
  }
  if (weights === 0) return { costS: null, effectiveCount: 0 }
  return { costS: costs / weights, effectiveCount: (weights * weights) / squares }
}

function fixedRung({ context, after }: LoggedChoice, first: Strategy): Strategy | undefined {
  const rungs = rungsAfter(context, after)
  if (after !== null) return rungs[0]
  return rungs.includes(first) ? first : rungs.at(-1)
}
