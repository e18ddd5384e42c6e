// Goal: classes, estimates and split categories come out of ONNX Runtime and of the tree kernel as the
// trainer has them, and say what there is to learn.
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { readEnsemble } from '../../src/predict/onnx-trees.ts'
import { TreeKernel } from '../../src/predict/tree-kernel.ts'
import { findBounds, toBinnedRows } from '../../training/bins.ts'
import { DEFAULT_BOOST, finish, growOutputs } from '../../training/boost.ts'
import type { BoostData, BoostParams } from '../../training/boost-params.ts'
import { classProbabilities, predictMargin, type Booster } from '../../training/booster.ts'
import { toOnnx } from '../../training/onnx.ts'
import { scoreRows } from '../../training/score.ts'
import { SeededRandom } from '../../training/seeded-random.ts'
import { loadModule } from '../support/training-data.ts'

const module = loadModule()
const [ROWS, FEATURES, CODES] = [2_000, 3, 12]
/** Relative to 1 + |margin|: sums of forty f32. */
const GAP_MAX = 2e-6
const PARAMS: BoostParams = { ...DEFAULT_BOOST, treesMax: 40, learningRate: 0.2, featureRatio: 1 }

/** Feature 0 is a code, missing now and then; which class a row is of hangs on it and on feature 1. */
function made(seed: number) {
  const random = SeededRandom.fromSeed(seed)
  const matrix = new Float32Array(ROWS * FEATURES)
  const labels = new Uint8Array(ROWS)
  const targets = new Float32Array(ROWS)
  for (let row = 0; row < ROWS; row++) {
    const at = row * FEATURES
    const code = Math.floor(random.next() * CODES)
    matrix.set([random.next() < 0.1 ? NaN : code, random.next(), random.next()], at)
    const isOdd = [2, 5, 9].includes(code)
    labels[row] = random.next() < 0.1 ? 1 : isOdd ? 2 : matrix[at + 1] > 0.6 ? 1 : 0
    targets[row] = (isOdd ? 100 : 20) + 50 * matrix[at + 1] + random.next()
  }
  return { matrix, labels, targets }
}

const [learned, unseen] = [made(1), made(2)]
const bounds = findBounds(learned.matrix, FEATURES)

function grow(params: BoostParams): readonly Booster[] {
  const rows = toBinnedRows(learned.matrix, learned.labels, bounds)
  const { targets } = learned
  const categorical = [true, false, false]
  const data: BoostData = { rows: { ...rows, targets }, bounds, validation: null, categorical }
  return finish(growOutputs(module, data, params))
}

async function expectParity(booster: Booster): Promise<void> {
  const { matrix } = unseen
  const onnx = toOnnx({
    booster,
    calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
    featureNames: ['a', 'b', 'c'],
    featureHash: 'hash',
    horizonMs: 1,
    version: '1',
  })
  const session = await InferenceSession.create(onnx)
  const { margin } = await session.run({
    features: new Tensor('float32', matrix, [ROWS, FEATURES]),
  })
  await session.release()
  const read = readEnsemble(onnx, FEATURES)
  if (!read.ok) expect.unreachable(read.reason)
  const kernel = TreeKernel.create(module, read.ensemble, FEATURES)
  const walked = new Float32Array(ROWS)
  kernel!.score(matrix, ROWS, walked)
  const binned = scoreRows(module, booster, toBinnedRows(matrix, unseen.labels, bounds))
  for (let row = 0; row < ROWS; row++) {
    const expected = predictMargin(booster, matrix, row)
    const scale = 1 + Math.abs(expected)
    for (const said of [margin.data[row] as number, walked[row], binned[row]]) {
      expect(Math.abs(said - expected) / scale).toBeLessThan(GAP_MAX)
    }
  }
}

test('three classes', async () => {
  const boosters = grow({ ...PARAMS, objective: 'softmax', classCount: 3 })
  let right = 0
  for (let row = 0; row < ROWS; row++) {
    const probabilities = classProbabilities(boosters, unseen.matrix, row)
    expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12)
    if (probabilities.indexOf(Math.max(...probabilities)) === unseen.labels[row]) right++
  }
  // One in ten is of class 1 by chance, and one in ten hides its code.
  expect(right / ROWS).toBeGreaterThan(0.85)
  for (const booster of boosters) await expectParity(booster)
})

test('an estimate', async () => {
  const [booster] = grow({ ...PARAMS, objective: 'squared', rowsMin: 10 })
  let squares = 0
  let seen = 0
  for (let row = 0; row < ROWS; row++) {
    if (Number.isNaN(unseen.matrix[row * FEATURES])) continue
    squares += (predictMargin(booster, unseen.matrix, row) - unseen.targets[row]) ** 2
    seen++
  }
  expect(Math.sqrt(squares / seen)).toBeLessThan(3)
  await expectParity(booster)
})

test('a split category keeps a tree small enough for the kernel', async () => {
  const [booster] = grow({ ...PARAMS, leavesMax: 63 })
  const leaves = booster.trees.map(({ feature }) => feature.filter((f) => f < 0).length)
  expect(Math.max(...leaves)).toBeLessThanOrEqual(256)
  await expectParity(booster)
})
