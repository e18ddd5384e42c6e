/** Metrics of what runs in this process: partitions, queues, intake and shards, read at each scrape. */
import type { Counter, Gauge, Registry } from 'prom-client'
import type { BusHealth, LeaseBuffer } from '../core/bus.ts'
import type { RailFigures } from '../core/rail-figures.ts'
import type { ShardFigures } from '../core/shard.ts'
import type { WaitingFigures } from '../core/waiting.ts'
import { counterOf, gaugeOf, setTotal } from './instruments.ts'
import { WaitingMetrics } from './waiting-metrics.ts'

export interface RoleFigures {
  readonly role: string
  readonly partition: number
  /**
   * Counters and sizes of the fold; watchers count samples in `sampleCount`, and `DETECTOR/FIGURE` is
   * of a detector.
   */
  readonly stats: Readonly<Record<string, number>>
  /** Committed records not yet taken; null where it is not known. */
  readonly lagRecords: number | null
  readonly buffer: LeaseBuffer
  /** Outputs that wait for the next transaction. */
  readonly pendingOutputs: number
}

export interface LiveSources {
  /** The partitions that this process owns. */
  readonly roles: () => readonly RoleFigures[]
  /** Pools with shards whose coordinator runs here. */
  readonly shards: () => readonly ShardFigures[]
  /** Pools whose coordinator runs here. */
  readonly rails: () => readonly RailFigures[]
  readonly waiting: () => readonly WaitingFigures[]
  /** What ingest has read here, by full topic name. */
  readonly intake: () => ReadonlyMap<
    string,
    { readonly recordCount: number; readonly byteCount: number }
  >
  readonly bus: () => BusHealth
}

type PartitionGauge = Gauge<'role' | 'partition'>
type PoolGauge = Gauge<'pool'>

export class LiveMetrics {
  readonly #prefix: string
  readonly #sources: LiveSources
  readonly #samples: Counter
  readonly #records: Counter<'topic'>
  readonly #bytes: Counter<'topic'>
  readonly #partitions: Readonly<Record<keyof ReturnType<typeof partitionFigures>, PartitionGauge>>
  readonly #fold: Gauge<'role' | 'partition' | 'figure'>
  readonly #detectors: Gauge<'detector' | 'figure' | 'partition'>
  readonly #pools: Readonly<Record<keyof ReturnType<typeof poolFigures>, PoolGauge>>
  readonly #rails: Readonly<Record<keyof ReturnType<typeof fullness>, PoolGauge>>
  readonly #refused: Gauge<'pool' | 'rail'>
  readonly #resync: Gauge<'pool' | 'state'>
  readonly #perNode: Gauge<'pool' | 'stat'>
  readonly #moves: Counter<'pool' | 'reason'>
  readonly #waiting: WaitingMetrics
  readonly #connected: Gauge
  readonly #reconnects: Counter
  readonly #stuck: Gauge

