// Goal: a large fleet is told of exactly where something is new, and nobody that a policy may act on is left out.
import { describe, expect, test } from 'vitest'
import type { ModelRef } from '../../../src/core/assessment.ts'
import { DEFAULT_POLICY, type Policy } from '../../../src/core/policy.ts'
import { DETAILED_NODES_MAX, ReportRule, type Worth } from '../../../src/pipeline/report-rule.ts'

const MODEL: ModelRef = {
  version: 'm-1',
  featureHash: 'f',
  horizonMs: 3_600_000,
  provider: 'wasm',
  explanation: 'occlusion',
  actingPoint: 0.6,
  alertBudgets: [],
}
const INTERVAL_MS = 60_000
const LARGE = DETAILED_NODES_MAX + 1
const at = (probability: number): Policy => ({
  ...DEFAULT_POLICY,
  actingPoint: { kind: 'threshold', probability },
  hysteresisRatio: 0.5,
})

interface Seen {
  readonly p: number
  readonly grid?: boolean
  /** Grid time, counted in intervals. */
  readonly time?: number
  readonly worth: Worth
}

function judged(seen: readonly Seen[], policies: readonly Policy[], nodeCount = LARGE): Worth[] {
  const rule = new ReportRule(MODEL, policies, INTERVAL_MS)
  return seen.map(({ p, grid = false, time = 1 }) =>
    rule.take({ index: 300, probability: p, atMs: time * INTERVAL_MS, grid }, nodeCount),
  )
}

test.each<{ because: string; seen: readonly Seen[]; policies?: readonly Policy[] }>([
  {
    because: 'a healthy node is made known to its coordinator once',
    seen: [
      { p: 0.01, worth: 'assessment' },
      { p: 0.02, worth: 'nothing' },
      { p: 0.02, grid: true, worth: 'nothing' },
    ],
  },
  {
    because: 'a clear change is news, and what it is compared with is what was told last',
    seen: [
      { p: 0.01, worth: 'assessment' },
      { p: 0.04, worth: 'nothing' },
      { p: 0.07, worth: 'prediction' },
      { p: 0.09, worth: 'nothing' },
    ],
  },
  {
    because: 'crossing the point of a policy is news, however small the step',
    seen: [
      { p: 0.099, worth: 'assessment' },
      { p: 0.101, worth: 'prediction' },
      { p: 0.099, worth: 'prediction' },
    ],
    policies: [at(0.9), at(0.2)],
  },
  {
    because: 'where a policy with hysteresis ends its alarm is a point as well',
    seen: [
      { p: 0.41, worth: 'prediction' },
      { p: 0.39, worth: 'prediction' },
    ],
    policies: [at(0.8)],
  },
  {
    because:
      'each grid time counts from the lowest point on, as a policy may want several in a row',
    seen: [
      { p: 0.5, worth: 'prediction' },
      { p: 0.5, worth: 'nothing' },
      { p: 0.5, grid: true, worth: 'prediction' },
      { p: 0.5, grid: true, time: 2, worth: 'prediction' },
    ],
    policies: [at(0.8)],
  },
  {
    because: 'a card recommends a point that the default policy does not have',
    seen: [
      { p: 0.59, worth: 'assessment' },
      { p: 0.61, worth: 'prediction' },
    ],
    policies: [{ ...at(0.9), hysteresisRatio: 1 }],
  },
])('$because', ({ seen, policies = [DEFAULT_POLICY] }) => {
  expect(judged(seen, policies)).toEqual(seen.map(({ worth }) => worth))
})

describe('a node of which there is nothing new', () => {
  test.each(['grid times', 'samples'])('is told of once in ten intervals, at %s', (when) => {
    const quiet = Array.from({ length: 31 }, (_, time) => ({
      p: 0.01,
      grid: when === 'grid times' && time > 0,
      time,
      worth: 'nothing' as const,
    }))
    const told = judged(quiet, [DEFAULT_POLICY])
    expect(told.slice(1).filter((worth) => worth === 'assessment')).toHaveLength(3)
    expect(told).not.toContain('prediction')
  })

  test('is told of at other times than its neighbours', () => {
    const rule = new ReportRule(MODEL, [DEFAULT_POLICY], INTERVAL_MS)
    const nodes = Array.from({ length: 100 }, (_, index) => index)
    const toldAt = (time: number) =>
      nodes.filter((index) => {
        const scored = { index, probability: 0.01, atMs: time * INTERVAL_MS, grid: time > 0 }
        return rule.take(scored, LARGE) === 'assessment'
      }).length
    expect(toldAt(0)).toBe(100)
    for (let time = 1; time <= 20; time++) {
      expect(toldAt(time)).toBeGreaterThanOrEqual(8)
      expect(toldAt(time)).toBeLessThanOrEqual(12)
    }
  })
})

test('a small fleet is told of at each grid time, and at first sight', () => {
  const seen: readonly Seen[] = [
    { p: 0.01, worth: 'prediction' },
    { p: 0.01, worth: 'nothing' },
    { p: 0.01, grid: true, worth: 'prediction' },
  ]
  expect(judged(seen, [DEFAULT_POLICY], DETAILED_NODES_MAX)).toEqual(seen.map(({ worth }) => worth))
})

test('an index that another node has now knows nothing of the one before', () => {
  const rule = new ReportRule(MODEL, [DEFAULT_POLICY], INTERVAL_MS)
  const scored = { index: 5, probability: 0.3, atMs: 0, grid: false }
  rule.take(scored, LARGE)
  expect(rule.sent(5)).toBeCloseTo(0.3)
  rule.forget(5)
  expect(rule.sent(5)).toBeUndefined()
  expect(rule.take(scored, LARGE)).toBe('assessment')
})

describe('reasons', () => {
  const explained = (probabilities: readonly number[], nodeCount: number) => {
    const rule = new ReportRule(MODEL, [DEFAULT_POLICY], INTERVAL_MS)
    return probabilities.map((probability, time) => {
      const scored = { index: 7, probability, atMs: time * INTERVAL_MS, grid: true }
      rule.take(scored, nodeCount)
      return rule.explains(scored, nodeCount)
    })
  }

  test('are told again in a large fleet where the probability has moved', () => {
    const seen = [0.9, 0.91, 0.94, 0.96, 0.92, 0.9, 0.2, 0.9]
    const expected = [true, false, false, true, false, true, false, true]
    expect(explained(seen, LARGE)).toEqual(expected)
  })

  test('are told each time in a small one', () => {
    expect(explained([0.9, 0.9, 0.9], DETAILED_NODES_MAX)).toEqual([true, true, true])
  })
})
