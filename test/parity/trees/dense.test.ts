// Goal: the dense form, which GPUs run, ends every row in the leaf that a walk ends in, for every shape of ensemble
// and every kind of value. Here it runs on the CPU; test/gpu runs it on a device.
import { readFileSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import type { ModelCard } from '../../../src/core/model.ts'
import { toDenseModel } from '../../../src/predict/dense-model.ts'
import { RowEncoder } from '../../../src/predict/row-keys.ts'
import { loadPredictor } from '../../../src/predict/session.ts'
import { makeBooster, makeRows, onnxOf, reference, type Shape } from './tree-cases.ts'

const ROWS = 301
const OUTPUTS = ['probability', 'margin']

async function denseScores(onnx: Uint8Array, rows: Float32Array, featureCount: number) {
  const dense = toDenseModel(onnx, featureCount, OUTPUTS)
  if (!dense.ok) throw new Error(dense.reason)
  const encoder = new RowEncoder(dense.slots, featureCount)
  const rowCount = rows.length / featureCount
  const keys = new Tensor('int32', encoder.encode(rows, rowCount), [rowCount, encoder.width])
  const session = await InferenceSession.create(dense.bytes, { logSeverityLevel: 3 })
  const { margin, probability } = await session.run({ keys })
  await session.release()
  return { margin: margin.data as Float32Array, probability: probability.data as Float32Array }
}

function gap(ours: Float32Array, theirs: Float32Array): number {
  return Math.max(...ours.map((value, row) => Math.abs(value - theirs[row])))
}

const shapes = [1, 2, 31, 33, 100].flatMap((leafCount): Shape[] => [
  { treeCount: 20, leafCount, featureCount: 7, growth: 'random' },
  { treeCount: 7, leafCount, featureCount: 90, growth: 'chain' },
])

describe.each(shapes)(
  '$treeCount trees, $leafCount leaves, $featureCount features, $growth',
  (shape) => {
    test('every row has the margin of a walk, but for the order of the sum', async () => {
      const booster = makeBooster(shape, shape.leafCount)
      const rows = makeRows(ROWS, shape.featureCount, 5)
      const { margin } = await denseScores(onnxOf(booster), rows, shape.featureCount)
      // Leaves are up to half a unit apart: a wrong one shows.
      expect(gap(margin, reference(booster, rows))).toBeLessThanOrEqual(4e-6)
    })
  },
)

test('trees of different sizes stand side by side', async () => {
  const parts = [1, 3, 40].map((leafCount) =>
    makeBooster({ treeCount: 4, leafCount, featureCount: 5, growth: 'random' }, leafCount),
  )
  const booster = { ...parts[0], trees: parts.flatMap(({ trees }) => trees) }
  const rows = makeRows(ROWS, 5, 6)
  const { margin } = await denseScores(onnxOf(booster), rows, 5)
  expect(gap(margin, reference(booster, rows))).toBeLessThanOrEqual(4e-6)
})

test('an ensemble whose matrices would not fit a buffer has no dense form', () => {
  const large = makeBooster(
    { treeCount: 600, leafCount: 256, featureCount: 5, growth: 'random' },
    1,
  )
  expect(toDenseModel(onnxOf(large), 5, OUTPUTS)).toEqual({
    ok: false,
    reason: 'its trees are too large for the dense form',
  })
})

test('what only leads to outputs that are not wanted is left out', () => {
  const booster = makeBooster({ treeCount: 2, leafCount: 3, featureCount: 5, growth: 'random' }, 1)
  const onnx = onnxOf(booster)
  const both = toDenseModel(onnx, 5, OUTPUTS)
  const margin = toDenseModel(onnx, 5, ['margin'])
  if (!both.ok || !margin.ok) throw new Error('there is a dense form')
  expect(Buffer.from(both.bytes).includes('Sigmoid')).toBe(true)
  expect(Buffer.from(margin.bytes).includes('Sigmoid')).toBe(false)
})

describe.each(['models/fleet', 'models/backblaze'])('%s', (directory) => {
  test('has a dense form with the probabilities of ONNX Runtime to 1e-5', async () => {
    const card = JSON.parse(readFileSync(`${directory}/card.json`, 'utf8')) as ModelCard
    const width = card.features.length
    const rows = makeRows(ROWS, width, 11)
    const theirs = await loadPredictor(directory)
    const expected = await theirs.predict(rows, ROWS)
    await theirs.dispose()
    const ours = await denseScores(readFileSync(`${directory}/model.onnx`), rows, width)
    expect(gap(ours.probability, expected.probability)).toBeLessThanOrEqual(1e-5)
    expect(new Set(expected.margin).size).toBeGreaterThan(100)
  })
})
