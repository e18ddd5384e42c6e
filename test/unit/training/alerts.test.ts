// Hand-computed: one row a day, horizon 3 days, a month of 30.4375 days.
import { expect, test } from 'vitest'
import { DAY_MS, MONTH_MS } from '../../../src/core/time.ts'
import { countAlerts, median, thresholdFor, type ScoredRows } from '../../../training/alerts.ts'

interface Row {
  readonly node: number
  readonly day: number
  readonly score: number
  readonly fails?: number
}

function scored(rows: readonly Row[]): ScoredRows {
  return {
    node: Uint32Array.from(rows, ({ node }) => node),
    atMs: Float64Array.from(rows, ({ day }) => day * DAY_MS),
    labels: Uint8Array.from(rows, ({ fails }) => (fails === undefined ? 0 : 1)),
    failureAtMs: Float64Array.from(rows, ({ fails }) => (fails ?? NaN) * DAY_MS),
    scores: Float64Array.from(rows, ({ score }) => score),
    intervalMs: DAY_MS,
    horizonMs: 3 * DAY_MS,
  }
}

const healthy = (node: number, ...list: number[]): Row[] =>
  list.map((score, day) => ({ node, day, score }))

test('an alert is not repeated within the horizon, and each node has its own', () => {
  const rows = scored([...healthy(0, 0.9, 0.9, 0.9, 0.9, 0.1), ...healthy(1, 0.1, 0.9)])
  // Node 0: days 0 and 3; node 1: day 1. All three are false, in seven node-days.
  expect(countAlerts(rows, 0.5)).toEqual({
    alertCount: 3,
    falseCount: 3,
    failureCount: 0,
    foreseenCount: 0,
    falsePer1000NodeMonths: 3_000 / ((7 * DAY_MS) / MONTH_MS),
    leadTimeMs: null,
  })
})

test('a failure is foreseen by any row of its horizon, also while an older alert is out', () => {
  const rows = scored([
    { node: 0, day: 0, score: 0.9 },
    { node: 0, day: 1, score: 0.1, fails: 4 },
    { node: 0, day: 2, score: 0.8, fails: 4 },
    { node: 0, day: 3, score: 0.9, fails: 4 },
  ])
  const counts = countAlerts(rows, 0.5)
  // The alert of day 0 was early, hence false; day 2 raises none, day 3 raises a true one.
  expect(counts).toMatchObject({ alertCount: 2, falseCount: 1, failureCount: 1, foreseenCount: 1 })
  expect(counts.leadTimeMs).toBe(2 * DAY_MS)
})

test('a failure without a row at the threshold is missed', () => {
  const rows = scored([
    { node: 0, day: 0, score: 0.4, fails: 2 },
    { node: 1, day: 0, score: 0.6, fails: 1 },
  ])
  expect(countAlerts(rows, 0.5)).toMatchObject({ failureCount: 2, foreseenCount: 1 })
})

test('two failures of one node are two failures', () => {
  const rows = scored([
    { node: 0, day: 0, score: 0.9, fails: 2 },
    { node: 0, day: 5, score: 0.9, fails: 7 },
  ])
  expect(countAlerts(rows, 0.5)).toMatchObject({ failureCount: 2, foreseenCount: 2 })
})

test('the threshold of a budget is the lowest that keeps it', () => {
  const rows = scored([0.9, 0.8, 0.7, 0.6].map((score, node) => ({ node, day: 0, score })))
  const perFalse = 1_000 / ((4 * DAY_MS) / MONTH_MS)
  expect(thresholdFor(rows, 2 * perFalse)).toBe(0.8)
  expect(thresholdFor(rows, 4 * perFalse)).toBe(0.6)
})

test('a budget that allows nothing gives a threshold above every score', () => {
  const rows = scored(healthy(0, 0.9))
  const threshold = thresholdFor(rows, 0.001)
  expect(threshold).toBeGreaterThan(0.9)
  expect(countAlerts(rows, threshold).alertCount).toBe(0)
})

test.each([
  { values: [], expected: null },
  { values: [3, 1, 2], expected: 2 },
  { values: [4, 1, 2, 3], expected: 2.5 },
])('the median of $values is $expected', ({ values, expected }) => {
  expect(median(values)).toBe(expected)
})
