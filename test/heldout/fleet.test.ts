// Goal: the committed fleet model foresees what builds up, on nodes it has never seen, at the
// heartbeat's pace (it was trained on sparser samples), and its card tells what it cannot foresee.
// Method: a fresh history from another seed; the card itself for the kinds that training never had.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadNodeClass } from '../../src/config/node-classes.ts'
import type { ModelCard } from '../../src/core/model.ts'
import { writeHistory } from '../../src/fleet/history.ts'
import { failureKinds } from '../../src/fleet/kinds.ts'
import { loadPredictor } from '../../src/predict/session.ts'
import { backtest, type Backtest } from '../../training/backtest.ts'
import { readManifest } from '../../training/manifest.ts'
import { loadModule } from '../support/training-data.ts'

const MODEL = 'models/fleet'
const card = JSON.parse(readFileSync(join(MODEL, 'card.json'), 'utf8')) as ModelCard
let directory: string
let result: Backtest

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'foreshock-fleet-'))
  const phases = [{ failures: 'training', hours: 3 }] as const
  await writeHistory({ seed: 4_711, directory, nodeCount: 500, phases, stepMs: 5_000 })
  const scorer = await loadPredictor(MODEL)
  result = await backtest({
    manifest: readManifest('training/histories/fleet.toml'),
    nodeClass: loadNodeClass('node-classes', 'server'),
    dataDir: directory,
    modelDir: MODEL,
    scorer,
    module: loadModule(),
  })
  await scorer.dispose()
}, 300_000)

afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('it foresees half of all failures, those without a sign among them', () => {
  expect(result.model.recall).toBeGreaterThanOrEqual(0.5)
})

test('most of its alarms are true', () => {
  expect(result.model.precision).toBeGreaterThanOrEqual(0.6)
})

test('it leaves minutes to move the work', () => {
  expect(result.model.leadTimeMs).toBeGreaterThan(180_000)
})

test('its card tells of every kind, and which of them training never had', () => {
  const named = Object.keys(card.kinds ?? {})
  expect(named.toSorted()).toEqual(
    failureKinds('all')
      .map(({ name }) => name)
      .toSorted(),
  )
  const training = new Set(failureKinds('training').map(({ name }) => name))
  for (const [kind, { trained, failureCount }] of Object.entries(card.kinds!)) {
    expect(trained, kind).toBe(training.has(kind))
    expect(failureCount, kind).toBeGreaterThan(5)
  }
})

test('it knows nothing of crashes without a sign, which shows that it does not look ahead', () => {
  const crash = card.kinds!['sudden-crash']
  expect(crash.foreseenCount / crash.failureCount).toBeLessThan(0.15)
})
