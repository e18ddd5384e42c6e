// Goal: the committed model is good enough to ship, on real drives that its training never saw.
// Needs FORESHOCK_DATA, the directory that holds backblaze_smart; without it the suite says so.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadNodeClass } from '../../src/config/node-classes.ts'
import { loadPredictor } from '../../src/predict/session.ts'
import { backtest, type Backtest } from '../../training/backtest.ts'
import { readManifest } from '../../training/manifest.ts'
import { loadModule } from '../support/training-data.ts'

const MODEL = 'models/backblaze'
const data = process.env['FORESHOCK_DATA']
const dataDir = data === undefined ? undefined : join(data, 'backblaze_smart')

if (dataDir === undefined) {
  process.stderr.write(
    '\n*** SKIPPED: test/heldout/backblaze needs FORESHOCK_DATA to name the data directory ***\n\n',
  )
}

describe.skipIf(dataDir === undefined)('on drives never seen', () => {
  let result: Backtest

  beforeAll(async () => {
    if (dataDir === undefined) return
    expect(existsSync(dataDir), `FORESHOCK_DATA was promised, but ${dataDir} is missing`).toBe(true)
    const scorer = await loadPredictor(MODEL)
    result = await backtest({
      manifest: readManifest('training/histories/backblaze.toml'),
      nodeClass: loadNodeClass('node-classes', 'drive'),
      dataDir,
      modelDir: MODEL,
      scorer,
      module: loadModule(),
    })
    await scorer.dispose()
  }, 600_000)

  test('it ranks failures: PR-AUC at least 0.225', () => {
    expect(result.model.prAuc).toBeGreaterThanOrEqual(0.225)
  })

  test.each([
    { budget: 1, recall: 0.28 },
    { budget: 5, recall: 0.46 },
    { budget: 10, recall: 0.54 },
  ])('at $budget false alarms per 1,000 drive-months it foresees $recall', ({ budget, recall }) => {
    const point = result.model.alertBudget.find((b) => b.falseAlarmsPer1000NodeMonths === budget)
    expect(point!.recall).toBeGreaterThanOrEqual(recall)
  })

  test('it beats the SMART rule at every alert budget', () => {
    for (const [i, { recall }] of result.baselines['smart-rule'].alertBudget.entries()) {
      expect(result.model.alertBudget[i].recall).toBeGreaterThan(recall)
    }
  })

  test('it means what it says: calibration error below half the base rate', () => {
    expect(result.model.ece).toBeLessThan(
      (0.5 * result.model.positiveCount) / result.model.rowCount,
    )
  })

  test('its probabilities are as spread as they should be, and better than the base rate', () => {
    expect(result.model.calibrationSlope).toBeGreaterThan(0.85)
    expect(result.model.calibrationSlope).toBeLessThan(1.15)
    expect(result.model.brierSkill).toBeGreaterThanOrEqual(0.13)
  })

  test('the trade-off is a trade: more false alarms, more failures foreseen', () => {
    const { points } = result.tradeoff
    expect(points.length).toBeGreaterThan(10)
    for (const [i, point] of points.entries()) {
      if (i === 0) continue
      expect(point.falseAlarmsPer1000NodeMonths).toBeGreaterThan(
        points[i - 1].falseAlarmsPer1000NodeMonths,
      )
      expect(point.recall).toBeGreaterThanOrEqual(points[i - 1].recall)
    }
  })

  test('it is as good as its card says', () => {
    const card = JSON.parse(readFileSync(join(MODEL, 'card.json'), 'utf8')) as {
      test: { prAuc: number; rowCount: number; alertBudget: { recall: number }[] }
    }
    expect(result.model.rowCount).toBe(card.test.rowCount)
    expect(result.model.prAuc).toBeCloseTo(card.test.prAuc, 3)
    for (const [i, { recall }] of card.test.alertBudget.entries()) {
      expect(Math.abs(result.model.alertBudget[i].recall - recall)).toBeLessThan(0.005)
    }
  })
})
