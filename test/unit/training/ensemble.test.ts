// Goal: the mean of boosters says the mean of what they say, on full rows too.
import { expect, test } from 'vitest'
import { findBounds, toBinnedRows } from '../../../training/bins.ts'
import { DEFAULT_BOOST, trainBoost } from '../../../training/boost.ts'
import { predictMargin, type Booster } from '../../../training/booster.ts'
import { meanOf, widen } from '../../../training/ensemble.ts'
import { loadModule, makeData } from '../../support/training-data.ts'

const FEATURES = 3
const made = makeData(800, FEATURES, 5)

function grow(seed: number): Booster {
  const bounds = findBounds(made.matrix, FEATURES)
  const rows = toBinnedRows(made.matrix, made.labels, bounds)
  const params = { ...DEFAULT_BOOST, treesMax: 8, leavesMax: 6, featureRatio: 0.7, seed }
  return trainBoost(loadModule(), { rows, bounds, validation: null }, params)
}

test('the margin of the mean is the mean of the margins', () => {
  const members = [grow(1), grow(2), grow(3)]
  const mean = meanOf(members)
  expect(mean.trees).toHaveLength(24)
  for (let row = 0; row < 200; row++) {
    const margins = members.map((member) => predictMargin(member, made.matrix, row))
    const expected = margins.reduce((sum, margin) => sum + margin, 0) / 3
    expect(predictMargin(mean, made.matrix, row)).toBeCloseTo(expected, 5)
  }
})

test('trees grown on some columns find them in full rows', () => {
  const narrow = grow(1)
  const columns = Uint32Array.of(4, 0, 2)
  const wide = widen(narrow, columns, 5)
  const full = new Float32Array(5).fill(99)
  for (let row = 0; row < 200; row++) {
    for (const [f, column] of columns.entries()) full[column] = made.matrix[row * FEATURES + f]!
    expect(predictMargin(wide, full, 0)).toBe(predictMargin(narrow, made.matrix, row))
  }
  expect(wide.importance).toHaveLength(5)
  expect(wide.importance[4]).toBe(narrow.importance[0])
})
