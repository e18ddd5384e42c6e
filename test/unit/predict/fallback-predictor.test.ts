// Goal: a device that is lost loses no row: the same call is answered by the CPU, and so is every later one.
import { expect, test } from 'vitest'
import type { ModelCard } from '../../../src/core/model.ts'
import { FallbackPredictor } from '../../../src/predict/fallback-predictor.ts'
import type { Predictor } from '../../../src/predict/session.ts'

/** Says `value` of each row, until it is told to fail. */
class Steady implements Predictor {
  readonly card = { name: 'm' } as ModelCard
  readonly provider: string
  readonly #value: number
  fails = false
  calls = 0
  disposals = 0

  constructor(provider: string, value: number) {
    this.provider = provider
    this.#value = value
  }

  async predict(_matrix: Float32Array, rowCount: number) {
    this.calls++
    await Promise.resolve()
    if (this.fails) throw new Error('device lost')
    const all = new Float32Array(rowCount).fill(this.#value)
    return { probability: all, margin: all }
  }

  async dispose() {
    this.disposals++
    if (this.fails) throw new Error('already gone')
  }
}

function world() {
  const [device, local] = [new Steady('webgpu', 0.5), new Steady('wasm', 0.25)]
  const told: string[] = []
  const predictor = new FallbackPredictor(device, local, (reason) => told.push(reason))
  const ask = async () => (await predictor.predict(new Float32Array(6), 3)).probability[2]
  return { device, local, told, predictor, ask }
}

test('while the device is there it serves alone', async () => {
  const { local, told, predictor, ask } = world()
  expect(await ask()).toBe(0.5)
  expect(predictor.provider).toBe('webgpu')
  expect([local.calls, told]).toEqual([0, []])
})

test('calls under way when it is lost are answered, later ones go past it, and it is said once', async () => {
  const { device, local, told, predictor, ask } = world()
  device.fails = true
  expect(await Promise.all([ask(), ask(), ask()])).toEqual([0.25, 0.25, 0.25])
  expect(await ask()).toBe(0.25)
  expect([device.calls, device.disposals, local.calls]).toEqual([3, 1, 4])
  expect(predictor.provider).toBe('wasm')
  expect(told).toEqual(['webgpu was lost (device lost); wasm goes on'])
  await predictor.dispose()
  expect([device.disposals, local.disposals]).toEqual([1, 1])
})
