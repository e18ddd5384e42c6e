// Goal: whatever the parameters, the kernels grow the trees of the exact reference.
// Method: rows with a bin for every distinct value, so that binning hides nothing; both grow, and after
// each round every row must have the same margin. Ties between splits are avoided by random weights.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { baseMargins } from '../../../training/base-margins.ts'
import { findBounds, toBinnedRows } from '../../../training/bins.ts'
import { DEFAULT_BOOST, finish, growOutputs } from '../../../training/boost.ts'
import type { BoostData, BoostParams } from '../../../training/boost-params.ts'
import { predictMargin } from '../../../training/booster.ts'
import { trainReference, type Problem } from '../../support/boost-reference.ts'
import { loadModule, makeData } from '../../support/training-data.ts'
import { randomFrom } from '../../../training/boost.ts'

const module = loadModule()
const ROWS = 220
const FEATURES = 4
const CATEGORIES = 7
const CLASSES = 3
/** Packed integers round: at these row counts by far less than this. */
const GAP_MAX = 1e-5

const cases = fc.record({
  seed: fc.integer({ min: 1, max: 1e6 }),
  objective: fc.constantFrom('logistic', 'softmax', 'squared'),
  leavesMax: fc.integer({ min: 2, max: 9 }),
  depthMax: fc.integer({ min: 0, max: 4 }),
  l1: fc.constantFrom(0, 0.3, 2),
  l2: fc.constantFrom(0, 1, 10),
  rowsMin: fc.constantFrom(3.5, 12.5),
  monotone: fc.array(fc.constantFrom(-1, 0, 1), { minLength: FEATURES, maxLength: FEATURES }),
  // The last feature is a category, as another problem would have it.
  hasCategory: fc.boolean(),
})

type Case = typeof cases extends fc.Arbitrary<infer Value> ? Value : never

function problemOf({ seed, hasCategory, monotone, objective }: Case): Problem {
  const made = makeData(ROWS, FEATURES, seed)
  const random = randomFrom(seed + 1)
  const weights = Float32Array.from({ length: ROWS }, () => 0.5 + random())
  const targets = new Float32Array(ROWS)
  const labels = made.labels.slice()
  for (let row = 0; row < ROWS; row++) {
    const at = row * FEATURES
    if (hasCategory) {
      const code = Math.floor(random() * CATEGORIES)
      made.matrix[at + 3] = random() < 0.1 ? NaN : code
      if (code % 3 === 1 && random() < 0.7) labels[row] = 1
    }
    targets[row] = made.matrix[at] * 3 + labels[row] + random()
    if (objective === 'softmax' && random() < 0.3) labels[row] = 2
  }
  const categorical = Array.from({ length: FEATURES }, (_, f) => hasCategory && f === 3)
  const signs = monotone.map((sign, f) => (categorical[f] ? 0 : sign))
  return { ...made, labels, targets, weights, monotone: signs, categorical }
}

function paramsOf({ objective, leavesMax, depthMax, l1, l2, rowsMin }: Case): BoostParams {
  const classCount = objective === 'softmax' ? CLASSES : 2
  const grown = { treesMax: 3, leavesMax, depthMax, learningRate: 0.3, featureRatio: 1 }
  return { ...DEFAULT_BOOST, objective, classCount, ...grown, l1, l2, rowsMin }
}

function dataOf(problem: Problem): BoostData {
  const bounds = findBounds(problem.matrix, FEATURES)
  const rows = toBinnedRows(problem.matrix, problem.labels, bounds, problem.weights)
  const { targets, monotone, categorical } = problem
  const known = { monotone: monotone!, categorical: categorical! }
  return { rows: { ...rows, targets: targets! }, bounds, validation: null, ...known }
}

test.prop([cases], { numRuns: 60 })('margins are those of the exact reference', (made) => {
  const problem = problemOf(made)
  const params = paramsOf(made)
  const data = dataOf(problem)
  const boosters = finish(growOutputs(module, data, params))
  const bases = baseMargins(data.rows, params)
  const scores = bases.map((base) => new Float64Array(ROWS).fill(base))
  trainReference(problem, params, scores)
  for (const [output, booster] of boosters.entries()) {
    for (let row = 0; row < ROWS; row++) {
      const gap = Math.abs(predictMargin(booster, problem.matrix, row) - scores[output][row])
      expect(gap, `output ${output}, row ${row}`).toBeLessThan(GAP_MAX)
    }
  }
})

test.prop([cases], { numRuns: 30 })('a margin moves only where its feature may move it', (made) => {
  const problem = problemOf(made)
  const data = dataOf(problem)
  const [booster] = finish(growOutputs(module, data, { ...paramsOf(made), treesMax: 10 }))
  const random = randomFrom(made.seed + 2)
  const low = new Float32Array(FEATURES)
  for (const [feature, sign] of data.monotone!.entries()) {
    if (sign === 0) continue
    for (let trial = 0; trial < 50; trial++) {
      for (let f = 0; f < FEATURES; f++) low[f] = random() * 4 - 2
      const high = low.slice()
      high[feature] += random() * 2
      const [before, after] = [predictMargin(booster, low, 0), predictMargin(booster, high, 0)]
      expect(sign * (after - before)).toBeGreaterThanOrEqual(0)
    }
  }
})
