/**
 * The network between the fleet's nodes, as its agents see it: what each reaches of the next nodes of its
 * pool, and splits. At times one row of a pool is cut off from the rest: its telemetry and reports still come
 * out, but no command and no block goes in, and its own scheduler goes on moving work that nobody is told of.
 */
import type { ReachabilityReport } from '../core/evidence.ts'
import type { NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import type { Cluster, ClusterNode } from './cluster.ts'
import { grouped } from './inventory.ts'
import { Random } from './random.ts'

const MINUTE_MS = 60_000
/** From the end of a split, or from the beginning, to the next one. */
const GAP_MS = [20 * MINUTE_MS, 90 * MINUTE_MS] as const
const SPLIT_MS = [3 * MINUTE_MS, 6 * MINUTE_MS] as const
/** Of the pool's nodes: fewer are no side of a network, and more would be the majority. */
const ROW_RATIO_MIN = 0.2
const ROW_RATIO_MAX = 0.4
const ROW_NODES_MIN = 3
/** Between two moves of a cut-off row's own scheduler, in the mean. */
const LOCAL_MOVE_MS = 25_000
/** Nodes looked at in search of a target. */
const TRIES_MAX = 8
/** The next ones of its pool, in a ring, each of which it probes this often. */
const PEERS = 8
const REPORT_MS = 15_000
/** There and back, ms: within a zone, within a region, and beyond. */
const ROUND_TRIP_MS = [0.3, 1.4, 95] as const

export interface NetworkOptions {
  readonly seed: number
  readonly cluster: Cluster
  readonly startMs: number
  readonly stepMs: number
  /** Work that is on its way is left alone. */
  readonly isMoving: (workload: WorkloadId) => boolean
}

export interface NetworkCounts {
  readonly splits: number
  /** By the scheduler of a row that was cut off. */
  readonly localMoves: number
}

interface Split {
  readonly row: ReadonlySet<ClusterNode>
  readonly endMs: number
  nextMoveAtMs: number
}

export class FleetNetwork {
  readonly #options: NetworkOptions
  readonly #random: Random
  readonly #probes: Random
  readonly #pools: ReadonlyMap<PoolId, readonly ClusterNode[]>
  #nextSplitAtMs: number
  #split: Split | null = null
  #splitCount = 0
  #localMoveCount = 0

  constructor(options: NetworkOptions) {
    const { seed, cluster, startMs } = options
    this.#options = options
    this.#random = new Random(seed, 'network')
    this.#probes = new Random(seed, 'network/probes')
    this.#pools = grouped(cluster.nodes, ({ spec }) => spec.pool)
    this.#nextSplitAtMs = startMs + this.#random.between(GAP_MS)
  }

  counts(): NetworkCounts {
    return { splits: this.#splitCount, localMoves: this.#localMoveCount }
  }

  /** Nothing gets in to it. */
  isApart(node: ClusterNode): boolean {
    return this.#split?.row.has(node) === true
  }

  reaches(from: ClusterNode, to: ClusterNode): boolean {
    return this.isApart(from) === this.isApart(to)
  }

  /** Splits begin and end, and what is cut off moves its own work. Times must not go back. */
  step(nowMs: number): void {
    const split = this.#split
    if (split !== null && nowMs >= split.endMs) {
      this.#split = null
      this.#nextSplitAtMs = nowMs + this.#random.between(GAP_MS)
    } else if (split !== null) this.#moveWithin(split, nowMs)
    else if (nowMs >= this.#nextSplitAtMs) this.#begin(nowMs)
  }

  /** What the nodes whose turn it is have seen of their peers. */
  reports(nowMs: number): readonly ReachabilityReport[] {
    const turns = Math.max(1, Math.round(REPORT_MS / this.#options.stepMs))
    const turn = Math.round(nowMs / this.#options.stepMs) % turns
    const reports: ReachabilityReport[] = []
    for (const [pool, ring] of this.#pools) {
      for (const [index, node] of ring.entries()) {
        if (!node.up || index % turns !== turn) continue
        const count = Math.min(PEERS, ring.length - 1)
        const peers = Array.from({ length: count }, (_, i) => ring[(index + 1 + i) % ring.length])
        reports.push(this.#reportOf(pool, node, peers, nowMs))
      }
    }
    return reports
  }

  #reportOf(
    pool: PoolId,
    node: ClusterNode,
    peers: readonly ClusterNode[],
    atMs: number,
  ): ReachabilityReport {
    const reached = peers.filter((peer) => peer.up && this.reaches(node, peer))
    const unreachable = peers.filter((peer) => !reached.includes(peer)).map(idOf)
    return {
      kind: 'reachability',
      pool,
      node: node.spec.id,
      atMs,
      reachable: reached.map(idOf),
      unreachable,
      latenciesMs: reached.map((peer) => {
        const ms = roundTripMs(node, peer) * this.#probes.between([0.9, 1.3])
        return Math.round(1_000 * ms) / 1_000
      }),
    }
  }

  /** A fleet that is too small for a row has no splits. */
  #begin(nowMs: number): void {
    this.#nextSplitAtMs = nowMs + this.#random.between(GAP_MS)
    const rows = [...this.#pools.values()].flatMap((pool) => rowsOf(pool))
    if (rows.length === 0) return
    this.#splitCount++
    this.#split = {
      row: new Set(this.#random.pick(rows)),
      endMs: nowMs + this.#random.between(SPLIT_MS),
      nextMoveAtMs: nowMs + this.#random.exponential(LOCAL_MOVE_MS),
    }
  }

  #moveWithin(split: Split, nowMs: number): void {
    const { cluster, isMoving } = this.#options
    const row = [...split.row].filter(({ up }) => up)
    while (split.nextMoveAtMs <= nowMs) {
      split.nextMoveAtMs += this.#random.exponential(LOCAL_MOVE_MS)
      const from = row.filter(({ workloads }) => workloads.size > 0)
      if (from.length === 0) continue
      const workload = this.#random.pick([...this.#random.pick(from).workloads])
      if (isMoving(workload)) continue
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const target = this.#random.pick(row)
        if (target.workloads.has(workload)) continue
        if (cluster.obstacle(workload, target) !== null) continue
        cluster.move(workload, target)
        this.#localMoveCount++
        break
      }
    }
  }
}

/** Nodes of one zone, as many as are less than the rest of the pool. */
function rowsOf(pool: readonly ClusterNode[]): readonly (readonly ClusterNode[])[] {
  const most = Math.floor(ROW_RATIO_MAX * pool.length)
  const least = Math.max(ROW_NODES_MIN, ROW_RATIO_MIN * pool.length)
  const zones = grouped(pool, ({ spec }) => spec.place.zone)
  return [...zones.values()].map((zone) => zone.slice(0, most)).filter((row) => row.length >= least)
}

function roundTripMs({ spec: { place: a } }: ClusterNode, { spec: { place: b } }: ClusterNode) {
  if (a.zone === b.zone) return ROUND_TRIP_MS[0]
  return a.region === b.region ? ROUND_TRIP_MS[1] : ROUND_TRIP_MS[2]
}

function idOf({ spec }: ClusterNode): NodeId {
  return spec.id
}
