/**
 * What a run cost, in seconds of lost work: one second without a workload of priority NORMAL, the unit in which
 * the chooser weighs strategies. Prices of actions are the chooser's own.
 *
 *     cost = downtime + actions + harm + false alarms + misses
 *     downtime     = seconds without each workload × 4 CRITICAL, 2 HIGH, 1 NORMAL, 0.5 LOW
 *     actions      = 60 × nodes emptied + 180 × nodes fenced + 15 × nodes restarted
 *     harm         = 0.1 × seconds that nodes were kept from work while they were well
 *     false alarms = 60 × incidents with no fault behind them
 *     misses       = 300 × faults that the telemetry showed and nobody was told of
 */
import { ACTION_COST_S, FAILED_COST_S } from '../../decide/outcome-model.ts'
import type { Measures } from '../measures.ts'

/**
 * An emptied node is priced as one that stands empty for ten minutes; so a second of one is worth a tenth
 * of lost work, and the chooser's price stays what it is for those that were right to empty.
 */
const HARM_S_PER_NODE_SECOND = 0.1
/** Somebody has to look, as at an emptied node. */
const FALSE_ALARM_S = ACTION_COST_S.migrate
/** It goes on until it shows by itself, as one that fails while something milder is tried. */
const MISS_S = FAILED_COST_S

export const PARTS = ['downtime', 'actions', 'harm', 'falseAlarms', 'misses'] as const
/** Seconds of lost work, part by part. */
export type Price = Readonly<Record<(typeof PARTS)[number], number>>

export function priceOf(measures: Measures): Price {
  const { lostWorkMs, emptiedCount, fencedCount, restartedCount, harmedNodeMs } = measures
  const { incidentCount, trueIncidentCount, faults } = measures
  const missed = Object.values(faults).reduce((sum, fault) => {
    return sum + fault.detectable - fault.detected
  }, 0)
  return {
    downtime: lostWorkMs / 1_000,
    actions:
      ACTION_COST_S.migrate * emptiedCount +
      ACTION_COST_S['fail-over'] * fencedCount +
      ACTION_COST_S.restart * restartedCount,
    harm: (HARM_S_PER_NODE_SECOND * harmedNodeMs) / 1_000,
    falseAlarms: FALSE_ALARM_S * (incidentCount - trueIncidentCount),
    misses: MISS_S * missed,
  }
}

export function totalOf(price: Price): number {
  return PARTS.reduce((sum, part) => sum + price[part], 0)
}

export function sumOfPrices(prices: readonly Price[]): Price {
  const sumOf = (part: (typeof PARTS)[number]) =>
    prices.reduce((sum, price) => sum + price[part], 0)
  return {
    downtime: sumOf('downtime'),
    actions: sumOf('actions'),
    harm: sumOf('harm'),
    falseAlarms: sumOf('falseAlarms'),
    misses: sumOf('misses'),
  }
}
