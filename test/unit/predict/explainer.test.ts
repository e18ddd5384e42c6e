// Goal: what raises a probability is told largest first, exactly where the model allows it, with what is known
// of each feature's usual values and of the node's peers.
import { afterEach, describe, expect, test } from 'vitest'
import type { ModelReference } from '../../../src/core/model.ts'
import { CONTRIBUTIONS_MAX, Explainer } from '../../../src/predict/explainer.ts'
import { explanationOf, loadPredictor, type Predictor } from '../../../src/predict/session.ts'
import { writeForeignModel } from '../../support/foreign-models.ts'
import { DRIVE } from '../../support/history/parity-classes.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'
import { linearPredictor } from '../../support/linear-predictor.ts'
import { loadModule } from '../../support/training-data.ts'

const kernel = loadModule()
const NO_REFERENCE: ModelReference | null = null

test('only what raises the probability is told, the largest of it first', async () => {
  const explainer = new Explainer(linearPredictor([1, -1, 0, 9]), NO_REFERENCE)
  const row = Float32Array.of(3, 5, 7, Number.NaN)
  expect(await explainer.contributions(row)).toEqual([
    { feature: 'f0', value: 3, expected: null, peerPercentile: null, contribution: 3 },
  ])
  const weights = Array.from({ length: CONTRIBUTIONS_MAX + 4 }, (_, index) => index + 1)
  const many = new Explainer(linearPredictor(weights), NO_REFERENCE)
  const found = await many.contributions(new Float32Array(weights.length).fill(1))
  expect(found.map(({ contribution }) => contribution)).toEqual([9, 8, 7, 6, 5])
})

test('a feature is told with its usual range, and a metric with its place among peers', async () => {
  const names = ['a.value', 'a.trend', 'a.peers', 'b.value']
  const reference: ModelReference = {
    nodeCount: 9,
    score: { bounds: [], shares: [1, 0] },
    features: {
      'a.value': { bounds: [0, 1], shares: [0.5, 0.45, 0.05, 0] },
      'a.peers': { bounds: [], shares: [1, 0] },
    },
  }
  const explainer = new Explainer(linearPredictor([1, 1, 1, 1], names), reference)
  const told = async (peers: number) =>
    (await explainer.contributions(Float32Array.of(24, 5, peers, 1))).map(
      ({ feature, expected, peerPercentile }) => [feature, expected, peerPercentile],
    )
  expect(await told(0.75)).toEqual([
    ['a.value', { low: 0, high: 1, quantiles: [0.1, 0.9] }, 0.75],
    ['a.trend', null, null],
    ['b.value', null, null],
    ['a.peers', null, 0.75],
  ])
  expect((await told(Number.NaN))[0]).toEqual([
    'a.value',
    { low: 0, high: 1, quantiles: [0.1, 0.9] },
    null,
  ])
})

describe('a loaded model', () => {
  const opened: Predictor[] = []
  afterEach(async () => {
    for (const predictor of opened.splice(0)) await predictor.dispose()
  })
  const load = async (directory: string, options: Parameters<typeof loadPredictor>[1]) => {
    const predictor = await loadPredictor(directory, options)
    opened.push(predictor)
    return predictor
  }

  test.each([{ provider: 'wasm' }, { provider: 'cpu' }] as const)(
    'with covers is explained exactly on $provider, by what its margin is over the mean',
    async (options) => {
      const directory = writeTinyModel(DRIVE, 3)
      const predictor = await load(directory, { ...options, kernel, explains: true })
      expect(predictor.provider).toBe(options.provider)
      expect(explanationOf(predictor)).toBe('tree-shap')
      const row = new Float32Array(predictor.card.features.length)
      row[0] = 24
      // Of four rows of training three went left, to -2, and one to 2: the mean is -1, the row is 3 above it.
      const [feature] = predictor.card.features
      const explainer = new Explainer(predictor, NO_REFERENCE)
      const found = await explainer.contributions(row)
      expect(found).toMatchObject([{ feature, value: 24 }])
      expect(found[0].contribution).toBeCloseTo(3, 12)
    },
  )

  test.each([
    { why: 'it has no covers', directory: writeForeignModel('lightgbm'), explains: true },
    {
      why: 'its trees are not understood',
      directory: writeForeignModel('random-forest'),
      explains: true,
    },
    { why: 'nobody asked for more', directory: writeTinyModel(DRIVE, 3), explains: false },
  ])('is explained by occlusion where $why', async ({ directory, explains }) => {
    expect(explanationOf(await load(directory, { kernel, explains }))).toBe('occlusion')
  })
})
