/** Work that waits for room, as people see it. */
import type { IncidentId, NodeId, PoolId, WorkloadId } from './ids.ts'
import type { Needs, Priority } from './workload.ts'

/** One workload that waits. */
export interface WaitingWorkload {
  readonly workload: WorkloadId
  /** That it has to leave. */
  readonly node: NodeId
  readonly incidentId: IncidentId
  readonly priority: Priority
  readonly needs: Needs
  readonly sinceMs: number
  /** Why it has no room, as of when it last asked. */
  readonly why: string
}

/** The queue of one pool. Counts and times are since the log began. */
export interface WaitingFigures {
  readonly pool: PoolId
  readonly counts: Readonly<Record<Priority, number>>
  readonly countMax: number
  /** How long the one has waited that waits longest now; 0 where none does. */
  readonly oldestMs: number
  readonly enteredCount: number
  /** Those that got room. */
  readonly placedCount: number
  /** Those that a full queue had no place for. */
  readonly putOffCount: number
  /** Of those that got room: all of it, and the longest. */
  readonly waitedMs: number
  readonly waitedMsMax: number
}

/** The queue of one pool, whole: who is served first comes first. */
export interface WaitingQueueView extends WaitingFigures {
  readonly waiting: readonly WaitingWorkload[]
}
