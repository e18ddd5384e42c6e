// Goal: a model by folds learns from every node outside the test slice, is judged by none that it
// learned from, and its parts serve as they were judged.
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { ModelReference } from '../../../src/core/model.ts'
import { loadPredictor } from '../../../src/predict/session.ts'
import { backtest } from '../../../training/backtest.ts'
import { toBinnedRows } from '../../../training/bins.ts'
import { growFolded } from '../../../training/folded.ts'
import type { Manifest } from '../../../training/manifest.ts'
import { train } from '../../../training/train.ts'
import {
  smallManifest,
  SMALL_CLASS,
  SMALL_MANIFEST,
  writeSmallHistory,
} from '../../support/small-history.ts'
import { loadModule } from '../../support/training-data.ts'

const module = loadModule()
const FOLDED = SMALL_MANIFEST.replace(
  '[sql]',
  `folds = 3
[parts.rest]
target = "remaining"
horizon = "60d"
[parts.blind]
failure_kind = "unknown"
leave_out = ["pending.value", "pending.residual.1w", "pending.residual.30d", "pending.residual.90d",
  "pending.trend", "pending.deviation.1w", "pending.deviation.30d", "pending.deviation.90d",
  "pending.changes.1w", "pending.changes.30d", "pending.changes.90d", "pending.since-change.hours",
  "pending.max"]
[sql]`,
)
let manifest: Manifest
let dataDir: string

beforeAll(() => {
  manifest = smallManifest(FOLDED)
  dataDir = writeSmallHistory()
})

test('the model and its parts are judged from their files as training judged them', async () => {
  const outDir = join(mkdtempSync(join(tmpdir(), 'foreshock-models-')), 'small')
  const options = { manifest, nodeClass: SMALL_CLASS, dataDir, outDir, module, seed: 1 }
  const card = await train(options)
  const { validation, test: expected } = card.figures!
  expect(validation.prAuc).toBeGreaterThan(0.8)
  expect(expected.prAuc).toBeGreaterThan(0.8)
  // What tells of failures is kept from it.
  expect(expected.parts['blind'].prAuc).toBeLessThan(expected.prAuc - 0.1)
  const text = readFileSync(join(outDir, 'reference.json'), 'utf8')
  const reference = JSON.parse(text) as ModelReference
  expect(reference.nodeCount).toBe(card.validation.nodeCount)
  expect(Object.keys(reference.features)).toContain('pending.value')
  const scorer = await loadPredictor(outDir, { kernel: module })
  const parts = await Promise.all(
    card.parts!.map(async (part) => ({
      part,
      scorer: await loadPredictor(join(outDir, part.directory), { kernel: module }),
    })),
  )
  const { figures } = await backtest({ ...options, modelDir: outDir, scorer, parts })
  expect(figures.rowCount).toBe(expected.rowCount)
  expect(figures.prAuc).toBeCloseTo(expected.prAuc, 3)
  expect(figures.parts['blind'].prAuc).toBeCloseTo(expected.parts['blind'].prAuc, 3)
  for (const each of [scorer, ...parts.map((part) => part.scorer)]) await each.dispose()
})

test('a row is judged by trees that never saw its node', async () => {
  // Whoever has seen a fold can tell its labels, and nobody else: they are those of its feature.
  const rowCount = 600
  const fold = Uint8Array.from({ length: rowCount }, (_, row) => row % 3)
  const labels = Uint8Array.from({ length: rowCount }, (_, row) => (row >> 2) & 1)
  const matrix = new Float32Array(rowCount * 3)
  for (let row = 0; row < rowCount; row++) matrix[row * 3 + fold[row]] = labels[row]
  const rows = toBinnedRows(matrix, labels, Array(3).fill(Float32Array.of(0.5)))
  const target = { rows: Uint32Array.from(fold.keys()), labels, shares: null }
  const bounds = Array.from({ length: 3 }, () => Float32Array.of(0.5))
  const options = { module, manifest, seed: 1, bounds, rows, known: {}, fold, foldCount: 3 }
  const { margins } = await growFolded(options, target, [])
  const meanOf = (label: number): number => {
    const chosen = [...margins].filter((_, row) => labels[row] === label)
    return chosen.reduce((sum, margin) => sum + margin, 0) / chosen.length
  }
  expect(Math.abs(meanOf(1) - meanOf(0))).toBeLessThan(0.5)
})

test('a share is learned as it is', async () => {
  const rowCount = 300
  const matrix = Float32Array.from({ length: rowCount }, (_, row) => row % 2)
  const bounds = [Float32Array.of(0.5)]
  const rows = toBinnedRows(matrix, new Uint8Array(rowCount), bounds)
  const shares = matrix.map((value) => (value === 1 ? 0.7 : 0.2))
  const target = {
    rows: Uint32Array.from(shares.keys()),
    labels: new Uint8Array(rowCount).fill(1),
    shares,
  }
  const fold = Uint8Array.from({ length: rowCount }, (_, row) => (row >> 1) % 3)
  const options = { module, manifest, seed: 1, bounds, rows, known: {}, fold, foldCount: 3 }
  const { margins } = await growFolded(
    { ...options, manifest: { ...manifest, training: { ...manifest.training, trees: 150 } } },
    target,
    [],
  )
  for (const [row, margin] of margins.entries()) {
    expect(margin).toBeCloseTo(shares[row], 2)
  }
})
