/** What one way of acting brought in one pool, as sums that add up over pools. */
import type { Interval } from '../../core/count-interval.ts'
import { countInterval, shareInterval } from '../../core/count-interval.ts'
import type { Costs } from '../../core/policy.ts'
import { DAY_MS } from '../../core/time.ts'

/** Fewer failures than this say little of the share that is foreseen; the interval says how little. */
export const FAILURES_MIN = 10

export interface Tally {
  readonly failures: number
  readonly foreseen: number
  readonly alarms: number
  readonly trueAlarms: number
  readonly falseAlarms: number
  readonly pendingAlarms: number
  /** How long before the failure, ms, of each that was foreseen; in any order. */
  readonly leadsMs: readonly number[]
  /** Workload-time without a node, ms; null where it is not known. */
  readonly outageMs: number | null
  /** Null where a pool has no costs. */
  readonly cost: number | null
}

export interface Share extends Interval {
  /** Null where nothing was counted. */
  readonly value: number | null
}

export interface Approach {
  readonly failures: number
  readonly foreseen: number
  readonly missed: number
  readonly recall: Share
  readonly leadTimeMs: {
    readonly median: number
    readonly min: number
    readonly max: number
  } | null
  /** Nodes that were emptied, or would have been. */
  readonly migrations: number
  readonly falseMigrations: number
  /** Their horizon is not over. */
  readonly pendingMigrations: number
  readonly precision: Share
  readonly falsePer1000NodeDays: Share
  readonly outageMinutes: number | null
  readonly cost: number | null
  /** Less than doing nothing costs. */
  readonly saved: number | null
}

export function costOf(
  { failures, foreseen, alarms }: Pick<Tally, 'failures' | 'foreseen' | 'alarms'>,
  costs: Costs | null,
): number | null {
  return costs === null ? null : costs.action * alarms + costs.failure * (failures - foreseen)
}

export function sumOf(tallies: readonly Tally[]): Tally {
  const sum = (value: (tally: Tally) => number) =>
    tallies.reduce((all, each) => all + value(each), 0)
  const sumKnown = (value: (tally: Tally) => number | null) =>
    tallies.every((each) => value(each) !== null) ? sum((each) => value(each) ?? 0) : null
  return {
    failures: sum(({ failures }) => failures),
    foreseen: sum(({ foreseen }) => foreseen),
    alarms: sum(({ alarms }) => alarms),
    trueAlarms: sum(({ trueAlarms }) => trueAlarms),
    falseAlarms: sum(({ falseAlarms }) => falseAlarms),
    pendingAlarms: sum(({ pendingAlarms }) => pendingAlarms),
    leadsMs: tallies.flatMap(({ leadsMs }) => leadsMs),
    outageMs: sumKnown(({ outageMs }) => outageMs),
    cost: sumKnown(({ cost }) => cost),
  }
}

export function approachOf(tally: Tally, nodeMs: number, idle: Tally): Approach {
  const { failures, foreseen, trueAlarms, falseAlarms, outageMs, cost } = tally
  const leads = tally.leadsMs.toSorted((a, b) => a - b)
  const median = leads[Math.floor((leads.length - 1) / 2)]
  const per1000 = nodeMs === 0 ? 0 : (1_000 * DAY_MS) / nodeMs
  const { low, high } = countInterval(falseAlarms)
  return {
    failures,
    foreseen,
    missed: failures - foreseen,
    recall: shareOf(foreseen, failures),
    leadTimeMs:
      median === undefined ? null : { median, min: leads[0], max: leads[leads.length - 1] },
    migrations: tally.alarms,
    falseMigrations: falseAlarms,
    pendingMigrations: tally.pendingAlarms,
    precision: shareOf(trueAlarms, trueAlarms + falseAlarms),
    falsePer1000NodeDays: {
      value: nodeMs === 0 ? null : falseAlarms * per1000,
      low: low * per1000,
      high: high * per1000,
    },
    outageMinutes: outageMs === null ? null : outageMs / 60_000,
    cost,
    saved: cost === null || idle.cost === null ? null : idle.cost - cost,
  }
}

function shareOf(count: number, total: number): Share {
  return { value: total === 0 ? null : count / total, ...shareInterval(count, total) }
}
