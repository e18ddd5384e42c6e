import { expect, test } from 'vitest'
import { healthPart, healthScore } from '../../../src/core/health.ts'

test.each([
  {
    parts: { network: 1, uptime: 1, resources: 1, trust: 0 },
    expected: 0.9,
    because: 'trust weighs a tenth',
  },
  {
    parts: { network: 0, uptime: 1, resources: 1, trust: 1 },
    expected: 0.6,
    because: 'network weighs most',
  },
  {
    parts: { network: 1, uptime: 0, resources: 1, trust: 1 },
    expected: 0.7,
    because: 'uptime weighs three tenths',
  },
  {
    parts: { network: 1, uptime: 1, resources: 0, trust: 1 },
    expected: 0.8,
    because: 'resources weigh two tenths',
  },
])('health is $expected when $because', ({ parts, expected }) => {
  expect(healthScore(parts)).toBeCloseTo(expected, 6)
})

test.each([
  { value: 10, good: 20, bad: 100, expected: 1, because: 'it is beyond good' },
  { value: 60, good: 20, bad: 100, expected: 0.5, because: 'it lies half way' },
  { value: 200, good: 20, bad: 100, expected: 0, because: 'it is beyond bad' },
  { value: 0.75, good: 1, bad: 0.5, expected: 0.5, because: 'good may be the larger' },
])('a part is $expected when $because', ({ value, good, bad, expected }) => {
  expect(healthPart(value, good, bad)).toBeCloseTo(expected, 12)
})
