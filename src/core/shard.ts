/**
 * Shards: the hash-placed units of a pool, each with an owner and, where asked for, replicas. A key
 * belongs to a shard for ever; which node owns the shard is in the compacted topic `assignments`.
 */
import type { NodeId, PoolId } from './ids.ts'
import { ringHash } from './ring.ts'

/** Shards of one pool at most: what a ring of 16 replicas of each still holds. */
export const SHARDS_MAX = 1 << 20

/** How a pool's shards are placed. */
export interface ShardRules {
  readonly shardCount: number
  /** Nodes of one shard, its owner included; they are spread over zones. */
  readonly replicaCount: number
  /** No node takes more than this share of its fair load. */
  readonly boundRatio: number
  /** Replicas that leave a healthy node at once; null: no limit. Shards without a node never wait. */
  readonly movesMax: number | null
}

/** Why a shard has other nodes than before. */
export const SHARD_REASONS = [
  'first-placement',
  'node-failed',
  'node-fenced',
  'node-left',
  'node-joined',
  'node-changed',
  'load-bound',
] as const
export type ShardReason = (typeof SHARD_REASONS)[number]

/** Body of a record in `assignments`, whose key is `shardKey`. */
export interface Assignment {
  readonly pool: PoolId
  readonly shard: number
  /** Of the pool: a key needs it to find its shard. */
  readonly shardCount: number
  /** `null`: no node can take it. */
  readonly owner: NodeId | null
  /** Others that hold it, the next owner first. */
  readonly replicas: readonly NodeId[]
  /** Of the coordinator, as in commands. */
  readonly epoch: number
  /** Offset of the pool-log record that it was published for: it rises with every change of the map. */
  readonly version: number
  readonly previousOwner: NodeId | null
  readonly reason: ShardReason
  readonly atMs: number
}

export function shardKey(pool: string, shard: number): string {
  return `${pool}/${shard}`
}

/** The shard of a key: the upper half of the ring's hash, scaled to the number of shards. */
export function shardOf(key: Uint8Array, shardCount: number): number {
  return Number(((ringHash(key) >> 32n) * BigInt(shardCount)) >> 32n)
}

/** A pool's shards as its coordinator has them: figures for metrics. */
export interface ShardFigures {
  readonly pool: PoolId
  readonly shardCount: number
  /** Nodes that take shards. */
  readonly nodeCount: number
  /** Replicas on one of them. */
  readonly perNodeMax: number
  readonly perNodeMean: number
  readonly perNodeMin: number
  /** Largest load of a node over its fair share, by weight. */
  readonly loadRatioMax: number
  readonly boundRatio: number
  readonly nodesOverBound: number
  readonly withoutOwner: number
  /** Replicas for which no node has room. */
  readonly unplaced: number
  /** Moves that `movesMax` put off. */
  readonly deferred: number
  /** Nodes whose change waits for mode `enforce`, or does not fit on the ring. */
  readonly waitingNodes: number
  /** Replicas moved since the log began. */
  readonly moves: Readonly<Partial<Record<ShardReason, number>>>
}
