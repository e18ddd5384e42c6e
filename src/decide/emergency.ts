/**
 * When a pool is in an emergency, and when it is over.
 *
 *     CALM ── more than `enterRatio` fail, or a person says so ──▶ STANDING
 *       ▲                                                             │
 *       └─ at most `leaveRatio` for `leaveAfterMs`, or a person says so
 *
 * What a person declared only a person ends. What a person ended does not begin again by itself before
 * the pool has been below `leaveRatio` once.
 */
import type { EmergencyRules } from '../core/emergency.ts'
import { formatDuration } from '../core/time.ts'
import { lasting, percent } from './explain.ts'

/** Nodes of a pool, and those of them that are silent, have failed or are in a critical state. */
export interface FailingCount {
  readonly nodeCount: number
  readonly failingCount: number
  /** False while some nodes are out of our sight: nothing is known to be over then. */
  readonly certain: boolean
}

export interface Emergency {
  readonly sinceMs: number
  /** Who declared it and why; null where it was counted. */
  readonly said: string | null
  /** Since when so few fail that it may end; null while more do. */
  readonly calmSinceMs: number | null
}

export interface EmergencyState {
  readonly standing: Emergency | null
  /** A person ended one that was counted: the same nodes do not begin another. */
  readonly dismissed: boolean
}

export const CALM: EmergencyState = { standing: null, dismissed: false }

/** What follows from the count at a time; the same object where nothing changes. */
export function countEmergency(
  state: EmergencyState,
  count: FailingCount,
  rules: EmergencyRules,
  nowMs: number,
): EmergencyState {
  const { standing, dismissed } = state
  const { nodeCount, failingCount, certain } = count
  const isFew = certain && failingCount <= rules.leaveRatio * nodeCount
  if (standing === null) {
    if (dismissed) return isFew ? CALM : state
    const isMany = failingCount >= rules.nodesMin && failingCount > rules.enterRatio * nodeCount
    if (!isMany) return state
    return { standing: { sinceMs: nowMs, said: null, calmSinceMs: null }, dismissed: false }
  }
  if (standing.said !== null) return state
  if (!isFew) {
    return standing.calmSinceMs === null ? state : calmSince(standing, null)
  }
  if (standing.calmSinceMs === null) return calmSince(standing, nowMs)
  return nowMs - standing.calmSinceMs >= rules.leaveAfterMs ? CALM : state
}

/** A person's word. One that is declared again keeps its beginning. */
export function declareEmergency(
  { standing }: EmergencyState,
  said: string | null,
  nowMs: number,
): EmergencyState {
  if (said === null) return { standing: null, dismissed: standing !== null }
  const sinceMs = standing?.sinceMs ?? nowMs
  return { standing: { sinceMs, said, calmSinceMs: null }, dismissed: false }
}

/** Why preemptive work waits. */
export function emergencyReason(
  { said, sinceMs }: Emergency,
  { nodeCount, failingCount }: FailingCount,
  { enterRatio, leaveRatio, leaveAfterMs }: EmergencyRules,
  nowMs: number,
): string {
  const share = `${failingCount} of ${nodeCount} nodes are failing`
  if (said !== null) return `the pool is in an emergency, declared by a person: ${said}; ${share}`
  const since = lasting(nowMs - sinceMs)
  const end = `it ends at ${percent(leaveRatio)} or less for ${formatDuration(leaveAfterMs)}`
  return `the pool has been in an emergency for ${since}: ${share} (limit ${percent(enterRatio)}); ${end}`
}

function calmSince(standing: Emergency, calmSinceMs: number | null): EmergencyState {
  return { standing: { ...standing, calmSinceMs }, dismissed: false }
}
