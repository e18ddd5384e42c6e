import { beforeAll, expect, test } from 'vitest'
import { findBounds, toBinnedRows } from '../../../training/bins.ts'
import { DEFAULT_BOOST, trainBoost, type BoostParams } from '../../../training/boost.ts'
import { predictMargin, sigmoid, type Booster } from '../../../training/booster.ts'
import { scoreRows } from '../../../training/score.ts'
import { loadModule, makeData, type MadeData } from '../../support/training-data.ts'

let module: WebAssembly.Module
beforeAll(() => {
  module = loadModule()
})

const PARAMS: BoostParams = {
  ...DEFAULT_BOOST,
  treesMax: 5,
  leavesMax: 6,
  learningRate: 0.3,
  featureRatio: 1,
  // No whole number: a leaf exactly at the limit would hang on the last bit.
  rowsMin: 8.5,
}

function fit(made: MadeData, params: BoostParams, weights?: Float32Array): Booster {
  // Every distinct value of 200 rows has a bin of its own, so binning hides nothing.
  const bounds = findBounds(made.matrix, made.featureCount)
  const rows = toBinnedRows(made.matrix, made.labels, bounds, weights)
  return trainBoost(module, { rows, bounds, validation: null }, params)
}

function logLoss(booster: Booster, made: MadeData): number {
  let sum = 0
  for (let row = 0; row < made.rowCount; row++) {
    const p = sigmoid(predictMargin(booster, made.matrix, row))
    sum -= Math.log(made.labels[row] === 1 ? p : 1 - p)
  }
  return sum / made.rowCount
}

test('large weights do not overflow the packed sums', () => {
  const made = makeData(400, 4, 4)
  const plain = fit(made, { ...PARAMS, l2: 0 })
  const heavy = fit(made, { ...PARAMS, l2: 0 }, new Float32Array(400).fill(1e6))
  for (let row = 0; row < made.rowCount; row++) {
    const margin = predictMargin(plain, made.matrix, row)
    expect(predictMargin(heavy, made.matrix, row)).toBeCloseTo(margin, 4)
  }
})

test('missing values learn their side', () => {
  const featureCount = 1
  const matrix = Float32Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? NaN : i / 400))
  const labels = Uint8Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 1 : 0))
  const booster = fit({ matrix, labels, featureCount, rowCount: 400 }, PARAMS)
  expect(predictMargin(booster, Float32Array.of(NaN), 0)).toBeGreaterThan(1)
  expect(predictMargin(booster, Float32Array.of(0.5), 0)).toBeLessThan(-1)
})

test.each([0.2, 0.8])(
  'missing values never seen go with the larger side (%f of rows are low)',
  (share) => {
    const rowCount = 400
    const isLow = (row: number) => row < rowCount * share
    const matrix = Float32Array.from({ length: rowCount }, (_, row) => (isLow(row) ? 1 : 2))
    // Both sides equally unsure, so that rows count alike.
    const labels = Uint8Array.from({ length: rowCount }, (_, row) => {
      const isOdd = row % 5 === 0
      return isLow(row) === isOdd ? 1 : 0
    })
    const params = { ...PARAMS, treesMax: 1 }
    const booster = fit({ matrix, labels, featureCount: 1, rowCount }, params)
    const larger = share < 0.5 ? 2 : 1
    const margin = (value: number) => predictMargin(booster, Float32Array.of(value), 0)
    expect(margin(NaN)).toBe(margin(larger))
    expect(margin(1)).not.toBe(margin(2))
  },
)

test('every tree lowers the loss on what it learned from', () => {
  const made = makeData(1_000, 4, 5)
  const booster = fit(made, { ...PARAMS, treesMax: 30, learningRate: 0.1 })
  let before = Infinity
  for (let count = 0; count <= booster.trees.length; count++) {
    const loss = logLoss({ ...booster, trees: booster.trees.slice(0, count) }, made)
    expect(loss).toBeLessThan(before)
    before = loss
  }
})

test('binned rows score as their float rows do, rows out of the bag included', () => {
  const made = makeData(600, 5, 6)
  const bounds = findBounds(made.matrix, 5, 16)
  const rows = toBinnedRows(made.matrix, made.labels, bounds)
  const params = { ...PARAMS, rowRatio: 0.5, featureRatio: 0.6 }
  const booster = trainBoost(module, { rows, bounds, validation: null }, params)
  const margins = scoreRows(module, booster, rows)
  for (let row = 0; row < made.rowCount; row++) {
    expect(margins[row]).toBeCloseTo(predictMargin(booster, made.matrix, row), 9)
  }
})

test('training stops when validation no longer improves, and keeps the best', () => {
  const made = makeData(300, 4, 8)
  const other = makeData(2_000, 4, 9)
  const bounds = findBounds(made.matrix, 4)
  const rows = toBinnedRows(made.matrix, made.labels, bounds)
  const validation = toBinnedRows(other.matrix, other.labels, bounds)
  const seen: { trees: number; validation: number | null }[] = []
  const params = { ...PARAMS, treesMax: 500, patience: 30 }
  const booster = trainBoost(module, { rows, bounds, validation }, params, (p) => seen.push(p))
  const best = seen.reduce((a, b) => (b.validation! > a.validation! ? b : a))
  expect(booster.trees).toHaveLength(best.trees)
  expect(seen.at(-1)!.trees).toBeLessThan(500)
})

test('rows of one kind grow no tree', () => {
  const made = makeData(100, 4, 10)
  const booster = fit({ ...made, labels: new Uint8Array(100) }, PARAMS)
  expect(predictMargin(booster, made.matrix, 0)).toBeLessThan(-10)
})
