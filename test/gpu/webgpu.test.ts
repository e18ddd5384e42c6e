// Goal: under WebGPU our models run on the device, all of them, and say what the CPU says to 1e-5; what would run
// on the CPU in disguise is refused.
import { readFileSync } from 'node:fs'
import { Tensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import type { ModelCard } from '../../src/core/model.ts'
import { toDenseModel } from '../../src/predict/dense-model.ts'
import { FallbackPredictor } from '../../src/predict/fallback-predictor.ts'
import { hasNvidiaDevice } from '../../src/predict/gpu-device.ts'
import { RowEncoder } from '../../src/predict/row-keys.ts'
import { loadGpuPredictor, loadPredictor } from '../../src/predict/session.ts'
import { CALIBRATIONS, makeBooster, makeRows, onnxOf } from '../parity/trees/tree-cases.ts'
import { foreignRows, largestGap, writeForeignModel } from '../support/foreign-models.ts'
import { HAS_GPU, placement } from '../support/gpu.ts'
import { DRIVE } from '../support/history/parity-classes.ts'
import { writeTinyModel } from '../support/history/tiny-model.ts'
import { loadModule } from '../support/training-data.ts'

const WEBGPU = 'WebGpuExecutionProvider'
const CPU = 'CPUExecutionProvider'
const FEATURES = 9
const ROWS = 400
const module = loadModule()

describe.skipIf(!HAS_GPU)('placement', () => {
  const booster = makeBooster(
    { treeCount: 12, leafCount: 20, featureCount: FEATURES, growth: 'random' },
    2,
  )
  const onnx = onnxOf(booster)
  const rows = makeRows(ROWS, FEATURES, 3)

  test('a TreeEnsemble is silently put on the CPU', async () => {
    const features = new Tensor('float32', rows, [ROWS, FEATURES])
    const placed = await placement(onnx, { features })
    expect(placed.get(CPU)).toBeGreaterThanOrEqual(1)
  })

  test.each(CALIBRATIONS)('every node of the dense form is on the device: $kind', async (kind) => {
    const dense = toDenseModel(onnxOf(booster, kind), FEATURES, ['probability', 'margin'])
    if (!dense.ok) throw new Error(dense.reason)
    const encoder = new RowEncoder(dense.slots, FEATURES)
    const keys = new Tensor('int32', encoder.encode(rows, ROWS), [ROWS, encoder.width])
    const placed = await placement(dense.bytes, { keys })
    expect([...placed.keys()]).toEqual([WEBGPU])
    expect(placed.get(WEBGPU)).toBeGreaterThan(8)
  })
})

describe.skipIf(!HAS_GPU).each(['models/fleet', 'models/backblaze'])('%s', (directory) => {
  test('has the probabilities of the CPU to 1e-5, on hard rows and on missing ones', async () => {
    const card = JSON.parse(readFileSync(`${directory}/card.json`, 'utf8')) as ModelCard
    const matrix = makeRows(ROWS, card.features.length, 11)
    const [device, cpu] = [
      await loadPredictor(directory, { kernel: module, provider: 'webgpu' }),
      await loadPredictor(directory, { provider: 'cpu' }),
    ]
    expect([device.provider, cpu.provider]).toEqual(['webgpu', 'cpu'])
    const [ours, theirs] = [await device.predict(matrix, ROWS), await cpu.predict(matrix, ROWS)]
    const gaps = ours.probability.map((value, row) => Math.abs(value - theirs.probability[row]))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-5)
    expect(new Set(theirs.probability).size).toBeGreaterThan(100)
    await device.dispose()
    await cpu.dispose()
  })
})

test.skipIf(!HAS_GPU)(
  'a device that is destroyed loses no row: the kernel answers the same call',
  async () => {
    const directory = writeTinyModel(DRIVE, 3)
    const told: string[] = []
    const device = (await loadGpuPredictor(directory, { kernel: module, provider: 'webgpu' }))!
    const local = await loadPredictor(directory, { kernel: module })
    const predictor = new FallbackPredictor(device, local, (reason) => told.push(reason))
    const width = predictor.card.features.length
    const rows = new Float32Array(3 * width)
    for (const [row, value] of [2, 4, NaN].entries()) rows[row * width] = value
    const before = await predictor.predict(rows, 3)
    expect(predictor.provider).toBe('webgpu')
    await device.model.release()
    const after = await predictor.predict(rows, 3)
    expect(predictor.provider).toBe('wasm')
    expect(told).toEqual([expect.stringMatching(/^webgpu was lost \(.+\); wasm goes on$/)])
    for (const [row, value] of after.probability.entries()) {
      expect(value).toBeCloseTo(before.probability[row], 5)
    }
    await predictor.dispose()
  },
)

test.skipIf(!HAS_GPU || hasNvidiaDevice())(
  'CUDA that is not there is refused with the reason',
  async () => {
    await expect(
      loadGpuPredictor('models/fleet', { kernel: module, provider: 'cuda' }),
    ).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
      message: expect.stringMatching(
        /`cuda` cannot serve model fleet: .+(setup:cuda|no NVIDIA device)/,
      ) as string,
    })
  },
)

describe.skipIf(!HAS_GPU).each([
  { name: 'lightgbm', missing: NaN },
  { name: 'xgboost', missing: NaN },
  { name: 'random-forest', missing: 0 },
])('$name, of another trainer', ({ name, missing }) => {
  test('says on the device what its trainer says, to 1e-5', async () => {
    const predictor = await loadPredictor(writeForeignModel(name), { provider: 'webgpu' })
    expect(predictor.provider).toBe('webgpu')
    const { matrix, rowCount, probability } = foreignRows(name, missing)
    const scores = await predictor.predict(matrix, rowCount)
    await predictor.dispose()
    expect(largestGap(scores.probability, probability)).toBeLessThanOrEqual(1e-5)
  })
})
