// Goal: a tree's covers are the weight of the rows that come to each node, also where a split on a category is
// written as several; they go through ensembles and ONNX, and into a model that is continued.
import { describe, expect, test } from 'vitest'
import { readEnsemble } from '../../../src/predict/onnx-trees.ts'
import { findBounds, toBinnedRows } from '../../../training/bins.ts'
import { DEFAULT_BOOST, randomFrom, trainBoost } from '../../../training/boost.ts'
import type { BoostParams } from '../../../training/boost-params.ts'
import type { Booster, Tree } from '../../../training/booster.ts'
import { boosterOf } from '../../../training/continued.ts'
import { meanOf, widen } from '../../../training/ensemble.ts'
import { toOnnx } from '../../../training/onnx.ts'
import { loadModule } from '../../support/training-data.ts'

const FEATURES = 4
const ROWS = 1_200
const random = randomFrom(4)
/** The first feature is a category of seven values, each with a rate of its own. */
const matrix = Float32Array.from({ length: ROWS * FEATURES }, (_, i) => {
  if (random() < 0.15) return NaN
  return i % FEATURES === 0 ? Math.floor(random() * 7) : random() * 4 - 2
})
const labels = Uint8Array.from({ length: ROWS }, (_, row) => {
  const kind = matrix[row * FEATURES]
  const margin = (kind === 2 || kind === 5 ? 2 : -1) + (matrix[row * FEATURES + 1] || 0)
  return random() < 1 / (1 + Math.exp(-margin)) ? 1 : 0
})
/** Sums of them are exact in float32; none of the first rows counts. */
const weights = Float32Array.from({ length: ROWS }, (_, row) =>
  row < 50 ? 0 : 1 + (row % 3) * 0.5,
)
const bounds = findBounds(matrix, FEATURES)

function grow(params: Partial<BoostParams>, categorical: readonly boolean[]): Booster {
  const rows = toBinnedRows(matrix, labels, bounds, weights)
  const all = { ...DEFAULT_BOOST, treesMax: 12, rowsMin: 5, ...params }
  return trainBoost(loadModule(), { rows, bounds, validation: null, categorical }, all)
}

/** Of every row, with the values as they were. */
function walked(tree: Tree): Float32Array {
  const cover = new Float32Array(tree.feature.length)
  for (let row = 0; row < ROWS; row++) {
    let node = 0
    for (;;) {
      cover[node] += weights[row]
      if (tree.feature[node] < 0) break
      const value = matrix[row * FEATURES + tree.feature[node]]
      const isMissing = Number.isNaN(value)
      const toLeft = isMissing ? tree.missingLeft[node] === 1 : value <= tree.threshold[node]
      node = toLeft ? tree.left[node] : tree.right[node]
    }
  }
  return cover
}

describe.each([
  { what: 'numbers', categorical: [] },
  { what: 'a category', categorical: [true, false, false, false] },
])('$what', ({ categorical }) => {
  const booster = grow({ rowRatio: 1 }, categorical)

  test('each node has the weight of the rows that come to it', () => {
    expect(booster.trees).toHaveLength(12)
    for (const tree of booster.trees) expect(tree.cover).toEqual(walked(tree))
  })

  test('of the rows that a tree was grown on', () => {
    for (const { cover } of grow({ rowRatio: 0.5 }, categorical).trees) {
      expect(cover![0]).toBeGreaterThan(0.4 * walked(booster.trees[0])[0])
      expect(cover![0]).toBeLessThan(0.6 * walked(booster.trees[0])[0])
    }
  })
})

test('a category is written as more leaves than were grown', () => {
  const leafCounts = grow({ leavesMax: 8 }, [true, false, false, false]).trees.map(
    ({ feature }) => feature.filter((split) => split < 0).length,
  )
  expect(Math.max(...leafCounts)).toBeGreaterThan(8)
})

describe('in a file', () => {
  const booster = widen(
    meanOf([grow({ seed: 1 }, []), grow({ seed: 2 }, [])]),
    Uint32Array.of(0, 1, 2, 4),
    5,
  )
  const exported = (of: Booster) =>
    readEnsemble(
      toOnnx({
        booster: of,
        calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
        featureNames: [],
        featureHash: '',
        horizonMs: 1,
        version: '1',
      }),
      5,
    )
  const read = exported(booster)
  if (!read.ok) throw new Error(read.reason)

  test('are the covers of every member', () => {
    expect(read.ensemble.trees).toHaveLength(24)
    for (const [i, { cover }] of read.ensemble.trees.entries()) {
      expect(cover).toEqual([...booster.trees[i].cover!])
    }
  })

  test('and a model that is continued has them still', () => {
    const finished = { version: '1', featureHash: '', ...read.ensemble }
    const again = boosterOf(finished, Uint32Array.of(0, 1, 2, 4), bounds)
    for (const [i, { cover }] of again.trees.entries())
      expect(cover).toEqual(booster.trees[i].cover)
  })

  test('are none where one tree has none', () => {
    const { cover: _, ...bare } = booster.trees[3]
    const without = exported({ ...booster, trees: booster.trees.with(3, bare) })
    expect(without.ok && without.ensemble.trees.every(({ cover }) => cover === undefined)).toBe(
      true,
    )
  })
})
