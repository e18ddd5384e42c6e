// Goal: the better model is found at the same alert budget, and chance is not taken for skill.
import { expect, test } from 'vitest'
import { DEFAULT_PROMOTION, type OutcomeCounts, scoreBin } from '../../../src/core/model-life.ts'
import { MONTH_MS } from '../../../src/core/time.ts'
import { compare, figuresOf, OutcomeSum } from '../../../src/decide/promotion.ts'

const RULES = { ...DEFAULT_PROMOTION, falseAlarmsPer1000NodeMonths: 10 }

/** 1,000 node-months, in which both models alarm ten times for nothing at 0.5 and a hundred at 0.1. */
function outcomes(
  failures: readonly (readonly [champion: number, challenger: number])[],
  squaredErrors = { champion: 10, challenger: 10 },
): OutcomeCounts {
  const quiet = { [scoreBin(0.5)]: 10, [scoreBin(0.1)]: 90, [scoreBin(0.001)]: 900 }
  return {
    exposureMs: 1_000 * MONTH_MS,
    quiet: { champion: quiet, challenger: quiet },
    failures: failures.map(([champion, challenger]) => ({ champion, challenger, leadMs: null })),
    unscoredFailureCount: 0,
    rowCount: 1_000,
    squaredErrors,
  }
}

function sumOf(counts: OutcomeCounts): OutcomeSum {
  const sum = new OutcomeSum()
  sum.add(counts)
  return sum
}

const repeated = (count: number, champion: number, challenger: number) =>
  Array.from({ length: count }, () => [champion, challenger] as const)

test('the threshold is the lowest that keeps the budget, and recall is what reaches it', () => {
  const sum = sumOf(outcomes([...repeated(3, 0.6, 0), ...repeated(1, 0.3, 0)]))
  const figures = figuresOf(sum, 'champion', RULES)!
  expect(figures.threshold).toBeGreaterThan(0.1)
  expect(figures.threshold).toBeLessThan(0.3)
  expect(figures).toMatchObject({ recall: 1, falseAlarmsPer1000NodeMonths: 10, brier: 0.01 })
  const strict = figuresOf(sum, 'champion', { ...RULES, falseAlarmsPer1000NodeMonths: 9 })!
  expect(strict).toMatchObject({ recall: 0.75, falseAlarmsPer1000NodeMonths: 0 })
  expect(figuresOf(new OutcomeSum(), 'champion', RULES)).toBeNull()
})

test.each([
  { what: 'foresees many more', pairs: [8, 0, 12], winner: 'challenger' },
  { what: 'foresees as many, others', pairs: [5, 5, 10], winner: 'neither' },
  { what: 'is ahead by one of few that differ', pairs: [3, 2, 15], winner: 'neither' },
  { what: 'foresees fewer', pairs: [0, 8, 12], winner: 'champion' },
] as const)('a challenger that $what: $winner', ({ pairs, winner }) => {
  const [onlyChallenger, onlyChampion, both] = pairs
  const failures = [
    ...repeated(onlyChallenger, 0.01, 0.9),
    ...repeated(onlyChampion, 0.9, 0.01),
    ...repeated(both, 0.9, 0.9),
  ]
  const compared = compare(sumOf(outcomes(failures)), RULES)!
  expect(compared.winner).toBe(winner)
  expect(compared.because).toMatch(/^of 20 failures it foresaw \d+ % against \d+ % at 10 false/)
})

test('as much foresight, but better probabilities, is better; more of it with worse ones is not', () => {
  const same = repeated(20, 0.9, 0.9)
  const honest = { champion: 10, challenger: 8 }
  expect(compare(sumOf(outcomes(same, honest)), RULES)!.winner).toBe('challenger')
  const more = [...repeated(12, 0.9, 0.9), ...repeated(8, 0.01, 0.9)]
  const boastful = { champion: 10, challenger: 14 }
  expect(compare(sumOf(outcomes(more, boastful)), RULES)!.winner).toBe('neither')
})

test('nothing is compared before both were scored on a failure', () => {
  expect(compare(new OutcomeSum(), RULES)).toBeNull()
  expect(compare(sumOf(outcomes([])), RULES)).toBeNull()
})
