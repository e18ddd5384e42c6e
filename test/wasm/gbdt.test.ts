// Goal: the losses of the trainer are those of their formulas, at any number of rows and any margin.
import { beforeEach, expect, test } from 'vitest'
import type { BoostKernels } from '../../training/boost-kernels.ts'
import { SeededRandom } from '../../training/seeded-random.ts'
import { loadModule } from '../support/training-data.ts'

const module = loadModule()
const [SCORES, LABELS, WEIGHTS, PAIRS, SUMS] = [2, 3, 4, 5, 6].map((place) => place << 20)
/** Of an f32 beside its exact value. */
const RELATIVE = 1e-7
let kernels: BoostKernels
let buffer: ArrayBuffer

beforeEach(() => {
  const memory = new WebAssembly.Memory({ initial: 128 })
  const env = { memory, abort: () => expect.unreachable('a kernel aborted') }
  kernels = new WebAssembly.Instance(module, { env }).exports as unknown as BoostKernels
  buffer = memory.buffer
})

test.each([1, 2, 3, 64, 4_001])('logistic gradients of %i rows, whatever lies behind', (count) => {
  const random = SeededRandom.fromSeed(count)
  const scores = new Float64Array(buffer, SCORES, count + 2).fill(NaN)
  const weights = new Float32Array(buffer, WEIGHTS, count + 2).fill(NaN)
  const labels = new Uint8Array(buffer, LABELS, count)
  const pairs = new Float32Array(buffer, PAIRS, count * 2 + 2).fill(7)
  for (let i = 0; i < count; i++) {
    scores[i] = (random.next() - 0.5) * 10 ** (i % 4)
    weights[i] = 0.1 + random.next() * 5
    labels[i] = random.next() < 0.4 ? 1 : 0
  }
  kernels.gbdtLogistic(SCORES, LABELS, WEIGHTS, count, PAIRS, SUMS)
  let [gradientSum, hessianSum] = [0, 0]
  for (let i = 0; i < count; i++) {
    const p = 1 / (1 + Math.exp(-scores[i]))
    const [gradient, hessian] = [weights[i] * (p - labels[i]), weights[i] * p * (1 - p)]
    expect(Math.abs(pairs[i * 2] - gradient)).toBeLessThanOrEqual(weights[i] * RELATIVE)
    expect(Math.abs(pairs[i * 2 + 1] - hessian)).toBeLessThanOrEqual(weights[i] * RELATIVE)
    gradientSum += Math.abs(gradient)
    hessianSum += hessian
  }
  expect([...pairs.subarray(count * 2)]).toEqual([7, 7])
  const [gradients, hessians] = new Float64Array(buffer, SUMS, 2)
  expect(gradients / gradientSum).toBeCloseTo(1, 7)
  expect(hessians / hessianSum).toBeCloseTo(1, 7)
})

test('a margin beyond every bound is sure, and never NaN', () => {
  const margins = [1e6, -1e6, Infinity, -Infinity, 745, -745]
  new Float64Array(buffer, SCORES, margins.length).set(margins)
  new Float32Array(buffer, WEIGHTS, margins.length).fill(1)
  kernels.gbdtLogistic(SCORES, LABELS, WEIGHTS, margins.length, PAIRS, SUMS)
  const pairs = new Float32Array(buffer, PAIRS, margins.length * 2)
  for (const [i, margin] of margins.entries()) {
    expect(pairs[i * 2]).toBeCloseTo(margin > 0 ? 1 : 0, 6)
    expect(pairs[i * 2 + 1]).toBeCloseTo(0, 6)
  }
})

test('packed sums of all rows stay within 32 bits, and are unbiased', () => {
  const count = 10_000
  const pairs = new Float32Array(buffer, PAIRS, count * 2)
  for (let i = 0; i < count; i++) pairs.set([i % 3 === 0 ? -2 : 0.4, 0.3], i * 2)
  const [gradientScale, hessianScale] = [1.5, 2.5]
  kernels.gbdtQuantise(PAIRS, count, gradientScale, hessianScale, 99)
  const packed = new BigInt64Array(buffer, PAIRS, count)
  let sum = 0n
  for (const one of packed) sum += one
  const hessian = Number(BigInt.asUintN(32, sum)) / hessianScale
  const gradient = Number(BigInt.asIntN(32, sum >> 32n)) / gradientScale
  const expected = Math.ceil(count / 3) * -2 + Math.floor((count * 2) / 3) * 0.4
  expect(hessian / (0.3 * count)).toBeCloseTo(1, 1)
  expect(gradient / expected).toBeCloseTo(1, 1)
})
