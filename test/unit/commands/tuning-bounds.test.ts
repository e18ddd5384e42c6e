// Goal: operators narrow what is tuned, and never widen it.
import { expect, test } from 'vitest'
import { narrowed } from '../../../src/commands/tuning-bounds.ts'
import { KNOBS } from '../../../src/simulate/tuning/knobs.ts'

test('without a word all is tuned', () => {
  expect(narrowed(KNOBS, [], [])).toEqual(KNOBS)
})

test('keys are chosen, and bounds are narrowed in their own unit', () => {
  const only = ['policy.cooldown', 'policy.attempts_max', 'policy.budget']
  const bounds = ['policy.cooldown=2m..5m', 'policy.attempts_max=3..3']
  const left = narrowed(KNOBS, only, bounds).map(({ key, low, high }) => ({ key, low, high }))
  expect(left).toEqual([
    { key: 'policy.cooldown', low: 120_000, high: 300_000 },
    { key: 'policy.attempts_max', low: 3, high: 3 },
    { key: 'policy.budget', low: 0.05, high: 0.2 },
  ])
})

test.each([
  { only: ['policy.budgets'], bounds: [], message: 'did you mean policy.budget?' },
  { only: ['kafka.brokers'], bounds: [], message: '--only: kafka.brokers is not tuned; known are' },
  { only: [], bounds: ['policy.budget'], message: '"policy.budget" is no KEY=LOW..HIGH' },
  { only: [], bounds: ['policy.mode=1..2'], message: '--bound: policy.mode is not tuned' },
  {
    only: ['policy.budget'],
    bounds: ['policy.cooldown=2m..5m'],
    message: 'policy.cooldown is not among the keys of --only',
  },
  {
    only: [],
    bounds: ['policy.cooldown=2..5'],
    message: '"2" is no length of time; write 60s, 5m',
  },
  { only: [], bounds: ['policy.budget=a..0.2'], message: '"a" is no number' },
  { only: [], bounds: ['policy.attempts_max=2.5..3'], message: '"2.5" is no whole number' },
  { only: [], bounds: ['policy.budget=0.2..0.1'], message: 'policy.budget: 0.2 is over 0.1' },
  {
    only: [],
    bounds: ['policy.cooldown=1s..5m'],
    message: 'policy.cooldown: bounds are narrowed only, within "1m".."15m"',
  },
  {
    only: [],
    bounds: ['policy.budget=0.1..0.2', 'policy.budget=0.1..0.15'],
    message: 'policy.budget is given twice',
  },
])('$bounds of $only: $message', ({ only, bounds, message }) => {
  expect(() => narrowed(KNOBS, only, bounds)).toThrow(message)
})
