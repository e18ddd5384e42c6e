// Goal: ONNX Runtime says what the trainer said, to 1e-6 in the margin, missing values included.
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, expect, test } from 'vitest'
import { findBounds, toBinnedRows } from '../../training/bins.ts'
import { DEFAULT_BOOST, trainBoost } from '../../training/boost.ts'
import { predictMargin, type Booster } from '../../training/booster.ts'
import { calibrate } from '../../training/calibration.ts'
import { toOnnx } from '../../training/onnx.ts'
import { loadModule, makeData } from '../support/training-data.ts'

const FEATURES = 5
const CALIBRATION = {
  kind: 'sigmoid',
  slope: Math.fround(0.8),
  intercept: Math.fround(-0.3),
} as const
const made = makeData(3_000, FEATURES, 7)
let booster: Booster

beforeAll(() => {
  const bounds = findBounds(made.matrix, FEATURES)
  const rows = toBinnedRows(made.matrix, made.labels, bounds)
  booster = trainBoost(
    loadModule(),
    { rows, bounds, validation: null },
    {
      ...DEFAULT_BOOST,
      treesMax: 40,
      learningRate: 0.1,
    },
  )
})

async function run(
  matrix: Float32Array,
): Promise<{ margin: Float32Array; probability: Float32Array }> {
  const model = toOnnx({
    booster,
    calibration: CALIBRATION,
    featureNames: ['a', 'b', 'c', 'd', 'e'],
    featureHash: 'hash',
    horizonMs: 1_000,
    version: '1',
  })
  const session = await InferenceSession.create(model, { logSeverityLevel: 3 })
  const features = new Tensor('float32', matrix, [matrix.length / FEATURES, FEATURES])
  const { margin, probability } = await session.run({ features })
  await session.release()
  return {
    margin: margin.data as Float32Array,
    probability: probability.data as Float32Array,
  }
}

function expectSame(
  matrix: Float32Array,
  margins: Float32Array,
  probabilities: Float32Array,
): void {
  let [marginGap, probabilityGap] = [0, 0]
  for (let row = 0; row < margins.length; row++) {
    const margin = predictMargin(booster, matrix, row)
    marginGap = Math.max(marginGap, Math.abs(margin - margins[row]))
    const gap = Math.abs(calibrate(CALIBRATION, margin) - probabilities[row])
    probabilityGap = Math.max(probabilityGap, gap)
  }
  expect(marginGap).toBeLessThanOrEqual(1e-6)
  expect(probabilityGap).toBeLessThanOrEqual(1e-6)
}

test('the training rows, a third of them with a missing value', async () => {
  const { margin, probability } = await run(made.matrix)
  expect(margin).toHaveLength(made.rowCount)
  expectSame(made.matrix, margin, probability)
})

test('values that lie exactly on a threshold, one step beside it, and nowhere', async () => {
  const values = new Set<number>([NaN, 0, -0, 3.4e38, -3.4e38, 1e-42])
  for (const tree of booster.trees) {
    for (const [node, threshold] of tree.threshold.entries()) {
      if (tree.feature[node] < 0) continue
      values.add(threshold)
      values.add(Math.fround(threshold + Math.abs(threshold) * 1.2e-7))
    }
  }
  const list = [...values]
  const matrix = new Float32Array(list.length * FEATURES)
  for (let i = 0; i < matrix.length; i++) matrix[i] = list[(i * 7) % list.length]!
  const { margin, probability } = await run(matrix)
  expectSame(matrix, margin, probability)
})

test('the file names the features it was trained on', async () => {
  const model = toOnnx({
    booster,
    calibration: CALIBRATION,
    featureNames: ['a', 'b', 'c', 'd', 'e'],
    featureHash: 'feature-hash-1',
    horizonMs: 1_000,
    version: '1',
  })
  const text = Buffer.from(model).toString('latin1')
  expect(text).toContain('feature-hash-1')
  expect(text).toContain('["a","b","c","d","e"]')
})
