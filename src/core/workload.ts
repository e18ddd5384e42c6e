/** Workloads: what is placed on nodes and moved away from them. */
import type { NodeId, PoolId, WorkloadId } from './ids.ts'
import type { Gpu } from './node.ts'
import type { VersionVector } from './version-vector.ts'

export type Priority = 'CRITICAL' | 'HIGH' | 'NORMAL' | 'LOW'

/** 0 is the most urgent. */
export const PRIORITY_RANK: Readonly<Record<Priority, number>> = {
  CRITICAL: 0,
  HIGH: 1,
  NORMAL: 2,
  LOW: 3,
}

export interface Needs {
  readonly cpu: number
  readonly memoryBytes: number
  readonly gpu: Gpu | null
}

/** The executors' truth: keyed by workload, published by them, never written by the service. */
export interface Placement {
  readonly workload: WorkloadId
  /** `null`: it runs nowhere. */
  readonly node: NodeId | null
  readonly pool: PoolId
  readonly priority: Priority
  readonly needs: Needs
  readonly stateBytes: number
  readonly dependsOn: readonly WorkloadId[]
  /** Workloads of one group do the same: they are kept in different zones and on different nodes. */
  readonly group?: string
  /** How often each executor has placed it, as far as this one knows; without it the newest record holds. */
  readonly versions?: VersionVector
  /** Where executors keep a second copy warm that runs nothing until it is promoted; none when absent. */
  readonly standby?: NodeId | null
}
