// Goal: for a model that adds up, the contributions are what each feature adds.
import { expect, test } from 'vitest'
import { occlude } from '../../../src/predict/occlusion.ts'
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

test('each is what its feature adds to the margin; together they are all that was added', async () => {
  const row = Float32Array.of(1, 2, 4, 8)
  const found = await occlude(linear([0.5, 0.25, 1, -0.125]), row)
  expect([...found]).toEqual([0.5, 0.5, 4, -1])
})

test('a missing value contributes nothing, and the row is left as it was', async () => {
  const row = Float32Array.of(Number.NaN, 2)
  expect([...(await occlude(linear([9, 1]), row))]).toEqual([0, 2])
  expect([...row]).toEqual([Number.NaN, 2])
})
