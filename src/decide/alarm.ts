/**
 * The alarm of one node: raised after enough assessments in a row at or over the acting point,
 * cleared only below acting point × hysteresis, so that it does not flutter around the point.
 */
import type { Policy } from '../core/policy.ts'

export interface Alarm {
  readonly raised: boolean
  /** Assessments in a row at or over the acting point, counted up to the policy's need. */
  readonly overCount: number
}

export const QUIET: Alarm = { raised: false, overCount: 0 }

export type AlarmPolicy = Pick<Policy, 'hysteresisRatio' | 'persistenceCount'>

export function nextAlarm(
  alarm: Alarm,
  probability: number,
  actingPoint: number,
  { hysteresisRatio, persistenceCount }: AlarmPolicy,
): Alarm {
  if (probability >= actingPoint) {
    const overCount = Math.min(alarm.overCount + 1, Math.max(1, persistenceCount))
    return { raised: alarm.raised || overCount >= persistenceCount, overCount }
  }
  if (alarm.raised && probability >= actingPoint * hysteresisRatio)
    return { ...alarm, overCount: 0 }
  return QUIET
}
