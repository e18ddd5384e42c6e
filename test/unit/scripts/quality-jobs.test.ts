import { expect, test } from 'vitest'
import { figureOf, isReached, JOBS, reachText } from '../../../scripts/quality/jobs.ts'

test('a figure is found where it stands, and nothing stands for one that is not there', () => {
  const result = { prAuc: 0.2, alertBudget: [{ recall: 0.3 }], leadTimeMs: null }
  expect(figureOf(result, 'prAuc')).toBe(0.2)
  expect(figureOf(result, 'alertBudget.0.recall')).toBe(0.3)
  expect(figureOf(result, 'alertBudget.1.recall')).toBeUndefined()
  expect(figureOf(result, 'leadTimeMs')).toBeUndefined()
  expect(figureOf(null, 'prAuc')).toBeUndefined()
})

test.each([
  { value: 0.9, reach: { figure: 'x', atLeast: 0.9 }, reached: true, text: '≥ 0.9' },
  { value: 0.89, reach: { figure: 'x', atLeast: 0.9 }, reached: false, text: '≥ 0.9' },
  { value: 0.4, reach: { figure: 'x', atMost: 0.3 }, reached: false, text: '≤ 0.3' },
  {
    value: 1,
    reach: { figure: 'x', atLeast: 0.9, atMost: 1.1 },
    reached: true,
    text: '0.9 to 1.1',
  },
])('$value against $text: $reached', ({ value, reach, reached, text }) => {
  expect(isReached(value, reach)).toBe(reached)
  expect(reachText(reach)).toBe(text)
})

test('ahead is ahead of the best peer, and of nobody when there is none', () => {
  const reach = { figure: 'x', ahead: 0.01 }
  expect(reachText(reach)).toBe('≥ best peer + 0.01')
  expect(isReached(0.52, reach, [0.3, 0.5])).toBe(true)
  expect(isReached(0.505, reach, [0.3, 0.5])).toBe(false)
  expect(isReached(0.52, reach)).toBe(false)
})

test('every job names figures that can be reached or missed', () => {
  for (const { reach } of JOBS) {
    expect(reach.length).toBeGreaterThan(0)
    for (const { atLeast, atMost, ahead } of reach) expect(atLeast ?? atMost ?? ahead).toBeDefined()
  }
})
