/**
 * Resynchronisation after a network partition: what a node holds against what the log says, block by block.
 *
 *     coordinator ── digest of the block ──▶ agent ── its own digest ──▶ the same: verified
 *          ▲                                                             another: the block is sent with
 *          └────────────── digest, and placements the log lacks ◀─────── what differs, and asked again
 *
 * A block is the workloads of one node whose names fall into it, so it needs no memory on either side.
 */
import type { LogRecord, Output } from './bus.ts'
import type { NodeId, PoolId, WorkloadId } from './ids.ts'
import { partitionOf } from './partition.ts'
import type { VersionVector } from './version-vector.ts'
import type { Placement } from './workload.ts'

/** Workloads of a block, in the mean. */
const BLOCK_WORKLOADS = 64
/** Blocks of a node; those of one that runs more are larger. */
export const NODE_BLOCKS_MAX = 1_024
/** Workloads that an agent names of one block: sixteen times as many as there should be. */
export const HOLDS_MAX = 1_024
export const RESYNC_ID_CHARS_MAX = 512

/** A workload as one side has it on the node; null: nobody counts its versions. */
export interface Hold {
  readonly workload: WorkloadId
  readonly versions: VersionVector | null
}

/** A workload as the log has it, wherever that is; null: the log has never heard of it. */
export interface LogEntry {
  readonly workload: WorkloadId
  readonly placement: Placement | null
}

/** Body of a record in topic `resync`, under the key of the node; signed like a command. */
export interface ResyncBlock {
  readonly resync: string
  readonly pool: PoolId
  readonly node: NodeId
  /** As in commands: of the owner that sent it. */
  readonly epoch: number
  /** From 0 to `blocks` - 1. */
  readonly block: number
  readonly blocks: number
  /** SHA-256 over `holdingText` of what the log has on the node, hex. */
  readonly digest: string
  /** What differs, as far as it is known; null where only digests are to be compared. */
  readonly entries: readonly LogEntry[] | null
  readonly atMs: number
  /** It is not to be answered from then on, ms. */
  readonly expiresAtMs: number
}

/** The agent's side of it: what it knows of the workloads of its node, held against what the log says. */
export interface ResyncAgent {
  /** The newest that it knows of a workload. */
  note(placement: Placement): void
  /** A record of topic `resync`: what it answers, and what the log should know. */
  take(record: LogRecord, nowMs: number): readonly Output[]
}

/** How far a pool's resynchronisation is; the counts are blocks. */
export interface ResyncFigures {
  readonly running: boolean
  readonly blockCount: number
  readonly verifiedCount: number
  /** Of those verified: something differed first. */
  readonly repairedCount: number
  /** Given up: nobody answered, or what differs stayed. */
  readonly unverifiedCount: number
}

/** How many blocks a node has that runs so many workloads; one at least, it may hold what nobody knows of. */
export function blockCount(workloadCount: number): number {
  const count = Math.ceil(workloadCount / BLOCK_WORKLOADS)
  return Math.min(NODE_BLOCKS_MAX, Math.max(1, count))
}

/** The block of a workload, from its name alone. */
export function blockOf(workload: WorkloadId, blocks: number): number {
  return blocks === 1 ? 0 : partitionOf(workload, blocks)
}

/** Equal where both sides hold the same workloads at the same versions, in whatever order they are given. */
export function holdingText(holds: readonly Hold[]): string {
  const lines = holds.map(({ workload, versions }) => JSON.stringify([workload, sorted(versions)]))
  return lines.sort().join('\n')
}

function sorted(versions: VersionVector | null): unknown {
  if (versions === null) return null
  return Object.entries(versions).sort(([a], [b]) => (a < b ? -1 : 1))
}
