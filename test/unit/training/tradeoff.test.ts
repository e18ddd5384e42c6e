// Goal: each point of the trade-off counts what an operator would have seen, and the cheapest is found.
import { expect, test } from 'vitest'
import { DAY_MS } from '../../../src/core/time.ts'
import type { ScoredRows } from '../../../training/alerts.ts'
import { plotTradeoff } from '../../../training/tradeoff-plot.ts'
import { cheapestPoint, expectedCost, pointAt, tradeoff } from '../../../training/tradeoff.ts'

const INTERVAL = 7 * DAY_MS
const HORIZON = 30 * DAY_MS

/** Of 100 nodes one in ten fails, seen 20 days before at 0.9, or at 0.2 like half of the healthy. */
function madeRows(): ScoredRows {
  const node: number[] = []
  const atMs: number[] = []
  const labels: number[] = []
  const failureAtMs: number[] = []
  const scores: number[] = []
  for (let n = 0; n < 100; n++) {
    const fails = n % 10 === 0
    for (let week = 0; week < 4; week++) {
      node.push(n)
      atMs.push(week * INTERVAL)
      labels.push(fails ? 1 : 0)
      failureAtMs.push(fails ? 27 * DAY_MS : NaN)
      scores.push(fails && n < 50 && week >= 1 ? 0.9 : n % 2 === 0 ? 0.2 : 0.01)
    }
  }
  return {
    node: Uint32Array.from(node),
    atMs: Float64Array.from(atMs),
    labels: Uint8Array.from(labels),
    failureAtMs: Float64Array.from(failureAtMs),
    scores: Float64Array.from(scores),
    intervalMs: INTERVAL,
    horizonMs: HORIZON,
  }
}

test('a point counts alerts, false ones, and failures foreseen and missed', () => {
  const months = (400 * INTERVAL) / ((365.25 / 12) * DAY_MS)
  const strict = pointAt(madeRows(), 0.9)
  expect(strict).toMatchObject({ precision: 1, recall: 0.5, falseAlarmsPer1000NodeMonths: 0 })
  expect(strict.alertsPer1000NodeMonths).toBeCloseTo(5_000 / months, 9)
  expect(strict.missedPer1000NodeMonths).toBeCloseTo(5_000 / months, 9)
  const loose = pointAt(madeRows(), 0.2)
  expect(loose.recall).toBe(1)
  expect(loose.precision).toBeCloseTo(10 / 50, 9)
})

test('a failure that is seen too late is missed', () => {
  expect(pointAt(madeRows(), 0.9, 20 * DAY_MS).recall).toBe(0.5)
  expect(pointAt(madeRows(), 0.9, 21 * DAY_MS).recall).toBe(0)
})

test('points go from strict to loose, and recall never falls on the way', () => {
  const { points } = tradeoff(madeRows())
  expect(points.map(({ probability }) => probability)).toEqual([0.9, 0.2, 0.01])
  expect(points.map(({ recall }) => recall)).toEqual([0.5, 1, 1])
})

test.each([
  { action: 1, failure: 1.5, at: 0.9, because: 'certain alerts pay, doubtful ones do not' },
  { action: 1, failure: 100, at: 0.2, because: 'a dear failure is worth eight false alarms' },
  { action: 10, failure: 1, at: null, because: 'acting costs more than it can avert' },
])('with costs $action and $failure act at $at: $because', ({ action, failure, at }) => {
  const curve = tradeoff(madeRows())
  const point = cheapestPoint(curve, { action, failure })
  expect(point?.probability ?? null).toBe(at)
  const never = failure * curve.failuresPer1000NodeMonths
  if (point !== null) expect(expectedCost(point, { action, failure })).toBeLessThan(never)
})

test('the plot is an SVG with both curves and the point to act at', () => {
  const curve = tradeoff(madeRows())
  const svg = plotTradeoff('recall < 1 & more', curve, curve.points[1])
  expect(svg.startsWith('<svg xmlns=')).toBe(true)
  expect(svg.match(/<polyline/g)).toHaveLength(2)
  expect(svg).toContain('act at 0.200')
  expect(svg).toContain('recall &lt; 1 &amp; more')
  expect(svg).not.toMatch(/NaN|Infinity/)
})
