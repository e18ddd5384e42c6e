// Goal: a model of another trainer serves in place of ours and says what that trainer said, and one that cannot
// is refused with what to do about it.
import { describe, expect, test } from 'vitest'
import { loadPredictor } from '../../src/predict/session.ts'
import { foreignRows, largestGap, writeForeignModel } from '../support/foreign-models.ts'
import { loadModule } from '../support/training-data.ts'

const kernel = loadModule()

describe.each([
  { name: 'lightgbm', missing: NaN, fastest: 'wasm' },
  { name: 'xgboost', missing: NaN, fastest: 'wasm' },
  { name: 'gradient-boosting', missing: 0, fastest: 'wasm' },
  { name: 'random-forest', missing: 0, fastest: 'cpu' },
])('$name', ({ name, missing, fastest }) => {
  test.each([
    { options: { kernel }, provider: fastest },
    { options: { provider: 'cpu' as const }, provider: 'cpu' },
  ])('says on $provider what its trainer says, to 1e-5', async ({ options, provider }) => {
    const predictor = await loadPredictor(writeForeignModel(name), options)
    expect(predictor.provider).toBe(provider)
    const { matrix, rowCount, probability } = foreignRows(name, missing)
    const scores = await predictor.predict(matrix, rowCount)
    await predictor.dispose()
    expect(rowCount).toBe(200)
    expect(largestGap(scores.probability, probability)).toBeLessThanOrEqual(1e-5)
    expect(new Set(scores.probability).size).toBeGreaterThan(20)
    for (const [row, margin] of scores.margin.entries()) {
      expect(1 / (1 + Math.exp(-margin))).toBeCloseTo(scores.probability[row], 4)
    }
  })
})

describe('is refused', () => {
  test.each([
    {
      what: 'probabilities as a list of maps',
      name: 'lightgbm-zipmap',
      says: /model\.onnx: its output `probabilities` is a list of maps, not a tensor; export it with zipmap=False$/,
    },
    {
      what: 'a model that cannot do without a value',
      name: 'logistic-regression',
      says: /model\.onnx: its output `probabilities` is not a number where features are missing, and telemetry has missing values; put an imputer into the model$/,
    },
    {
      what: 'a model of other features',
      name: 'lightgbm',
      features: ['f0', 'f1'],
      says: /model\.onnx: its input `input` has 5 features but card\.json names 2; the card is of another model$/,
    },
  ])('$what', async ({ name, features, says }) => {
    await expect(loadPredictor(writeForeignModel(name, features))).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(says) as string,
    })
  })

  test('the kernel, where it must serve and does not take the model', async () => {
    const directory = writeForeignModel('random-forest')
    await expect(loadPredictor(directory, { kernel, provider: 'wasm' })).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
      message: expect.stringMatching(/`wasm` cannot serve model random-forest/) as string,
    })
  })
})
