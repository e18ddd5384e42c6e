// Goal: for a model that adds up, the contributions are what each feature adds.
import { expect, test } from 'vitest'
import { occlude } from '../../../src/predict/occlusion.ts'
import { linearPredictor } from '../../support/linear-predictor.ts'

test('each is what its feature adds to the margin; together they are all that was added', async () => {
  const row = Float32Array.of(1, 2, 4, 8)
  const found = await occlude(linearPredictor([0.5, 0.25, 1, -0.125]), row)
  expect([...found]).toEqual([0.5, 0.5, 4, -1])
})

test('a missing value contributes nothing, and the row is left as it was', async () => {
  const row = Float32Array.of(Number.NaN, 2)
  expect([...(await occlude(linearPredictor([9, 1]), row))]).toEqual([0, 2])
  expect([...row]).toEqual([Number.NaN, 2])
})
