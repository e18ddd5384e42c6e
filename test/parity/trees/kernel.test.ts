// Goal: the tree kernel says what ONNX Runtime and a plain walk say, to the bit in the margin and to
// 1e-6 in the probability, for every shape of ensemble and every kind of value.
import { readFileSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import type { ModelCard } from '../../../src/core/model.ts'
import { readEnsemble } from '../../../src/predict/onnx-trees.ts'
import { loadPredictor } from '../../../src/predict/session.ts'
import { TreeKernel } from '../../../src/predict/tree-kernel.ts'
import { loadModule } from '../../support/training-data.ts'
import { makeBooster, makeRows, onnxOf, reference, type Shape } from './tree-cases.ts'

const module = loadModule()

function kernelMargins(onnx: Uint8Array, rows: Float32Array, featureCount: number): Float32Array {
  const read = readEnsemble(onnx, featureCount)
  if (!read.ok) throw new Error(read.reason)
  const margin = new Float32Array(rows.length / featureCount)
  TreeKernel.create(module, read.ensemble, featureCount)!.score(rows, margin.length, margin)
  return margin
}

async function runtimeMargins(
  onnx: Uint8Array,
  rows: Float32Array,
  featureCount: number,
): Promise<Float32Array> {
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 } as const
  const session = await InferenceSession.create(onnx, options)
  const features = new Tensor('float32', rows, [rows.length / featureCount, featureCount])
  const { margin } = await session.run({ features })
  await session.release()
  return margin.data as Float32Array
}

const LEAF_COUNTS = [1, 2, 31, 32, 33, 63, 64, 65, 200, 256]
const shapes = LEAF_COUNTS.flatMap((leafCount): Shape[] => [
  { treeCount: 20, leafCount, featureCount: 7, growth: 'random' },
  { treeCount: 7, leafCount, featureCount: 90, growth: 'chain' },
])

describe.each(shapes)(
  '$treeCount trees, $leafCount leaves, $featureCount features, $growth',
  (shape) => {
    test('every row has the margin of ONNX Runtime and of a walk', async () => {
      const booster = makeBooster(shape, shape.leafCount)
      const onnx = onnxOf(booster)
      const rows = makeRows(301, shape.featureCount, 5)
      const ours = kernelMargins(onnx, rows, shape.featureCount)
      expect(ours).toEqual(reference(booster, rows))
      expect(ours).toEqual(await runtimeMargins(onnx, rows, shape.featureCount))
    })
  },
)

test('a row has the same margin wherever it stands and whatever stands beside it', () => {
  const featureCount = 5
  const onnx = onnxOf(
    makeBooster({ treeCount: 30, leafCount: 40, featureCount, growth: 'random' }, 3),
  )
  const rows = makeRows(600, featureCount, 9)
  const all = kernelMargins(onnx, rows, featureCount)
  for (const count of [0, 1, 15, 16, 17, 255, 256, 257, 513]) {
    const some = rows.subarray(rows.length - count * featureCount)
    expect(kernelMargins(onnx, some, featureCount)).toEqual(all.subarray(600 - count))
  }
})

describe.each(['models/fleet', 'models/backblaze'])('%s', (directory) => {
  test('is served by the kernel, with the probabilities of ONNX Runtime', async () => {
    const card = JSON.parse(readFileSync(`${directory}/card.json`, 'utf8')) as ModelCard
    const [ours, theirs] = [
      await loadPredictor(directory, { kernel: module }),
      await loadPredictor(directory),
    ]
    expect([ours.provider, theirs.provider]).toEqual(['wasm', 'cpu'])
    const rows = makeRows(2_000, card.features.length, 11)
    const [a, b] = [await ours.predict(rows, 2_000), await theirs.predict(rows, 2_000)]
    expect(a.margin).toEqual(b.margin)
    const gaps = a.probability.map((value, row) => Math.abs(value - b.probability[row]))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-6)
    expect(new Set(a.margin).size).toBeGreaterThan(100)
    await theirs.dispose()
    await ours.dispose()
  })
})
