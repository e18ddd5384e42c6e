import { expect, test } from 'vitest'
import type { ModelRef } from '../../../src/core/assessment.ts'
import { actingPointOf } from '../../../src/decide/acting-point.ts'
import { nextAlarm, QUIET } from '../../../src/decide/alarm.ts'

function raisedAfter(probabilities: readonly number[], persistenceCount: number): boolean[] {
  let alarm = QUIET
  return probabilities.map((probability) => {
    alarm = nextAlarm(alarm, probability, 0.8, { hysteresisRatio: 0.75, persistenceCount })
    return alarm.raised
  })
}

test.each([
  { seen: [0.8], persistence: 1, raised: [true], because: 'at the point is over it' },
  { seen: [0.79], persistence: 1, raised: [false], because: 'below the point is not' },
  {
    seen: [0.9, 0.9, 0.9],
    persistence: 3,
    raised: [false, false, true],
    because: 'three in a row are asked for',
  },
  {
    seen: [0.9, 0.7, 0.9, 0.9],
    persistence: 2,
    raised: [false, false, false, true],
    because: 'one below the point begins the row anew',
  },
  {
    seen: [0.9, 0.61, 0.79, 0.59, 0.7],
    persistence: 1,
    raised: [true, true, true, false, false],
    because: 'it clears below 0.6 and needs 0.8 again',
  },
])('$seen with persistence $persistence: $because', ({ seen, persistence, raised }) => {
  expect(raisedAfter(seen, persistence)).toEqual(raised)
})

const MODEL: ModelRef = {
  version: 'm',
  featureHash: 'f',
  horizonMs: 1,
  provider: 'cpu',
  explanation: 'occlusion',
  actingPoint: 0.4,
  alertBudgets: [
    { falseAlarmsPer1000NodeMonths: 10, probability: 0.2 },
    { falseAlarmsPer1000NodeMonths: 2, probability: 0.6 },
  ],
}

test.each([
  { budget: 6, expected: 0.4, because: 'half way between two points' },
  { budget: 2, expected: 0.6, because: 'a point is taken as it is' },
  { budget: 1, expected: 0.6, because: 'below the smallest the strictest counts' },
  { budget: 50, expected: 0.2, because: 'above the largest the loosest counts' },
])('a budget of $budget acts at $expected: $because', ({ budget, expected }) => {
  const point = { kind: 'alert-budget' as const, falseAlarmsPer1000NodeMonths: budget }
  expect(actingPointOf(point, MODEL)).toBeCloseTo(expected, 12)
})

test('the policy names a threshold or leaves it to the card', () => {
  expect(actingPointOf({ kind: 'threshold', probability: 0.8 }, null)).toBe(0.8)
  expect(actingPointOf({ kind: 'card' }, MODEL)).toBe(0.4)
})

test.each([
  { action: 1, failure: 20, expected: 0.05, because: 'one failure in twenty alerts pays for them' },
  { action: 5, failure: 4, expected: 1, because: 'a failure is cheaper than acting' },
])('costs of $action and $failure act at $expected: $because', ({ action, failure, expected }) => {
  expect(actingPointOf({ kind: 'cost', action, failure }, null)).toBe(expected)
})

test('without a card there is no point to act at', () => {
  expect(actingPointOf({ kind: 'card' }, null)).toBeNull()
  const budget = { kind: 'alert-budget' as const, falseAlarmsPer1000NodeMonths: 5 }
  expect(actingPointOf(budget, { ...MODEL, alertBudgets: [] })).toBeNull()
})
