// Goal: a history becomes a model that finds the failures of nodes it never saw, and the backtest
// through ONNX Runtime says of it what the trainer said.
import { mkdtempSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { loadPredictor } from '../../../src/predict/session.ts'
import { backtest } from '../../../training/backtest.ts'
import { readTrainedHashes } from '../../../training/model-files.ts'
import { nodeHash, nodeShare } from '../../../training/manifest.ts'
import { train } from '../../../training/train.ts'
import {
  SMALL_MANIFEST,
  smallManifest,
  SMALL_CLASS,
  SMALL_NODES,
  writeSmallHistory,
} from '../../support/small-history.ts'
import { loadModule } from '../../support/training-data.ts'

const module = loadModule()
let dataDir: string
let outDir: string

beforeAll(() => {
  dataDir = writeSmallHistory()
  outDir = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
})

const options = () => ({
  manifest: smallManifest(),
  nodeClass: SMALL_CLASS,
  dataDir,
  outDir,
  module,
  seed: 1,
})

test('a model is trained, and judged again from its files', async () => {
  const card = await train(options())
  expect(card.test.prAuc).toBeGreaterThan(0.8)
  expect(card.exported).toMatchObject({ rows: expect.any(Number) as number })
  expect(card.exported!.treeEnsemble).toBeLessThanOrEqual(1e-6)
  expect(card.exported!.denseForm).toBeLessThanOrEqual(1e-6)
  expect(card.test.prAuc).toBeGreaterThan(3 * card.baselines['base-rate'].prAuc)
  const scorer = await loadPredictor(outDir)
  const { model, baselines } = await backtest({ ...options(), modelDir: outDir, scorer })
  expect(model.rowCount).toBe(card.test.rowCount)
  expect(model.prAuc).toBeCloseTo(card.test.prAuc, 3)
  expect(model.recall).toBeCloseTo(card.test.recall, 3)
  expect(Object.keys(baselines)).toEqual(['base-rate', 'pending'])
  await scorer.dispose()
})

test('risk moves with a feature only as the manifest allows, and a wrong name is refused', async () => {
  const toml = SMALL_MANIFEST.replace(
    '[sql]',
    'categories = "single"\n[training.monotone]\n"pending.value" = "falls"\n[sql]',
  )
  const manifest = smallManifest(toml)
  const target = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
  await train({ ...options(), manifest, outDir: target })
  const scorer = await loadPredictor(target)
  const names = scorer.card.features
  const row = new Float32Array(names.length * 2)
  row[names.length + names.indexOf('pending.value')] = 40
  const { probability } = await scorer.predict(row, 2)
  expect(probability[1]).toBeLessThanOrEqual(probability[0])
  await scorer.dispose()
  const wrong = smallManifest(toml.replace('pending.value', 'pending.worth'))
  await expect(train({ ...options(), manifest: wrong })).rejects.toMatchObject({
    code: 'HISTORY_INVALID',
  })
})

test('a calibration that the manifest fixes is fitted, told on the card and served by the kernel', async () => {
  const manifest = smallManifest(SMALL_MANIFEST.replace('[sql]', 'calibration = "beta"\n[sql]'))
  const target = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
  const card = await train({ ...options(), manifest, outDir: target })
  expect(card.calibration?.kind).toBe('beta')
  expect(card.calibrationTrials).toBeUndefined()
  expect(card.exported!.treeEnsemble).toBeLessThanOrEqual(1e-5)
  const scorer = await loadPredictor(target, { kernel: module })
  expect(scorer.provider).toBe('wasm')
  const { model } = await backtest({ ...options(), manifest, modelDir: target, scorer })
  expect(model.brier).toBeCloseTo(card.test.brier, 5)
  await scorer.dispose()
})

test('nodes of fit, calibration and validation are remembered, and no others', async () => {
  const hashes = await readTrainedHashes(outDir)
  for (let n = 0; n < SMALL_NODES; n++) {
    const hash = nodeHash(`drive-${n}`)
    expect(hashes.has(hash)).toBe(nodeShare(hash) < 80)
  }
})

test('the same seed writes the same model, and replaces the old one whole', async () => {
  const before = readFileSync(join(outDir, 'model.onnx'))
  await train(options())
  expect(readFileSync(join(outDir, 'model.onnx')).equals(before)).toBe(true)
  expect(readdirSync(join(outDir, '..'))).toEqual(['small'])
})

test('a training that is interrupted while it grows keeps that, and writes no model', async () => {
  const target = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
  const stop = new AbortController()
  const attempt = train({
    ...options(),
    outDir: target,
    signal: stop.signal,
    onProgress: ({ step }) => {
      if (step === 'growing trees') setImmediate(() => stop.abort())
    },
  })
  await expect(attempt).rejects.toMatchObject({ code: 'INTERRUPTED' })
  expect(existsSync(target)).toBe(false)
  expect(readdirSync(join(target, '..'))).toEqual(['.small.growing-0'])
})
