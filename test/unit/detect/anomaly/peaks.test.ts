import { describe, expect, test } from 'vitest'
import { heightFor, paretoOf, peaksOver, quantile } from '../../../../src/detect/anomaly/peaks.ts'
import { AlarmThreshold } from '../../../../src/detect/anomaly/threshold.ts'
import { randomFrom } from '../../../../training/boost.ts'

/** Draws of a generalised Pareto distribution, by its inverse. */
function paretoDraws(count: number, shape: number, scale: number, seed: number): number[] {
  const random = randomFrom(seed)
  return Array.from({ length: count }, () => {
    const rarity = 1 / (1 - random())
    return shape === 0 ? scale * Math.log(rarity) : (scale * (rarity ** shape - 1)) / shape
  })
}

test.each([
  { shape: 0, scale: 1, because: 'the tail is exponential' },
  { shape: 0.3, scale: 2, because: 'the tail is heavy' },
  { shape: -0.3, scale: 0.5, because: 'there is a highest value' },
])('moments give back the distribution where $because', ({ shape, scale }) => {
  const fitted = paretoOf(paretoDraws(40_000, shape, scale, 3))
  expect(fitted.shape).toBeCloseTo(shape, 1)
  expect(fitted.scale / scale).toBeCloseTo(1, 1)
})

test('a quantile lies between its two nearest values, as in numpy', () => {
  const values = Float64Array.of(4, 1, 3, 2)
  expect(quantile(values, 0)).toBe(1)
  expect(quantile(values, 0.9)).toBeCloseTo(3.7, 12)
  expect(quantile(values, 1)).toBe(4)
})

test('a run has one peak, its highest value', () => {
  const statistic = Float64Array.of(0, 5, 1, 7, ...Array.from({ length: 12 }, () => 0), 6)
  expect(peaksOver(statistic, 5, 10)).toEqual([7, 6])
  expect(peaksOver(statistic, 5, 0)).toEqual([5, 7, 6])
})

const RULE = { gapMax: 0, samplesPerDay: 100 }

function exponentials(count: number, seed: number, scale = 1): Float64Array {
  return Float64Array.from(paretoDraws(count, 0, scale, seed))
}

describe('a height', () => {
  test('is reached about as often as asked, also beyond what was seen', () => {
    const long = exponentials(400_000, 6)
    // In 20 days a run this high comes in two of five such histories.
    const rate = 0.02
    const seeds = Array.from({ length: 20 }, (_, i) => 100 + i)
    const logs = seeds.map((seed) => {
      const { height } = heightFor(exponentials(2_000, seed), rate, RULE)
      const reached = (peaksOver(long, height, RULE.gapMax).length * 100) / long.length
      return Math.log(Math.max(reached, 1e-3) / rate)
    })
    const typical = Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length)
    expect(typical).toBeGreaterThan(0.5)
    expect(typical).toBeLessThan(2)
  })

  test('rises as fewer are asked for', () => {
    const statistic = exponentials(3_000, 7)
    const heights = [2, 1, 0.5, 0.1, 0.01].map((rate) => heightFor(statistic, rate, RULE).height)
    expect(heights).toEqual(heights.toSorted((a, b) => a - b))
  })
})

describe('a threshold', () => {
  test('follows a statistic that grows, and one that shrinks', () => {
    for (const scale of [2, 0.5]) {
      const threshold = new AlarmThreshold(exponentials(3_000, 8), 1, RULE)
      for (const value of exponentials(4_000, 9, scale)) threshold.push(value)
      let runs = 0
      for (const value of exponentials(2_000, 10, scale)) if (threshold.push(value)) runs++
      expect(runs / 20).toBeGreaterThan(0.4)
      expect(runs / 20).toBeLessThan(2)
    }
  })

  test('is reached again by a statistic that never falls under it any more', () => {
    const threshold = new AlarmThreshold(exponentials(3_000, 8), 1, RULE)
    const start = threshold.height
    const shifted = exponentials(3_000, 12).map((value) => value + 4 * start)
    const over = Array.from(shifted, (value) => threshold.push(value))
    expect(over.slice(0, 100).every(Boolean)).toBe(true)
    const last = over.slice(-500).filter(Boolean).length
    expect(last).toBeLessThan(20)
  })

  test('a long anomaly does not hide the next one', () => {
    const threshold = new AlarmThreshold(exponentials(3_000, 11), 1, RULE)
    const before = threshold.height
    for (let i = 0; i < 150; i++) threshold.push(1_000)
    expect(threshold.height).toBeLessThan(2 * before)
    expect(threshold.push(1_000)).toBe(true)
  })
})