  constructor(registry: Registry, prefix: string, sources: LiveSources) {
    this.#prefix = prefix
    this.#sources = sources
    const counter = <Label extends string>(name: string, help: string, ...labels: Label[]) =>
      counterOf(registry, `foreshock_${name}`, help, ...labels)
    const gauge = <Label extends string>(name: string, help: string, ...labels: Label[]) =>
      gaugeOf(registry, `foreshock_${name}`, help, ...labels)
    const partition = (name: string, help: string) => gauge(name, help, 'role', 'partition')
    const pool = (name: string, help: string) => gauge(name, help, 'pool')
    this.#samples = counter('samples_total', 'Samples folded by watchers')
    this.#records = counter('ingest_records_total', 'Public records read by ingest', 'topic')
    this.#bytes = counter('ingest_bytes_total', 'Bytes of keys and values read by ingest', 'topic')
    this.#partitions = {
      lag: partition('lag_records', 'Committed records not yet taken'),
      bufferBytes: partition('buffer_bytes', 'Bytes fetched and not yet taken'),
      bufferLimit: partition('buffer_limit_bytes', 'Bytes at which fetching pauses'),
      paused: partition('partition_paused', '1 while a full buffer holds up fetching'),
      pending: partition('pending_outputs', 'Outputs that wait for the next transaction'),
    }
    this.#fold = gauge('fold', 'Counters and sizes of a fold', 'role', 'partition', 'figure')
    this.#detectors = gauge(
      'detector',
      'Counters and sizes of a detector, of the pools of a partition',
      'detector',
      'figure',
      'partition',
    )
    this.#pools = {
      shards: pool('shards', 'Shards of the pool'),
      loadRatio: pool('shard_load_ratio', 'Largest load of a node over its fair share'),
      loadBound: pool('shard_load_bound', 'Load over the fair share that a node may take'),
      overBound: pool('nodes_over_bound', 'Nodes that hold more than they may take'),
      withoutOwner: pool('shards_without_owner', 'Shards that no node owns'),
      unplaced: pool('shard_replicas_unplaced', 'Replicas for which no node has room'),
      deferred: pool('shard_moves_deferred', 'Moves that the budget of moves put off'),
      waiting: pool('shard_nodes_waiting', 'Nodes whose change the map does not follow yet'),
    }
    this.#rails = {
      budget: pool('budget_nodes', 'Nodes in repair before a failure'),
      budgetMax: pool('budget_nodes_max', 'Nodes that may be in repair before a failure'),
      zone: pool('zone_alarming_ratio', 'Largest share of a zone that alarms at once'),
      zoneMax: pool('zone_alarming_ratio_max', 'Share from which preemptive work there waits'),
      inFlight: pool('commands_in_flight', 'Commands sent and not over'),
      stopped: pool('pool_stopped', '1 while the pool is stopped'),
      emergency: pool('pool_emergency', '1 while the pool is in an emergency'),
      failing: pool('pool_failing_ratio', 'Share of nodes that fail or are critical'),
      quorum: pool('pool_quorum', '0 while no side of a split network goes on'),
      paused: pool('pool_paused_nodes', 'Nodes that a split network keeps from work'),
      failingMax: pool('pool_failing_ratio_max', 'Share over which that is an emergency'),
    }
    this.#refused = gauge('rail_refused', 'Incidents that a rail refuses now', 'pool', 'rail')
    this.#resync = gauge(
      'resync_blocks',
      'Blocks of the last resynchronisation after a split network',
      'pool',
      'state',
    )
    this.#perNode = gauge('shards_per_node', 'Replicas on a node', 'pool', 'stat')
    this.#moves = counter('shard_moves_total', 'Replicas moved between nodes', 'pool', 'reason')
    this.#waiting = new WaitingMetrics(registry)
    this.#connected = gauge('bus_connected', '1 while the bus is connected')
    this.#reconnects = counter('bus_reconnects_total', 'Connections made anew')
    this.#stuck = gauge('bus_stuck_leases', 'Leases that make no progress')
  }

  read(): void {
    this.#readBus(this.#sources.bus())
    this.#readRoles(this.#sources.roles())
    this.#readIntake()
    this.#readShards(this.#sources.shards())
    this.#readRails(this.#sources.rails())
    this.#waiting.read(this.#sources.waiting())
  }

  #readBus(health: BusHealth): void {
    this.#connected.set(health.connected ? 1 : 0)
    this.#stuck.set(health.stuckLeaseCount)
    setTotal(this.#reconnects, health.reconnectCount)
  }

  /** Partitions that moved to another process must not stay behind as old figures. */
  #readRoles(roles: readonly RoleFigures[]): void {
    for (const gauge of Object.values(this.#partitions)) gauge.reset()
    this.#fold.reset()
    this.#detectors.reset()
    let sampleCount = 0
    for (const figures of roles) {
      const { role, partition, stats } = figures
      for (const [name, value] of entriesOf(partitionFigures(figures))) {
        if (value !== null) this.#partitions[name].set({ role, partition }, value)
      }
      for (const [figure, value] of Object.entries(stats)) {
        const [detector, own] = figure.split('/')
        if (own === undefined) this.#fold.set({ role, partition, figure }, value)
        else this.#detectors.set({ detector, figure: own, partition }, value)
      }
      if (role === 'watcher') sampleCount += stats['sampleCount'] ?? 0
    }
    setTotal(this.#samples, sampleCount)
  }

  #readIntake(): void {
    this.#records.reset()
    this.#bytes.reset()
    for (const [name, { recordCount, byteCount }] of this.#sources.intake()) {
      const topic = name.slice(this.#prefix.length)
      this.#records.inc({ topic }, recordCount)
      this.#bytes.inc({ topic }, byteCount)
    }
  }

  #readRails(pools: readonly RailFigures[]): void {
    for (const gauge of [...Object.values(this.#rails), this.#refused, this.#resync]) {
      gauge.reset()
    }
    for (const figures of pools) {
      const { pool, refused } = figures
      for (const [name, value] of entriesOf(fullness(figures))) {
        this.#rails[name].set({ pool }, value)
      }
      for (const [rail, count] of refused) this.#refused.set({ pool, rail }, count)
      for (const [state, count] of Object.entries(blocksOf(figures))) {
        this.#resync.set({ pool, state }, count)
      }
    }
  }

  #readShards(pools: readonly ShardFigures[]): void {
    for (const gauge of [...Object.values(this.#pools), this.#perNode]) gauge.reset()
    this.#moves.reset()
    for (const figures of pools) {
      const { pool, perNodeMax, perNodeMean, perNodeMin, moves } = figures
      for (const [name, value] of entriesOf(poolFigures(figures))) {
        this.#pools[name].set({ pool }, value)
      }
      this.#perNode.set({ pool, stat: 'max' }, perNodeMax)
      this.#perNode.set({ pool, stat: 'mean' }, perNodeMean)
      this.#perNode.set({ pool, stat: 'min' }, perNodeMin)
      for (const [reason, count] of Object.entries(moves)) this.#moves.inc({ pool, reason }, count)
    }
  }
}

function partitionFigures({ lagRecords, buffer, pendingOutputs }: RoleFigures) {
  return {
    lag: lagRecords,
    bufferBytes: buffer.bytes,
    bufferLimit: buffer.bytesMax,
    paused: buffer.paused ? 1 : 0,
    pending: pendingOutputs,
  }
}

function poolFigures(figures: ShardFigures) {
  return {
    shards: figures.shardCount,
    loadRatio: figures.loadRatioMax,
    loadBound: figures.boundRatio,
    overBound: figures.nodesOverBound,
    withoutOwner: figures.withoutOwner,
    unplaced: figures.unplaced,
    deferred: figures.deferred,
    waiting: figures.waitingNodes,
  }
}

function fullness(figures: RailFigures) {
  return {
    budget: figures.budgetNodes,
    budgetMax: figures.budgetNodesMax,
    zone: figures.zoneAlarmingRatio,
    zoneMax: figures.zoneAlarmingRatioMax,
    inFlight: figures.commandsInFlight,
    stopped: figures.stopped ? 1 : 0,
    emergency: figures.emergency ? 1 : 0,
    failing: figures.failingRatio,
    failingMax: figures.failingRatioMax,
    quorum: figures.hasQuorum ? 1 : 0,
    paused: figures.pausedNodes,
  }
}

/** By where they stand; what was mended is verified as well. Nothing where no network was split. */
function blocksOf({ resync }: RailFigures): Readonly<Record<string, number>> {
  if (resync === null) return {}
  const { blockCount, verifiedCount: verified, repairedCount, unverifiedCount: unverified } = resync
  const open = blockCount - verified - unverified
  return { open, verified, repaired: repairedCount, unverified }
}

function entriesOf<Key extends string, Value>(
  figures: Readonly<Record<Key, Value>>,
): readonly (readonly [Key, Value])[] {
  return Object.entries(figures) as [Key, Value][]
}
