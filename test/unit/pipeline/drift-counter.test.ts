// Goal: rows are counted in the bins that training had, so that rows of training look like training.
import { expect, test } from 'vitest'
import { stabilityIndex } from '../../../src/detect/drift.ts'
import { DriftCounter } from '../../../src/pipeline/drift-counter.ts'
import type { FeatureRows } from '../../../src/state/table-views.ts'
import { findBounds } from '../../../training/bins.ts'
import { Binner } from '../../../training/binner.ts'
import { referenceOf } from '../../../training/reference.ts'
import { foreshockWasm, metric, PROBE } from '../../support/node-class.ts'

const NAMES = ['latency.value', 'noise.value', 'latency.max', 'age.hours', 'made.hours']
const WIDTH = NAMES.length
const HOUR_MS = 3_600_000
const CLASS = { ...PROBE, metrics: [metric('latency'), metric('noise')] }

/** Values that look random, the same each time; every tenth of `latency` is missing. */
function matrixOf(rowCount: number, shift = 0): Float32Array {
  const matrix = new Float32Array(rowCount * WIDTH)
  let state = 1
  for (let i = 0; i < matrix.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const column = i % WIDTH
    matrix[i] = (state / 2 ** 32) ** 3 * 100 + (column === 0 ? shift : 0)
    if (column === 0 && Math.floor(i / WIDTH) % 10 === 0) matrix[i] = Number.NaN
  }
  return matrix
}

const ROWS = 20_000
const SCORES = Float64Array.from({ length: ROWS }, (_, i) => ((i * 7919) % ROWS) / ROWS)

function reference() {
  const matrix = matrixOf(ROWS)
  const bounds = findBounds(matrix, WIDTH)
  const binner = new Binner(foreshockWasm(), bounds)
  const bins = new Uint8Array(ROWS * binner.stride)
  for (let row = 0; row < ROWS; row++) {
    bins.set(binner.bin(matrix, row * WIDTH), row * binner.stride)
  }
  const labels = new Uint8Array(ROWS)
  const weights = new Float32Array(ROWS).fill(2)
  const rows = { rowCount: ROWS, featureCount: WIDTH, stride: binner.stride, bins, labels, weights }
  const nodes = Uint32Array.from({ length: ROWS }, (_, i) => i % 500)
  const scoreNodes = nodes.map((node) => node % 200)
  const of = { nodeClass: CLASS, featureNames: NAMES, bounds, rows, nodes }
  return referenceOf({ ...of, scores: SCORES, scoreNodes })
}

function rowsOf(matrix: Float32Array, atMs: number): FeatureRows {
  const count = matrix.length / WIDTH
  return {
    count,
    node: Uint32Array.from({ length: count }, (_, i) => i % 400),
    atMs: new Float64Array(count).fill(atMs),
    trigger: new Uint8Array(count),
    matrix,
    hash: new Uint32Array(2 * count),
    deviation: new DataView(new ArrayBuffer(8 * count)),
  }
}

test('the reference has about ten bins of equal share, and nothing that grows by itself', () => {
  const { features, score, nodeCount } = reference()
  expect(Object.keys(features)).toEqual(['latency.value', 'noise.value'])
  expect(nodeCount).toBe(200)
  for (const { bounds, shares } of [score, ...Object.values(features)]) {
    expect(bounds.length).toBeGreaterThanOrEqual(8)
    expect(bounds.length).toBeLessThanOrEqual(11)
    expect(shares).toHaveLength(bounds.length + 2)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9)
    for (const share of shares.slice(0, -2)) expect(share).toBeLessThan(0.15)
  }
  expect(features['latency.value'].shares.at(-1)).toBeCloseTo(0.1, 9)
})

test('rows like those of training have not drifted, others have; a window is told once', () => {
  const options = { windowMs: HOUR_MS, intervalMs: HOUR_MS / 4, featureNames: NAMES }
  const counter = new DriftCounter(reference(), options)
  const probability = Float32Array.from(SCORES)
  expect(counter.ended(0)).toBeNull()
  counter.take(rowsOf(matrixOf(ROWS), 1), probability)
  expect(counter.ended(HOUR_MS - 1)).toBeNull()
  const same = counter.ended(HOUR_MS)!
  expect(same).toMatchObject({ window: 0, nodeCount: 400, referenceNodeCount: 200 })
  for (const rows of [same.score, ...same.features]) {
    expect(stabilityIndex(rows, 0), rows.name).toBeLessThan(0.001)
  }
  expect(counter.ended(HOUR_MS)).toBeNull()
  counter.take(rowsOf(matrixOf(ROWS, 30), HOUR_MS + 1), probability)
  const other = counter.ended(2 * HOUR_MS)!
  const [latency, noise] = other.features.map((rows) => stabilityIndex(rows, 0))
  expect(latency).toBeGreaterThan(1)
  expect(noise).toBeLessThan(0.001)
})
