// Goal: what is adopted saves a fifth, and does so for certain.
import { expect, test } from 'vitest'
import { judge } from '../../../../src/simulate/tuning/adoption.ts'

/** Worlds that differ, each of which saves the same share. */
const COSTS = Array.from({ length: 40 }, (_, world) => 500 + 37 * ((world * 17) % 40))
const times = (ratio: number) => COSTS.map((cost) => ratio * cost)

test.each([
  { saved: 0.19, adopted: false },
  { saved: 0.21, adopted: true },
  { saved: 0, adopted: false },
  { saved: -0.3, adopted: false },
])('$saved of the cost is adopted: $adopted', ({ saved, adopted }) => {
  const verdict = judge(COSTS, times(1 - saved), 1)
  expect(verdict.gainRatio).toBeCloseTo(saved)
  expect(verdict.adopted).toBe(adopted)
  // Where all worlds save the same share there is no doubt about it.
  expect(verdict.interval[0]).toBeCloseTo(saved)
  expect(verdict.interval[1]).toBeCloseTo(saved)
})

test('a gain that a single world brought is none: others cost more', () => {
  const unchanged = [...Array<number>(19).fill(100), 2_000]
  const tuned = [...Array<number>(19).fill(110), 200]
  const { gainRatio, interval, adopted } = judge(unchanged, tuned, 1)
  expect(gainRatio).toBeGreaterThan(0.4)
  expect(interval[0]).toBeLessThan(0)
  expect(adopted).toBe(false)
})

test('worlds are drawn as pairs: what differs between them alone is no doubt', () => {
  const unchanged = [10, 100, 1_000, 10_000, 100_000]
  const { interval } = judge(
    unchanged,
    unchanged.map((cost) => cost / 2),
    3,
  )
  expect(interval[0]).toBeCloseTo(0.5)
  expect(interval[1]).toBeCloseTo(0.5)
})

test('the interval holds the gain, and the same seed gives the same', () => {
  const tuned = COSTS.map((cost, world) => cost * (world % 2 === 0 ? 0.5 : 0.9))
  const verdict = judge(COSTS, tuned, 5)
  expect(verdict.interval[0]).toBeLessThan(verdict.gainRatio)
  expect(verdict.interval[1]).toBeGreaterThan(verdict.gainRatio)
  expect(judge(COSTS, tuned, 5)).toEqual(verdict)
  expect(judge(COSTS, tuned, 6).interval).not.toEqual(verdict.interval)
})

test('where nothing was lost nothing is saved', () => {
  expect(judge([0, 0, 0], [0, 0, 0], 1)).toEqual({ gainRatio: 0, interval: [0, 0], adopted: false })
})
