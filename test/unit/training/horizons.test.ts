// Goal: one pass over a history gives a model for each horizon, each better at its own than the main one is, and the
// backtest says of all what the card says.
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { ModelCard } from '../../../src/core/model.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { horizonProbabilities } from '../../../src/predict/horizons.ts'
import { loadPredictor } from '../../../src/predict/session.ts'
import { backtest } from '../../../training/backtest.ts'
import { train } from '../../../training/train.ts'
import {
  SMALL_CLASS,
  SMALL_MANIFEST,
  smallManifest,
  writeSmallHistory,
} from '../../support/small-history.ts'
import { loadModule } from '../../support/training-data.ts'

const module = loadModule()
const SEVERAL = SMALL_MANIFEST.replace('files =', 'horizons = ["8d", "15d", "30d"]\nfiles =')
const outDir = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
const nodeClass = SMALL_CLASS
let options: Omit<Parameters<typeof train>[0], 'onProgress'>
let card: ModelCard
const steps: string[] = []

beforeAll(async () => {
  options = {
    manifest: smallManifest(SEVERAL),
    nodeClass,
    dataDir: writeSmallHistory(),
    outDir,
    module,
    seed: 1,
  }
  card = await train({ ...options, onProgress: ({ step }) => steps.push(step) })
}, 60_000)

test('the history is read before anything grows, and not again', () => {
  expect(steps.lastIndexOf('reading rows')).toBeLessThan(steps.indexOf('growing trees'))
  expect(steps.filter((step) => step === 'growing trees').length).toBeGreaterThanOrEqual(3 * 30)
})

test('each shorter horizon has a file, and figures on the card by its own labels', () => {
  expect(card.horizons?.map(({ name, horizonMs, file }) => [name, horizonMs, file])).toEqual([
    ['8d', 8 * DAY_MS, 'horizon-8d.onnx'],
    ['15d', 15 * DAY_MS, 'horizon-15d.onnx'],
  ])
  const [week, fortnight] = card.horizons!
  expect(week.test.positiveCount).toBeGreaterThan(0)
  expect(week.test.positiveCount).toBeLessThan(fortnight.test.positiveCount)
  expect(fortnight.test.positiveCount).toBeLessThan(card.test.positiveCount)
  for (const { test: quality, exported } of card.horizons!) {
    expect(quality.rowCount).toBe(card.test.rowCount)
    expect(quality.prAuc).toBeGreaterThan((5 * quality.positiveCount) / quality.rowCount)
    expect(exported!.treeEnsemble).toBeLessThanOrEqual(1e-5)
  }
  expect(readdirSync(join(outDir, '..'))).toEqual(['small'])
})

test('the main model is the same to the byte as without the others', async () => {
  const alone = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
  const other = await train({ ...options, manifest: smallManifest(), outDir: alone })
  expect(other.modelHash).toBe(card.modelHash)
  expect(other.test).toEqual(card.test)
  expect(other.horizons).toBeUndefined()
  expect(existsSync(join(alone, 'horizon-8d.onnx'))).toBe(false)
})

test('a member of half the horizon learns what the model of that horizon learns', async () => {
  const alone = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
  const half = SMALL_MANIFEST.replace('[training]', '[training]\nmember_horizons = [0.5]')
  const other = await train({ ...options, manifest: smallManifest(half), outDir: alone })
  const [within, main] = [
    loadPredictor(alone, { kernel: module }),
    loadPredictor(outDir, { kernel: module }),
  ]
  const [row, [short, long]] = [
    new Float32Array((await main).card.features.length).fill(20),
    [await within, await main],
  ]
  expect(other.modelHash).not.toBe(card.modelHash)
  expect((await short.predict(row, 1)).margin).toEqual(
    (await long.shorter![1].predict(row, 1)).margin,
  )
})

