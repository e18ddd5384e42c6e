// Goal: the committed model is good enough to ship, on machines that its training never saw.
// Needs FORESHOCK_DATA, the directory that holds azure_pdm; without it the suite says so.
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Backtest } from '../../training/backtest.ts'
import { heldOutData, judgeHeldOut, readCard } from '../support/held-out.ts'

const dataDir = heldOutData('azure_pdm')

describe.skipIf(dataDir === undefined)('on machines never seen', () => {
  let result: Backtest

  beforeAll(async () => {
    result = await judgeHeldOut('azure', dataDir!)
  }, 600_000)

  test('it ranks failures: PR-AUC at least 0.954', () => {
    expect(result.figures.prAuc).toBeGreaterThanOrEqual(0.954)
  })

  test('it says 0.8 of all failures but one, and of nothing else', () => {
    const { caughtAtP8, failureCount, falseEpisodesAtP8 } = result.figures
    expect(caughtAtP8).toBeGreaterThanOrEqual(failureCount - 1)
    expect(falseEpisodesAtP8).toBe(0)
  })

  test('it knows the component: macro PR-AUC at least 0.95', () => {
    expect(result.figures.macroPrAuc).toBeGreaterThanOrEqual(0.95)
  })

  test('it judges by unbroken runs alone', () => {
    const monthRows = 30 * 24
    expect(result.model.rowCount / result.model.nodeCount).toBeGreaterThan(monthRows)
  })

  test('it is as good as its card says', () => {
    const { test: card } = readCard(join('models', 'azure')).figures!
    expect(result.figures.rowCount).toBe(card.rowCount)
    expect(result.figures.prAuc).toBeCloseTo(card.prAuc, 3)
    expect(result.figures.macroPrAuc!).toBeCloseTo(card.macroPrAuc!, 3)
    expect(result.figures.parts['without-errors'].prAuc).toBeCloseTo(
      card.parts['without-errors'].prAuc,
      3,
    )
  })
})
