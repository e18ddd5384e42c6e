/**
 * What may be tuned, and within which bounds: thresholds of detectors and the pace of answers, all of them keys
 * of `[policy]` that a running service takes.
 *
 * What a simulated world does not charge for is left out, or the search would take it for nothing: how full
 * targets may be loaded, how long commands live, who must vote.
 */
import type { Settings } from '../../config/settings.ts'
import type { Policy } from '../../core/policy.ts'
import { failSlow } from '../../detect/fail-slow.ts'
import { networkPartition } from '../../detect/network-partition.ts'
import { peerSight } from '../../detect/peer-sight.ts'
import { phiAccrual } from '../../detect/phi-accrual.ts'
import { resourceExhaustion } from '../../detect/resource-exhaustion.ts'
import { serviceUnavailable } from '../../detect/service-unavailable.ts'
import { type Configurable, type Setting, tomlName, valuesOf } from '../../detect/settings.ts'
import { threshold } from '../../detect/threshold.ts'
import { TRUST_HALF_LIFE_MS } from '../outcome.ts'

export type PolicyTable = Settings['policy']

export interface Knob {
  /** As `foreshock.toml` has it. */
  readonly key: string
  /** Bounds, both allowed; ms where it is a `duration`. */
  readonly low: number
  readonly high: number
  /** How values between them are spread. */
  readonly scale: 'linear' | 'logarithmic'
  readonly unit: Setting['unit']
  /** Null: the policy says it in another way, which is left as it is. */
  readonly now: (policy: Policy) => number | null
}

/** Key → value, in ms where it is a duration. What is not there stays as it is. */
export type Values = Readonly<Record<string, number>>

const MINUTE_MS = 60_000

export const KNOBS: readonly Knob[] = [
  pace('acting_point', 'ratio', 0.5, 0.95, ({ actingPoint }) =>
    actingPoint.kind === 'threshold' ? actingPoint.probability : null,
  ),
  pace('hysteresis', 'ratio', 0.5, 0.95, (policy) => policy.hysteresisRatio),
  pace('persistence', 'count', 1, 4, (policy) => policy.persistenceCount),
  pace('cooldown', 'duration', MINUTE_MS, 15 * MINUTE_MS, (policy) => policy.cooldownMs),
  pace('attempts_max', 'count', 2, 6, (policy) => policy.attemptsMax),
  pace('budget', 'ratio', 0.05, 0.2, (policy) => policy.budgetRatio),
  pace('shared_cause', 'ratio', 0.15, 0.6, (policy) => policy.sharedCauseRatio),
  pace('shared_cause_nodes_min', 'count', 3, 10, (policy) => policy.sharedCauseNodesMin),
  pace('emergency_ratio', 'ratio', 0.2, 0.5, ({ emergency }) => emergency.enterRatio),
  pace('emergency_leave_after', 'duration', MINUTE_MS, 10 * MINUTE_MS, ({ emergency }) => {
    return emergency.leaveAfterMs
  }),
  pace('return_ratio', 'ratio', 0.1, 0.75, (policy) => policy.returnRatio),
  pace('return_watch', 'duration', 2 * MINUTE_MS, 20 * MINUTE_MS, (policy) => policy.returnWatchMs),
  limit(phiAccrual, 'suspicion', 4, 14),
  limit(threshold, 'networkLatencyWarning', 100, 700),
  limit(threshold, 'networkLatencyCritical', 750, 3_000),
  limit(threshold, 'nodeHealthWarning', 0.4, 0.7),
  limit(threshold, 'nodeHealthCritical', 0.15, 0.39),
  limit(threshold, 'resourceUsageWarning', 65, 88),
  limit(threshold, 'resourceUsageCritical', 90, 99),
  limit(threshold, 'persistence', 1, 5),
  limit(failSlow, 'slowRatio', 1.25, 2.2),
  limit(failSlow, 'deviations', 2, 5),
  limit(failSlow, 'warningScore', 8, 15),
  limit(failSlow, 'errorScore', 15.5, 20),
  limit(resourceExhaustion, 'steadiness', 0.4, 0.9),
  limit(resourceExhaustion, 'readingsMin', 5, 20),
  limit(networkPartition, 'stableFor', 2_000, 20_000),
  limit(peerSight, 'witnessesRatio', 0.55, 0.95),
  limit(peerSight, 'missesMin', 1, 4),
  limit(serviceUnavailable, 'failuresMin', 2, 6),
  limit(serviceUnavailable, 'observersRatio', 0.25, 0.75),
]

/** The table with other values: both have lengths of time in ms. */
export function withValues(table: PolicyTable, values: Values): PolicyTable {
  const detectors: Record<string, Readonly<Record<string, number | boolean | undefined>>> = {}
  const own: Record<string, number> = {}
  for (const [key, value] of Object.entries(values)) {
    const [, name, detector, setting] = key.split('.')
    if (detector === undefined || setting === undefined) own[name] = value
    else {
      const before = detectors[detector] ?? table.detectors?.[detector]
      detectors[detector] = { ...before, [setting]: value }
    }
  }
  return { ...table, ...own, detectors: { ...table.detectors, ...detectors } }
}

/**
 * What is tuned against: the table as operators have it, but acting, because a pool that only observes costs the
 * same whatever its settings. Commands live for a minute unless it says otherwise: a world's executors answer in
 * seconds, and what is lost there should soon be missed. Trust comes back within a run, or incidents of liars
 * would outlast the time in which a world must be well again.
 */
export function actingTable(table: PolicyTable): PolicyTable {
  const { byzantine } = table.detectors ?? {}
  const trust = { ...byzantine, half_life: TRUST_HALF_LIFE_MS }
  return {
    command_ttl: MINUTE_MS,
    ...table,
    mode: 'enforce',
    dry_run: false,
    detectors: { ...table.detectors, byzantine: trust },
  }
}

function pace(
  name: keyof PolicyTable,
  unit: Setting['unit'],
  low: number,
  high: number,
  now: Knob['now'],
): Knob {
  return { key: `policy.${name}`, low, high, scale: scaleOf(unit), unit, now }
}

function limit(detector: Configurable, setting: string, low: number, high: number): Knob {
  const { unit } = detector.settings[setting]
  const key = `policy.detectors.${tomlName(detector.name)}.${tomlName(setting)}`
  const now = ({ detectors }: Policy) => valuesOf(detector, detectors)[setting]
  return { key, low, high, scale: scaleOf(unit), unit, now }
}

/** Lengths of time and plain sizes are spread over their orders of magnitude. */
function scaleOf(unit: Setting['unit']): Knob['scale'] {
  return unit === 'ratio' || unit === 'count' ? 'linear' : 'logarithmic'
}