test('a backtest judges every horizon as training did', async () => {
  const scorer = await loadPredictor(outDir, { kernel: module })
  const { seed: _, ...judged } = options
  const { model, horizons } = await backtest({ ...judged, modelDir: outDir, scorer })
  expect(horizons.map(({ horizonMs }) => horizonMs / DAY_MS)).toEqual([8, 15, 30])
  expect(horizons[2].quality).toBe(model)
  for (const [i, told] of card.horizons!.entries()) {
    expect(horizons[i].quality.rowCount).toBe(told.test.rowCount)
    expect(horizons[i].quality.positiveCount).toBe(told.test.positiveCount)
    expect(horizons[i].quality.prAuc).toBeCloseTo(told.test.prAuc, 3)
    expect(horizons[i].quality.brier).toBeCloseTo(told.test.brier, 5)
  }
  await scorer.dispose()
})

test('what is told of a row rises with the horizon and ends in what the main model says', async () => {
  const scorer = await loadPredictor(outDir, { kernel: module })
  expect(scorer.shorter?.map(({ provider }) => provider)).toEqual(['wasm', 'wasm'])
  const width = scorer.card.features.length
  let differ = 0
  for (let pending = 0; pending <= 40; pending += 2) {
    const row = new Float32Array(width).fill(pending)
    const { probability } = await scorer.predict(row, 1)
    const [all] = (await horizonProbabilities(scorer, row, probability))!
    expect(all.at(-1)).toEqual({ horizonMs: 30 * DAY_MS, probability: probability[0] })
    for (const [i, { probability: longer }] of all.slice(1).entries()) {
      expect(all[i].probability).toBeLessThanOrEqual(longer)
      if (all[i].probability < longer) differ++
    }
  }
  expect(differ).toBeGreaterThan(5)
  await scorer.dispose()
})

test('an interruption in a shorter horizon keeps what has grown, and going on gives the same', async () => {
  const target = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
  const stop = new AbortController()
  const attempt = train({
    ...options,
    outDir: target,
    signal: stop.signal,
    onProgress: ({ detail }) => {
      if (detail.startsWith('within 8d: 3 ')) setImmediate(() => stop.abort())
    },
  })
  await expect(attempt).rejects.toMatchObject({ code: 'INTERRUPTED' })
  const kept = readdirSync(join(target, '..'))
  expect(kept).toContain('.small-horizon-8d.growing-0')
  const resumed = await train({ ...options, outDir: target, resume: true })
  expect(resumed).toEqual(card)
  expect(readdirSync(join(target, '..'))).toEqual(['small'])
})

test('horizons and trees to go on from are refused together', async () => {
  const from = { version: 'any', featureHash: '', trees: [] } as unknown as NonNullable<
    typeof options.from
  >
  await expect(train({ ...options, from })).rejects.toMatchObject({ code: 'USAGE' })
})

test('a damaged file of a horizon is refused like the model itself', async () => {
  const file = join(outDir, 'horizon-8d.onnx')
  const whole = readFileSync(file)
  writeFileSync(file, whole.subarray(0, -1))
  await expect(loadPredictor(outDir)).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringMatching(/horizon-8d\.onnx: its sha256 is/) as string,
  })
  writeFileSync(file, whole)
})

test.each([
  ['"7d", "1d", "30d"', /`horizons`: they must rise, and the last must be `horizon`/],
  ['"1d", "7d"', /`horizons`: they must rise, and the last must be `horizon`/],
  ['"soon", "30d"', /`horizons\.0`: "soon" is no duration; write it like 24h or 7d/],
])('horizons of %s are refused', (written, says) => {
  const toml = SMALL_MANIFEST.replace('files =', `horizons = [${written}]\nfiles =`)
  expect(() => smallManifest(toml)).toThrow(says)
})

test('with folds they are refused', () => {
  const toml = SEVERAL.replace('trees =', 'folds = 4\ntrees =')
  expect(() => smallManifest(toml)).toThrow(/`horizons`: not with `folds`; .*`parts`/)
})
