// Goal: a run costs what its formula says, part by part, and each part is paid for.
import { expect, test } from 'vitest'
import type { Measures } from '../../../../src/simulate/measures.ts'
import { type Price, priceOf, sumOfPrices, totalOf } from '../../../../src/simulate/tuning/price.ts'

const fault = { injected: 0, classified: 0, shown: 0, shownClassified: 0 }
const NOTHING: Measures = {
  faults: {},
  incidentCount: 0,
  trueIncidentCount: 0,
  kindCount: 0,
  trueKindCount: 0,
  outageCount: 0,
  recoveredCount: 0,
  roomlessCount: 0,
  timedCount: 0,
  recoveryMs: 0,
  detectionMs: 0,
  executorMs: 0,
  standbyCount: 0,
  standbyMs: 0,
  standbyExecutorMs: 0,
  standbyInTimeCount: 0,
  workloadMs: 0,
  downMs: 0,
  oracleDownMs: 0,
  migrationCount: 0,
  falseMigrationCount: 0,
  lostWorkMs: 0,
  emptiedCount: 0,
  fencedCount: 0,
  restartedCount: 0,
  harmedNodeMs: 0,
}
const FREE: Price = { downtime: 0, actions: 0, harm: 0, falseAlarms: 0, misses: 0 }

test.each<{ measures: Partial<Measures>; part: keyof Price; seconds: number; because: string }>([
  { measures: { lostWorkMs: 7_500 }, part: 'downtime', seconds: 7.5, because: 'lost work is time' },
  { measures: { emptiedCount: 2 }, part: 'actions', seconds: 120, because: 'emptying costs 60 s' },
  { measures: { fencedCount: 1 }, part: 'actions', seconds: 180, because: 'a fence costs 180 s' },
  {
    measures: { restartedCount: 2 },
    part: 'actions',
    seconds: 30,
    because: 'a restart costs 15 s',
  },
  {
    measures: { harmedNodeMs: 600_000 },
    part: 'harm',
    seconds: 60,
    because: 'a tenth of its time',
  },
  {
    measures: { incidentCount: 5, trueIncidentCount: 3 },
    part: 'falseAlarms',
    seconds: 120,
    because: 'somebody looks at each of two',
  },
  {
    measures: { faults: { crash: { ...fault, detectable: 3, detected: 1 } } },
    part: 'misses',
    seconds: 600,
    because: 'two could have been seen',
  },
])('$because', ({ measures, part, seconds }) => {
  const price = priceOf({ ...NOTHING, ...measures })
  expect(price).toEqual({ ...FREE, [part]: seconds })
  expect(totalOf(price)).toBe(seconds)
})

test('prices add up part by part', () => {
  const price = { downtime: 1, actions: 2, harm: 3, falseAlarms: 4, misses: 5 }
  expect(sumOfPrices([price, price])).toEqual({
    downtime: 2,
    actions: 4,
    harm: 6,
    falseAlarms: 8,
    misses: 10,
  })
  expect(sumOfPrices([])).toEqual(FREE)
})
