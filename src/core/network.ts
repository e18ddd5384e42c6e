/** What is known of a pool's network: its state, who is cut off, and what happened before. */
import type { NodeId, PoolId } from './ids.ts'

export type NetworkState = 'NORMAL' | 'PARTITIONED' | 'RECOVERING' | 'UNDER_ATTACK'

/** One network partition, from the first sign to the end of its recovery. */
export interface PartitionEpisode {
  readonly beganAtMs: number
  /** When it had lasted long enough to be told. */
  readonly toldAtMs: number
  readonly mergedAtMs: number | null
  readonly endedAtMs: number | null
  /** Nodes on each side, the largest first; islands are left out. */
  readonly sides: readonly number[]
  readonly hasMajority: boolean
}

/** One attack, or what looked like one. */
export interface AttackEpisode {
  readonly detector: string
  readonly subject: string
  readonly beganAtMs: number
  readonly endedAtMs: number | null
  readonly confidenceRatio: number
}

/** State, history and statistics of one pool's network; newest episodes last. */
export interface NetworkFigures {
  readonly pool: PoolId
  readonly state: NetworkState
  readonly hasMajority: boolean
  readonly partitions: readonly PartitionEpisode[]
  readonly partitionCount: number
  /** Of partitions that are over. */
  readonly partitionedMs: number
  readonly longestPartitionMs: number
  readonly attacks: readonly AttackEpisode[]
  /** By detector, since the log began. */
  readonly attackCounts: Readonly<Record<string, number>>
}

export interface NetworkView {
  readonly state: Exclude<NetworkState, 'UNDER_ATTACK'>
  /** Another number whenever state or sides have changed. */
  readonly version: number
  /** Of a partition that is not over: more than half of the nodes are on one side. */
  readonly hasMajority: boolean
  /** Whether the node is on a side without majority, of a partition that is not over. */
  isCutOff(node: NodeId): boolean
  /** Nodes of each side while the network is split, the largest first; islands are left out. */
  readonly sides: readonly (readonly NodeId[])[]
  /** Since when the sides are these. */
  readonly sidesSinceMs: number
  /** Nodes that have reported or are reached, on a side or not. */
  readonly nodeCount: number
  /** Newest last. */
  readonly episodes: readonly PartitionEpisode[]
  readonly partitionCount: number
  readonly partitionedMs: number
  readonly longestPartitionMs: number
}
