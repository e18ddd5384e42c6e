// Goal: each kind of calibration has one answer: of ONNX Runtime, of the tree kernel, of the dense form that GPUs
// run and of the trainer. Margins lie below, between and above the knots.
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { toDenseModel } from '../../../src/predict/dense-model.ts'
import { readEnsemble } from '../../../src/predict/onnx-trees.ts'
import { RowEncoder } from '../../../src/predict/row-keys.ts'
import type { Predictor } from '../../../src/predict/session.ts'
import { createTreePredictor } from '../../../src/predict/tree-predictor.ts'
import { calibrate } from '../../../training/calibration.ts'
import { predictMargin } from '../../../training/booster.ts'
import type { ModelCard } from '../../../src/core/model.ts'
import { loadModule } from '../../support/training-data.ts'
import { CALIBRATIONS, makeBooster, makeRows, onnxOf } from './tree-cases.ts'

const [ROWS, WIDTH] = [2_000, 6]
const booster = makeBooster(
  { treeCount: 25, leafCount: 20, featureCount: WIDTH, growth: 'random' },
  9,
)
const rows = makeRows(ROWS, WIDTH, 9)

async function onRuntime(bytes: Uint8Array, name: string, values: Tensor): Promise<Float32Array> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 })
  const { probability } = await session.run({ [name]: values })
  await session.release()
  return probability.data as Float32Array
}

function gap(ours: Float32Array, theirs: Float32Array): number {
  return ours.reduce((worst, value, row) => Math.max(worst, Math.abs(value - theirs[row])), 0)
}

describe.each(CALIBRATIONS)('$kind', (calibration) => {
  const onnx = onnxOf(booster, calibration)
  const served = onRuntime(onnx, 'features', new Tensor('float32', rows, [ROWS, WIDTH]))
  const margins = Array.from({ length: ROWS }, (_, row) => predictMargin(booster, rows, row))

  test('ONNX Runtime says what the trainer says, to 1e-6', async () => {
    const trained = Float32Array.from(margins, (margin) => calibrate(calibration, margin))
    expect(gap(await served, trained)).toBeLessThanOrEqual(1e-6)
    expect(new Set(trained).size).toBeGreaterThan(1_000)
    expect(Math.min(...margins)).toBeLessThan(-3.1)
    expect(Math.max(...margins)).toBeGreaterThan(-0.7)
  })

  test('the tree kernel serves it, and says the same to 1e-6', async () => {
    const session = await InferenceSession.create(onnx, { logSeverityLevel: 3 })
    const oracle: Predictor = {
      card: { features: Array.from({ length: WIDTH }, (_, i) => `f${i}`) } as unknown as ModelCard,
      provider: 'cpu',
      predict: async (matrix, rowCount) => {
        const features = new Tensor('float32', matrix, [rowCount, WIDTH])
        const { probability, margin } = await session.run({ features })
        return {
          probability: probability.data as Float32Array,
          margin: margin.data as Float32Array,
        }
      },
      dispose: () => session.release(),
    }
    const kernel = await createTreePredictor(loadModule(), onnx, oracle)
    await oracle.dispose()
    const { probability } = await kernel!.predict(rows, ROWS)
    expect(gap(probability, await served)).toBeLessThanOrEqual(1e-6)
  })

  test('the dense form says the same to 1e-5', async () => {
    const dense = toDenseModel(onnx, WIDTH, ['probability'])
    if (!dense.ok || dense.slots === null) expect.unreachable('there is a dense form')
    const encoder = new RowEncoder(dense.slots, WIDTH)
    const keys = new Tensor('int32', encoder.encode(rows, ROWS), [ROWS, encoder.width])
    expect(gap(await onRuntime(dense.bytes, 'keys', keys), await served)).toBeLessThanOrEqual(1e-5)
  })

  test('it is read from the file as it was written', () => {
    expect(readEnsemble(onnx, WIDTH)).toMatchObject({ ok: true, ensemble: { calibration } })
  })
})
