// Goal: the autoencoder finds the one metric that does not fit the others, says the same on every backend, and
// its ONNX file says what it says.
import { beforeAll, describe, expect, test } from 'vitest'
import {
  fitAutoencoder,
  fitCohorts,
  scoreAutoencoder,
  type Autoencoder,
} from '../../../training/autoencoder.ts'
import { autoencoderToOnnx, checkAutoencoder } from '../../../training/onnx-autoencoder.ts'
import { openTensors, type Tensors } from '../../../training/tensors.ts'
import { normalRows } from '../../support/normal-rows.ts'

const WIDTH = 8
const BROKEN = 3
const names = Array.from({ length: WIDTH }, (_, f) => `metric-${f}`)
let tensors: Tensors
let model: Autoencoder

beforeAll(async () => {
  tensors = await openTensors('wasm')
  const rows = normalRows({ rowCount: 3_000, width: WIDTH, seed: 1, missing: 0.02 })
  model = await fitAutoencoder(rows, WIDTH, { tensors, epochsMax: 60, patience: 10 })
})

describe('a score', () => {
  test('is low on normal rows that it has not seen, and high where one metric leaves the others', () => {
    const normal = normalRows({ rowCount: 200, width: WIDTH, seed: 2 })
    const broken = normal.slice()
    // Still within what this metric does by itself: only the others give it away.
    for (let row = 0; row < 200; row++) broken[row * WIDTH + BROKEN] += row % 2 === 0 ? 1.2 : -1.2
    const median = (values: Float32Array) => values.toSorted()[100]
    const [usual, odd] = [scoreAutoencoder(model, normal), scoreAutoencoder(model, broken)]
    expect(median(usual.score)).toBeLessThan(3)
    expect(median(odd.score)).toBeGreaterThan(2 * median(usual.score))
    const blamed = Array.from({ length: 200 }, (_, row) => {
      const sizes = odd.residuals.slice(row * WIDTH, (row + 1) * WIDTH).map(Math.abs)
      return sizes.indexOf(Math.max(...sizes))
    })
    expect(blamed.filter((f) => f === BROKEN).length).toBeGreaterThan(150)
  })

  test('takes nothing from a metric that is missing', () => {
    const rows = normalRows({ rowCount: 1, width: WIDTH, seed: 2 })
    rows[BROKEN] = NaN
    rows[0] = Infinity
    const { score, residuals } = scoreAutoencoder(model, rows)
    expect([residuals[BROKEN], residuals[0]]).toEqual([0, 0])
    expect(Number.isFinite(score[0])).toBe(true)
    expect([...scoreAutoencoder(model, new Float32Array(WIDTH).fill(NaN)).score]).toEqual([0])
  })
})

test('the same seed gives the same weights, another one others', async () => {
  const rows = normalRows({ rowCount: 300, width: WIDTH, seed: 5 })
  const fit = (seed: number) => fitAutoencoder(rows, WIDTH, { tensors, epochsMax: 2, seed })
  const [first, again, other] = [await fit(1), await fit(1), await fit(2)]
  expect(again.layers).toEqual(first.layers)
  expect(other.layers).not.toEqual(first.layers)
})

test('plain JavaScript and WebAssembly learn the same to 1e-4, and keep no memory', async () => {
  const rows = normalRows({ rowCount: 300, width: WIDTH, seed: 5 })
  const fitted: Autoencoder[] = []
  for (const backend of ['cpu', 'wasm'] as const) {
    const own = await openTensors(backend)
    const before = own.tf.memory().numTensors
    fitted.push(await fitAutoencoder(rows, WIDTH, { tensors: own, epochsMax: 3 }))
    expect(own.tf.memory().numTensors).toBe(before)
  }
  expect(fitted.map(({ backend }) => backend)).toEqual(['cpu', 'wasm'])
  for (const [i, { weights }] of fitted[0].layers.entries()) {
    const gaps = weights.map((weight, at) => Math.abs(weight - fitted[1].layers[i].weights[at]))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-4)
  }
})

test('each cohort has its own, and those of few rows share one', async () => {
  const rows = (seed: number, rowCount: number) => normalRows({ rowCount, width: WIDTH, seed })
  const cohorts = new Map([
    ['large', rows(1, 200)],
    ['small', rows(2, 40)],
    ['tiny', rows(3, 20)],
  ])
  const models = await fitCohorts(cohorts, WIDTH, { tensors, epochsMax: 1, rowsMin: 100 })
  expect([...models.keys()].toSorted()).toEqual(['large', 'small', 'tiny'])
  expect(models.get('small')).toBe(models.get('tiny'))
  expect(models.get('small')).not.toBe(models.get('large'))
})

test('training stops where it is told to', async () => {
  const rows = normalRows({ rowCount: 300, width: WIDTH, seed: 5 })
  const stopping = new AbortController()
  const onEpoch = () => stopping.abort(new Error('stopped'))
  const { signal } = stopping
  await expect(fitAutoencoder(rows, WIDTH, { tensors, signal, onEpoch })).rejects.toThrow('stopped')
})

describe('the exported file', () => {
  const rows = normalRows({ rowCount: 10_000, width: WIDTH, seed: 7, missing: 0.1 })

  test('says of 10,000 rows what the trainer says', async () => {
    const gap = await checkAutoencoder(autoencoderToOnnx(model, names), model, rows)
    expect(gap).toBeLessThan(1e-3)
  })

  test('of another model is found out', async () => {
    const bias = model.layers[1].bias.map((value) => value + 0.05)
    const layers = model.layers.map((layer, i) => (i === 1 ? { ...layer, bias } : layer))
    const other = autoencoderToOnnx({ ...model, layers }, names)
    await expect(checkAutoencoder(other, model, rows)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    })
  })
})

test('a backend that is not there is said to be so', async () => {
  await expect(openTensors('tfjs-node-gpu')).rejects.toMatchObject({
    code: 'PROVIDER_UNAVAILABLE',
    message: expect.stringMatching(/tfjs-node-gpu/) as string,
  })
})
