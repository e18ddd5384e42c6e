// Goal: detectors of anomalies are good enough to ship, on the half that did not choose their members.
// Needs FORESHOCK_DATA, the directory that holds smd and asd; without it the suite says so.
import { beforeAll, describe, expect, test } from 'vitest'
import { backtestAnomalies, type AnomalyFigures } from '../../training/anomaly/backtest.ts'
import { readAnomalyManifest } from '../../training/anomaly/manifest.ts'
import { heldOutData } from '../support/held-out.ts'

// Events are what the best Python peer finds, false runs what is put up with, VUS-PR a little under what was reached.
const FLOORS = [
  { name: 'smd', vusPr: 0.54, eventRecall: 0.88, falseRunsPerDay: 1 },
  { name: 'asd', vusPr: 0.6, eventRecall: 0.559, falseRunsPerDay: 0.3 },
]

describe.each(FLOORS)('on half of the machines of $name', (floor) => {
  const dataDir = heldOutData(floor.name)

  describe.skipIf(dataDir === undefined)('that did not choose', () => {
    let figures: AnomalyFigures

    beforeAll(async () => {
      const manifest = readAnomalyManifest(`training/histories/${floor.name}.toml`)
      const { halves } = await backtestAnomalies({ manifest, dataDir: dataDir! })
      figures = halves.reported!
    }, 600_000)

    test(`the score ranks: VUS-PR at least ${floor.vusPr}`, () => {
      expect(figures.vusPr).toBeGreaterThanOrEqual(floor.vusPr)
    })

    test(`the alarm finds ${floor.eventRecall} of the anomalies at the rate that is asked for`, () => {
      expect(figures.eventRecall).toBeGreaterThanOrEqual(floor.eventRecall)
    })

    test(`the learned threshold has at most ${floor.falseRunsPerDay} false runs a day`, () => {
      expect(figures.falseRunsPerDay).toBeLessThanOrEqual(floor.falseRunsPerDay)
    })
  })
})
