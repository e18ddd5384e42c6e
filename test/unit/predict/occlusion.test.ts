// Goal: for a model that adds up, the contributions are what each feature adds.
import { expect, test } from 'vitest'
import { CONTRIBUTIONS_MAX, contributions } from '../../../src/predict/occlusion.ts'
import type { Predictor } from '../../../src/predict/session.ts'
import { tinyCard } from '../../support/history/tiny-model.ts'
import { DRIVE } from '../../support/history/parity-classes.ts'

/** Margin = bias + sum of weight x value; a missing value adds nothing. */
function linear(weights: readonly number[], bias = -2): Predictor {
  const features = weights.map((_, index) => `f${index}`)
  return {
    card: { ...tinyCard(DRIVE, new Uint8Array()), features },
    provider: 'linear',
    predict: async (matrix, rowCount) => {
      const margin = Float32Array.from({ length: rowCount }, (_, row) =>
        weights.reduce((sum, weight, feature) => {
          const value = matrix[row * weights.length + feature]
          return Number.isNaN(value) ? sum : sum + weight * value
        }, bias),
      )
      return { margin, probability: margin.map((m) => 1 / (1 + Math.exp(-m))) }
    },
    dispose: async () => undefined,
  }
}

test('each is what its feature raises the margin by; together they are all that was added', async () => {
  const row = Float32Array.of(1, 2, 4, 8)
  const found = await contributions(linear([0.5, 0.25, 1, 0.125]), row)
  expect(found.map(({ feature, contribution }) => [feature, contribution])).toEqual([
    ['f2', 4],
    ['f3', 1],
    ['f0', 0.5],
    ['f1', 0.5],
  ])
  expect(found.reduce((sum, { contribution }) => sum + contribution, 0)).toBe(6)
})

test('what lowers the probability or changes nothing is no reason for it', async () => {
  const found = await contributions(linear([1, -1, 0]), Float32Array.of(3, 5, 7))
  expect(found).toEqual([
    { feature: 'f0', value: 3, expected: null, peerPercentile: null, contribution: 3 },
  ])
})

test('a missing value contributes nothing, and the row is left as it was', async () => {
  const row = Float32Array.of(Number.NaN, 2)
  const found = await contributions(linear([9, 1]), row)
  expect(found.map(({ feature, value }) => [feature, value])).toEqual([['f1', 2]])
  expect([...row]).toEqual([Number.NaN, 2])
})

test('only the largest are told', async () => {
  const weights = Array.from({ length: CONTRIBUTIONS_MAX + 4 }, (_, index) => index + 1)
  const found = await contributions(linear(weights), new Float32Array(weights.length).fill(1))
  expect(found.map(({ contribution }) => contribution)).toEqual([9, 8, 7, 6, 5])
})
