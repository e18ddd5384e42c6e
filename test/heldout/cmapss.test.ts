// Goal: the committed model is good enough to ship, on engines that its training never saw.
// Needs FORESHOCK_DATA, the directory that holds cmapss; without it the suite says so.
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Backtest } from '../../training/backtest.ts'
import { heldOutData, judgeHeldOut, readCard } from '../support/held-out.ts'

const dataDir = heldOutData('cmapss')

describe.skipIf(dataDir === undefined)('on engines never seen', () => {
  let result: Backtest

  beforeAll(async () => {
    result = await judgeHeldOut('cmapss', dataDir!)
  }, 600_000)

  test('it ranks engines with 30 cycles left: PR-AUC at least 0.99', () => {
    expect(result.figures.prAuc).toBeGreaterThanOrEqual(0.99)
  })

  // Also of engines that have more cycles left than the model may say.
  test('it says the remaining life of engines cut off: within 12.5 cycles, root mean square', () => {
    expect(result.figures.rulNodeCount).toBeGreaterThan(0)
    expect(result.figures.rulRmse!).toBeLessThanOrEqual(12.5)
  })

  test('it is as good as its card says', () => {
    const { test: card } = readCard(join('models', 'cmapss')).figures!
    expect(result.figures.rowCount).toBe(card.rowCount)
    expect(result.figures.prAuc).toBeCloseTo(card.prAuc, 3)
    expect(result.figures.rulRmse!).toBeCloseTo(card.rulRmse!, 2)
  })
})
