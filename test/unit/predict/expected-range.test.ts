import { expect, test } from 'vitest'
import { expectedRange } from '../../../src/predict/expected-range.ts'

const quantiles = [0.1, 0.9]

test.each([
  {
    because: 'tenths lie between bounds',
    bounds: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    shares: [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0999999, 0.1000001, 0],
    expected: { low: 1, high: 9, quantiles },
  },
  {
    because: 'nearly all are the same',
    bounds: [0],
    shares: [0.97, 0.03, 0],
    expected: { low: 0, high: 0, quantiles },
  },
  {
    because: 'shares are of the rows that had a value',
    bounds: [0, 5],
    shares: [0.04, 0.42, 0.04, 0.5],
    expected: { low: 5, high: 5, quantiles },
  },
  {
    because: 'many are above the last bound',
    bounds: [2, 4],
    shares: [0.3, 0.3, 0.4, 0],
    expected: { low: 2, high: null, quantiles },
  },
  {
    because: 'nearly all are above the last bound',
    bounds: [99],
    shares: [0.05, 0.95, 0],
    expected: { low: 99, high: null, quantiles },
  },
  { because: 'no row had a value', bounds: [1], shares: [0, 0, 1], expected: null },
  { because: 'there is no bound', bounds: [], shares: [1, 0], expected: null },
])('$expected where $because', ({ bounds, shares, expected }) => {
  expect(expectedRange({ bounds, shares })).toEqual(expected)
})
