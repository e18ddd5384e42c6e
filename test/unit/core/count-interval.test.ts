// Goal: nine intervals of ten hold the true value, for few and for many.
import { expect, test } from 'vitest'
import { countInterval, shareInterval } from '../../../src/core/count-interval.ts'

/** Exact chance that the interval of a binomial count holds the share behind it. */
function coverage(share: number, total: number): number {
  let covered = 0
  let chance = (1 - share) ** total
  for (let count = 0; count <= total; count++) {
    const { low, high } = shareInterval(count, total)
    if (share >= low && share <= high) covered += chance
    chance *= ((total - count) / (count + 1)) * (share / (1 - share))
  }
  return covered
}

test.each([5, 10, 40, 200])('of %i the interval of a share covers 90 %% on average', (total) => {
  const shares = Array.from({ length: 181 }, (_, i) => 0.05 + i * 0.005)
  const mean = shares.reduce((sum, share) => sum + coverage(share, total), 0) / shares.length
  expect(mean).toBeGreaterThan(0.88)
  expect(mean).toBeLessThan(0.93)
})

test('of nothing counted the share may be anything', () => {
  expect(shareInterval(0, 0)).toEqual({ low: 0, high: 1 })
})

// Exact limits: half of the chi-square quantiles 0.05 at 2k and 0.95 at 2k + 2 degrees of freedom.
test.each([
  { count: 0, low: 0, high: 2.996 },
  { count: 1, low: 0.051, high: 4.744 },
  { count: 5, low: 1.97, high: 10.513 },
  { count: 10, low: 5.425, high: 16.962 },
  { count: 100, low: 84.139, high: 118.079 },
])('the limits of a count of $count are the exact Poisson ones', ({ count, low, high }) => {
  const found = countInterval(count)
  expect(Math.abs(found.low - low)).toBeLessThan(0.03)
  expect(Math.abs(found.high - high)).toBeLessThan(0.03)
})
