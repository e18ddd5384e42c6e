import { expect, test } from 'vitest'
import type { ChoiceContext, Strategy } from '../../../src/core/strategy.ts'
import { estimateFixed, type LoggedIncident } from '../../../src/decide/off-policy.ts'
import { Draws } from '../../../src/decide/draws.ts'

const context: ChoiceContext = { cause: 'failed', kind: 'software', severity: 'critical' }

/** A restart costs 40 and works three times in four; a fail-over then, or at once, costs 200. */
function incident(draws: Draws, restartRatio: number): LoggedIncident {
  const first: Strategy = draws.ratio() < restartRatio ? 'restart' : 'fail-over'
  const propensityRatio = first === 'restart' ? restartRatio : 1 - restartRatio
  const choices = [{ context, after: null, strategy: first, propensityRatio }]
  if (first === 'fail-over') return { choices, costS: 200 }
  if (draws.ratio() < 0.75) return { choices, costS: 40 }
  const then = { context, after: first, strategy: 'fail-over', propensityRatio: 1 } as const
  return { choices: [...choices, then], costS: 240 }
}

test('each fixed strategy is estimated from choices that mostly went the other way', () => {
  const draws = new Draws('a log')
  const incidents = Array.from({ length: 4_000 }, () => incident(draws, 0.1))
  expect(estimateFixed(incidents, 'fail-over').costS).toBeCloseTo(200, 6)
  // 40 + 0.25 × 200, from four hundred incidents.
  const restart = estimateFixed(incidents, 'restart')
  expect(Math.abs(restart.costS! - 90)).toBeLessThan(15)
  expect(restart.effectiveCount).toBeGreaterThan(300)
  expect(restart.effectiveCount).toBeLessThan(500)
})

test('what is not allowed means the last rung, and what was never done is not estimated', () => {
  const draws = new Draws('another log')
  const incidents = Array.from({ length: 50 }, () => incident(draws, 0))
  expect(estimateFixed(incidents, 'wait').costS).toBeCloseTo(200, 6)
  expect(estimateFixed(incidents, 'restart')).toEqual({ costS: null, effectiveCount: 0 })
})
