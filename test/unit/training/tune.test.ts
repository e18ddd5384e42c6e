// Goal: the search finds better parameters than bad ones, judges every trial on nodes that it did not
// learn from, and what it writes is what a manifest reads.
import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { findBounds, toBinnedRows } from '../../../training/bins.ts'
import { boostParams } from '../../../training/boost-settings.ts'
import { parseManifest } from '../../../training/manifest.ts'
import { averagePrecision } from '../../../training/quality.ts'
import { drawTrial, trialToml } from '../../../training/search-space.ts'
import { SeededRandom } from '../../../training/seeded-random.ts'
import { tune, type TuneOptions } from '../../../training/tune.ts'
import { weightedPrecision } from '../../../training/weighted-precision.ts'
import { SMALL_MANIFEST } from '../../support/small-history.ts'
import { loadModule, makeData } from '../../support/training-data.ts'

const module = loadModule()
const ROWS = 1_200
const made = makeData(ROWS, 4, 21)
const bounds = findBounds(made.matrix, 4, 40)
/** A single leaf's worth of rows on either side, and no more: it can hardly learn. */
const BAD = {
  treesMax: 30,
  leavesMax: 2,
  depthMax: 1,
  learningRate: 0.02,
  l1: 0,
  l2: 1_000,
  rowsMin: 350,
  featureRatio: 0.3,
  rowRatio: 1,
}

function options(): TuneOptions {
  return {
    module,
    data: { rows: toBinnedRows(made.matrix, made.labels, bounds), bounds },
    foldOf: Uint8Array.from({ length: ROWS }, (_, row) => row % 3),
    folds: 3,
    first: BAD,
    trials: 6,
    seed: 4,
    onProgress: () => {},
  }
}

test('it beats bad parameters, and the same seed tries the same', async () => {
  const tried = await tune(options())
  expect(tried).toHaveLength(6)
  expect(tried[0].share).toBe(1)
  const bad = tried.find(({ trial }) => trial === BAD)!
  expect(bad.share).toBeLessThan(1)
  expect(tried[0].quality).toBeGreaterThan(bad.quality + 0.05)
  expect(await tune(options())).toEqual(tried)
})

test('a fold is judged by trees that never saw it: labels by chance are not foreseen', async () => {
  const random = SeededRandom.fromSeed(9)
  const labels = Uint8Array.from({ length: ROWS }, () => (random.next() < 0.3 ? 1 : 0))
  const rows = toBinnedRows(made.matrix, labels, bounds)
  const rate = labels.reduce((sum, label) => sum + label, 0) / ROWS
  const tried = await tune({ ...options(), data: { rows, bounds } })
  for (const { quality } of tried) expect(Math.abs(quality - rate)).toBeLessThan(0.08)
})

test('it ends when it is told to', async () => {
  const stop = new AbortController()
  const running = tune({ ...options(), signal: stop.signal, onProgress: () => stop.abort() })
  await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED' })
})

property.prop([fc.integer({ min: 1, max: 1e6 })])('a manifest reads what is written', (seed) => {
  const trial = drawTrial(SeededRandom.fromSeed(seed))
  const toml = SMALL_MANIFEST.replace('[training]\ntrees = 30\nleaves = 8\n', trialToml(trial))
  expect(boostParams(parseManifest(toml, 'small.toml'), 1)).toMatchObject(trial)
})

property.prop([
  fc.array(fc.record({ score: fc.integer({ min: 0, max: 9 }), fails: fc.boolean() })),
])('with equal weights it is the average precision, and a weight of 2 is a row twice', (rows) => {
  const scores = Float64Array.from(rows, ({ score }) => score)
  const labels = Uint8Array.from(rows, ({ fails }) => (fails ? 1 : 0))
  const plain = averagePrecision(scores, labels)
  expect(weightedPrecision(scores, labels, new Float32Array(rows.length).fill(3))).toBeCloseTo(
    plain,
  )
  const weights = Float32Array.from(rows, (_, i) => 1 + (i % 2))
  const twice = rows.flatMap((row, i) => (i % 2 === 0 ? [row] : [row, row]))
  const expected = averagePrecision(
    Float64Array.from(twice, ({ score }) => score),
    Uint8Array.from(twice, ({ fails }) => (fails ? 1 : 0)),
  )
  expect(weightedPrecision(scores, labels, weights)).toBeCloseTo(expected)
})
