// Goal: growth that stops anywhere and goes on, on disk or in memory, gives the bytes of growth that
// never stopped; and trees of a finished model go through new bins as they went through the old.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findBounds, toBinnedRows } from '../../../training/bins.ts'
import { DEFAULT_BOOST, finish, growBoost, growOutputs } from '../../../training/boost.ts'
import type { BoostData, BoostParams } from '../../../training/boost-params.ts'
import { BoostRounds } from '../../../training/boost-rounds.ts'
import { loadState, rowsDigest, saveState, trainingDigest } from '../../../training/boost-state.ts'
import { predictMargin } from '../../../training/booster.ts'
import { boosterOf, thresholdsOf, type FinishedModel } from '../../../training/continued.ts'
import { dropGrown, growMembers, type GrowOptions } from '../../../training/growing.ts'
import { scoreRows } from '../../../training/score.ts'
import { loadModule, makeData } from '../../support/training-data.ts'

const module = loadModule()
const directory = mkdtempSync(join(tmpdir(), 'foreshock-growing-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const FEATURES = 5
const PARAMS: BoostParams = {
  ...DEFAULT_BOOST,
  treesMax: 40,
  leavesMax: 7,
  learningRate: 0.2,
  rowsMin: 8,
  rowRatio: 0.7,
  featureRatio: 0.6,
  patience: 30,
}

function dataOf(seed: number): BoostData {
  const [made, other] = [makeData(500, FEATURES, seed), makeData(300, FEATURES, seed + 1)]
  const bounds = findBounds(made.matrix, FEATURES, 60)
  const rows = toBinnedRows(made.matrix, made.labels, bounds)
  const validation = toBinnedRows(other.matrix, other.labels, bounds)
  return { rows, bounds, validation }
}

test.each([1, 9, 10, 23, 39])('stopped after round %i and gone on through a file', async (stop) => {
  const data = dataOf(3)
  const whole = finish(growBoost(module, data, PARAMS))
  const first = new BoostRounds(module, data, PARAMS, { kind: 'fresh' })
  while (first.rounds < stop) first.next()
  const training = trainingDigest(rowsDigest(data), data, PARAMS, [])
  const file = join(directory, `stop-${stop}`)
  await saveState(file, training, first.state())
  // What the first went on to do must not have changed what it gave away.
  first.next()
  const state = await loadState(file, training)
  const resumed = finish(growBoost(module, data, PARAMS, { kind: 'resumed', state: state! }))
  expect(resumed).toEqual(whole)
})

test('members that were interrupted twice give the mean of members that were not', async () => {
  const data = dataOf(7)
  const options = (outDir: string): GrowOptions => ({
    module,
    dataOf: () => data,
    params: PARAMS,
    members: 2,
    outDir: join(directory, outDir),
    resume: true,
    before: null,
    onProgress: () => {},
  })
  const whole = await growMembers(options('whole'))
  for (const share of [0.3, 0.8]) {
    const stop = new AbortController()
    const onProgress = (doneRatio: number) => {
      if (doneRatio > share) stop.abort()
    }
    const attempt = growMembers({ ...options('broken'), signal: stop.signal, onProgress })
    await expect(attempt).rejects.toMatchObject({ code: 'INTERRUPTED' })
  }
  expect(readdirSync(directory).filter((name) => name.startsWith('.broken.'))).toHaveLength(2)
  expect(await growMembers(options('broken'))).toEqual(whole)
  await dropGrown(join(directory, 'broken'), 2)
  expect(readdirSync(directory).filter((name) => name.startsWith('.broken.'))).toEqual([])
})

test('members learn what is theirs: the trees of each are those of its own labels', async () => {
  const one: BoostData = { ...dataOf(11), validation: null }
  const labels = one.rows.labels.map((label, row) => (row % 3 === 0 ? 0 : label))
  const other: BoostData = { ...one, rows: { ...one.rows, labels } }
  const grow = (name: string, dataOf: GrowOptions['dataOf']) =>
    growMembers({
      module,
      dataOf,
      params: PARAMS,
      members: 2,
      outDir: join(directory, name),
      resume: false,
      before: null,
      onProgress: () => {},
    })
  const mixed = await grow('mixed', (member) => (member === 0 ? one : other))
  const ones = await grow('ones', () => one)
  const others = await grow('others', () => other)
  const each = PARAMS.treesMax
  expect(mixed.trees.slice(0, each)).toEqual(ones.trees.slice(0, each))
  expect(mixed.trees.slice(each)).toEqual(others.trees.slice(each))
  expect(ones.trees.slice(each)).not.toEqual(others.trees.slice(each))
})

test('classes go on as well', () => {
  const made = dataOf(5)
  const labels = made.rows.labels.map((label, row) => (row % 5 === 0 ? 2 : label))
  const data: BoostData = { ...made, rows: { ...made.rows, labels }, validation: null }
  const params: BoostParams = { ...PARAMS, objective: 'softmax', classCount: 3, treesMax: 12 }
  const whole = finish(growOutputs(module, data, params))
  const first = new BoostRounds(module, data, params, { kind: 'fresh' })
  while (first.rounds < 5) first.next()
  const start = { kind: 'resumed', state: first.state() } as const
  const resumed = finish(growOutputs(module, data, params, start))
  expect(resumed).toEqual(whole)
})

test('a change of a row, a bound, a parameter or a feature makes another training', () => {
  const data = dataOf(3)
  const digest = (changed: BoostData, params = PARAMS) =>
    trainingDigest(rowsDigest(changed), changed, params, []).toString('hex')
  const weights = data.rows.weights.slice()
  weights[7] = 2
  const all = [
    digest(data),
    digest({ ...data, rows: { ...data.rows, weights } }),
    digest({ ...data, bounds: data.bounds.toReversed() }),
    digest(data, { ...PARAMS, l2: 2 }),
    digest({ ...data, monotone: [1, 0, 0, 0, 0] }),
    digest({ ...data, validation: null }),
  ]
  expect(new Set(all).size).toBe(all.length)
})

test('a finished model goes through the bins of new data, and only gets better there', () => {
  const old = finish(growBoost(module, dataOf(3), PARAMS))
  // As it is read out of a file, over rows that have a column in front which training leaves out.
  const model: FinishedModel = {
    version: 'old-1',
    featureHash: 'same',
    base: old.base,
    trees: old.trees.map((tree) => ({
      feature: Array.from(tree.feature, (f) => (f < 0 ? f : f + 1)),
      threshold: [...tree.threshold],
      missingLeft: Array.from(tree.missingLeft, (side) => side === 1),
      left: [...tree.left],
      right: [...tree.right],
      value: [...tree.value],
    })),
  }
  const columns = Uint32Array.of(1, 2, 3, 4, 5)
  const made = makeData(4_000, FEATURES, 11)
  const bounds = findBounds(made.matrix, FEATURES, undefined, thresholdsOf(model, columns))
  const rows = toBinnedRows(made.matrix, made.labels, bounds)
  const before = boosterOf(model, columns, bounds)
  const margins = scoreRows(module, before, rows)
  for (let row = 0; row < made.rowCount; row++) {
    expect(margins[row]).toBe(predictMargin(old, made.matrix, row))
  }
  const other = makeData(2_000, FEATURES, 12)
  const validation = toBinnedRows(other.matrix, other.labels, bounds)
  const start = { kind: 'continued', boosters: [before] } as const
  const rounds = new BoostRounds(module, { rows, bounds, validation }, PARAMS, start)
  const quality = rounds.quality!
  while (rounds.next());
  const [longer] = rounds.result()
  expect(longer.trees.slice(0, old.trees.length)).toEqual(before.trees)
  expect(rounds.state().best!.quality).toBeGreaterThan(quality)
  expect(() => thresholdsOf(model, Uint32Array.of(0, 1))).toThrow(/leave_out/)
})
