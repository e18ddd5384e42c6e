// Goal: another distribution is noticed, the same one is not, however small the fleet.
import { expect, test } from 'vitest'
import { DEFAULT_DRIFT, type DriftCounts } from '../../../src/core/model-life.ts'
import { detectDrift, stabilityIndex } from '../../../src/detect/drift.ts'

const EXPECTED = [0.5, 0.3, 0.2, 0]
const rows = (counts: readonly number[], name = 'f') => ({ name, counts, expected: EXPECTED })

function seen(more: Partial<DriftCounts> = {}): DriftCounts {
  return {
    window: 1,
    nodeCount: 1_000,
    referenceNodeCount: 1_000,
    score: rows([500, 300, 200, 0], 'score'),
    features: [rows([500, 300, 200, 0])],
    ...more,
  }
}

test('the index is that of the textbook', () => {
  // (0.4 − 0.5)·ln(0.4 / 0.5) + 0 + (0.3 − 0.2)·ln(0.3 / 0.2)
  const index = 0.1 * Math.log(1.25) + 0.1 * Math.log(1.5)
  expect(stabilityIndex(rows([400, 300, 300, 0]), 0)).toBeCloseTo(index, 12)
  expect(stabilityIndex(rows([500, 300, 200, 0]), 0)).toBe(0)
  expect(stabilityIndex(rows([0, 0, 0, 0]), 0)).toBe(0)
})

test('what chance gives a small fleet is taken off', () => {
  const index = stabilityIndex(rows([400, 300, 300, 0]), 0)
  expect(stabilityIndex(rows([400, 300, 300, 0]), 0.01)).toBeCloseTo(index - 0.02, 12)
  expect(stabilityIndex(rows([400, 300, 300, 0]), 1 / 30)).toBe(0)
})

test('a value that goes missing is drift too', () => {
  expect(stabilityIndex(rows([300, 180, 120, 400]), 0)).toBeGreaterThan(2)
})

test('the score alone, or a share of the features, makes drift; partitions are added up', () => {
  const shifted = [50, 150, 800, 0]
  const one = (name: string, counts: readonly number[]) => ({ name, counts, expected: EXPECTED })
  expect(detectDrift([seen(), seen()], DEFAULT_DRIFT)).toMatchObject({ drifted: false, score: 0 })
  const scored = detectDrift([seen({ score: one('score', shifted) })], DEFAULT_DRIFT)!
  expect(scored).toMatchObject({ drifted: true, featureShare: 0 })
  const calm = [500, 300, 200, 0]
  const nine = Array.from({ length: 9 }, (_, i) => one(`calm-${i}`, calm))
  const few = detectDrift([seen({ features: [...nine, one('hot', shifted)] })], DEFAULT_DRIFT)!
  expect(few).toMatchObject({ drifted: false, featureShare: 0.1 })
  expect(few.features[0].name).toBe('hot')
  const many = [...nine.slice(1), one('hot', shifted), one('hotter', shifted)]
  expect(detectDrift([seen({ features: many })], DEFAULT_DRIFT)!.drifted).toBe(true)
})

test('too few rows say nothing, and a partition without nodes adds nothing', () => {
  const empty = seen({ nodeCount: 0, score: rows([0, 0, 0, 0]), features: [rows([0, 0, 0, 0])] })
  expect(detectDrift([empty], DEFAULT_DRIFT)).toBeNull()
  expect(detectDrift([seen({ score: rows([5, 3, 2, 0]) })], DEFAULT_DRIFT)).toBeNull()
  expect(detectDrift([empty, seen()], DEFAULT_DRIFT)).toMatchObject({ drifted: false })
})
