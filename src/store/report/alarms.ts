/** Alarms held against the failures that came: which of them were true, and how early they were. */
import type { NodeId, PoolId } from '../../core/ids.ts'
import type { Failure } from './node-lives.ts'

/** Somebody says, or some rule, that a node is about to fail. */
export interface Alarm {
  readonly node: NodeId
  readonly pool: PoolId
  readonly beganAtMs: number
  /** When it was taken back; null while it stands. */
  readonly endedAtMs: number | null
}

export interface Judged {
  readonly alarms: number
  readonly trueAlarms: number
  readonly falseAlarms: number
  /** Too young to say: their time is not over. */
  readonly pendingAlarms: number
  /** How long before each failure the first alarm of it began, ms. */
  readonly leadMs: ReadonlyMap<Failure, number>
}

export type Verdict = 'true' | 'false' | 'pending'

/**
 * An alarm is true if the node fails within the horizon after its beginning, or while it stands; false
 * once the horizon is over. Where none is known (0) it is false once it was taken back.
 */
export function judgeAlarms(
  alarms: Iterable<Alarm>,
  failures: ReadonlyMap<NodeId, readonly Failure[]>,
  horizonMs: number,
  nowMs: number,
): Judged {
  const counts = { true: 0, false: 0, pending: 0 }
  const leadMs = new Map<Failure, number>()
  for (const alarm of alarms) {
    const failure = failureAfter(alarm, failures, horizonMs)
    counts[verdictOf(alarm, failure, horizonMs, nowMs)]++
    if (failure === undefined) continue
    leadMs.set(failure, Math.max(failure.atMs - alarm.beganAtMs, leadMs.get(failure) ?? 0))
  }
  return {
    alarms: counts.true + counts.false + counts.pending,
    trueAlarms: counts.true,
    falseAlarms: counts.false,
    pendingAlarms: counts.pending,
    leadMs,
  }
}

/** The failure that an alarm foresaw. */
export function failureAfter(
  { node, beganAtMs, endedAtMs }: Alarm,
  failures: ReadonlyMap<NodeId, readonly Failure[]>,
  horizonMs: number,
): Failure | undefined {
  const untilMs = Math.max(beganAtMs + horizonMs, endedAtMs ?? Infinity)
  return failures.get(node)?.find(({ atMs }) => atMs > beganAtMs && atMs <= untilMs)
}

export function verdictOf(
  { beganAtMs, endedAtMs }: Alarm,
  failure: Failure | undefined,
  horizonMs: number,
  nowMs: number,
): Verdict {
  if (failure !== undefined) return 'true'
  const isOver = horizonMs > 0 ? beganAtMs + horizonMs <= nowMs : endedAtMs !== null
  return isOver ? 'false' : 'pending'
}
