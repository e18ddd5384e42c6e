/**
 * The trade-off: what acting at each probability would have brought, from the strictest point to the
 * loosest, and which of them an operator should choose.
 */
import type { Costs } from '../src/core/policy.ts'
import type { TradeoffPoint } from '../src/core/model.ts'
import { countAlerts, monthsOf, thresholdsFor, type ScoredRows } from './alerts.ts'

/** Points lie at equal ratios of the false-alarm rate. */
const POINT_COUNT = 25
/** Fewer false alarms than this say nothing of their rate. */
const FALSE_ALARMS_MIN = 2

export interface Tradeoff {
  /** With a row in their last horizon: what acting could foresee. */
  readonly failuresPer1000NodeMonths: number
  /** Strictest first. */
  readonly points: readonly TradeoffPoint[]
}

/** @param leadMinMs only failures foreseen at least this long before count as foreseen. */
export function tradeoff(rows: ScoredRows, leadMinMs = 0): Tradeoff {
  const months = monthsOf(rows)
  const per1000 = (count: number) => (count * 1_000) / months
  const most = countAlerts(rows, -Infinity).falsePer1000NodeMonths
  const least = per1000(FALSE_ALARMS_MIN)
  const ratio = Math.max(1, most / least)
  const budgets = Array.from(
    { length: POINT_COUNT },
    (_, i) => least * ratio ** (i / (POINT_COUNT - 1)),
  )
  const points = [...new Set(thresholdsFor(rows, budgets))].map((probability) =>
    pointAt(rows, probability, leadMinMs),
  )
  return {
    failuresPer1000NodeMonths: per1000(countAlerts(rows, Infinity).failureCount),
    points: points.filter(({ alertsPer1000NodeMonths }) => alertsPer1000NodeMonths > 0),
  }
}

export function pointAt(rows: ScoredRows, probability: number, leadMinMs = 0): TradeoffPoint {
  const counts = countAlerts(rows, probability, leadMinMs)
  const { alertCount, falseCount, failureCount, foreseenCount } = counts
  const per1000 = 1_000 / monthsOf(rows)
  return {
    probability,
    alertsPer1000NodeMonths: alertCount * per1000,
    falseAlarmsPer1000NodeMonths: counts.falsePer1000NodeMonths,
    precision: alertCount === 0 ? 0 : (alertCount - falseCount) / alertCount,
    recall: failureCount === 0 ? 0 : foreseenCount / failureCount,
    missedPer1000NodeMonths: (failureCount - foreseenCount) * per1000,
  }
}

/** Per 1,000 node-months. */
export function expectedCost(point: TradeoffPoint, { action, failure }: Costs): number {
  return action * point.alertsPer1000NodeMonths + failure * point.missedPer1000NodeMonths
}

/** The point that costs least; `null`: none costs less than never to act. */
export function cheapestPoint(
  { failuresPer1000NodeMonths, points }: Tradeoff,
  costs: Costs,
): TradeoffPoint | null {
  let cheapest: TradeoffPoint | null = null
  let least = costs.failure * failuresPer1000NodeMonths
  for (const point of points) {
    const cost = expectedCost(point, costs)
    if (cost >= least) continue
    cheapest = point
    least = cost
  }
  return cheapest
}
