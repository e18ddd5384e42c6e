/**
 * A steady load with a ledger: telemetry of every node that lives, and nodes that join with a
 * workload, live a while and fail. Each failure must give one fence and one recover command.
 */
import type { Bus, LogRecord, Output, Reader } from '../../../src/core/bus.ts'
import type { NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import { KIND, logBody } from '../../../src/core/log.ts'
import type { Capacity, NodeEvent } from '../../../src/core/node.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import { type InputTopic, topicName, type Topology } from '../../../src/core/topics.ts'
import type { Placement } from '../../../src/core/workload.ts'
import type { InstantFleet } from '../instant-fleet.ts'
import { poolsOf } from '../deployment.ts'

const BEAT_MS = 200
/** Each node is sampled at every fifth beat: once a second. */
const BEATS_PER_ROUND = 5
const TARGETS_PER_POOL = 2
const TAKE_WAIT_MS = 200
const AMPLE = { cpu: 1_000_000, memoryBytes: 1_000_000 }
/** What is about to fail must be no target, or a workload would be recovered again and again. */
const NONE = { cpu: 0, memoryBytes: 0 }

interface Mortal {
  readonly node: NodeId
  readonly workload: WorkloadId
  readonly pool: PoolId
  joined: boolean
  placed: boolean
}

export class Load {
  /** `node@time` of every sample sent. */
  readonly samples = new Set<string>()
  /** Workload of each node that was made to fail. */
  readonly failed = new Map<NodeId, WorkloadId>()
  readonly #bus: Bus
  readonly #topology: Topology
  readonly #fleet: InstantFleet
  readonly #pools: readonly PoolId[]
  readonly #alive: NodeId[] = []
  readonly #waiting = new Map<string, Mortal>()
  #reader: Reader | null = null
  #running: Promise<unknown> = Promise.resolve()
  #stopped = false
  #beat = 0
  #mortals = 0

  constructor(bus: Bus, topology: Topology, fleet: InstantFleet) {
    this.#bus = bus
    this.#topology = topology
    this.#fleet = fleet
    this.#pools = poolsOf(topology)
  }

  async start(): Promise<void> {
    const targets = this.#pools.flatMap((pool) =>
      Array.from({ length: TARGETS_PER_POOL }, (_, i) => ({
        node: `${pool}-target-${i}` as NodeId,
        pool,
      })),
    )
    await this.#bus.produce(targets.map(({ node, pool }) => this.#join(node, pool, AMPLE)))
    this.#alive.push(...targets.map(({ node }) => node))
    const topic = topicName(this.#topology, 'pool-log')
    const reader = await this.#bus.read({ topic, from: 'start' })
    this.#reader = reader
    this.#running = Promise.all([this.#beats(), this.#watch(reader)])
  }

  /** Every workload of a failed node runs elsewhere. */
  get settled(): boolean {
    return [...this.failed.values()].every((workload) => this.#fleet.recovered.has(workload))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#reader?.close()
    await this.#running
  }

  /** At a steady pace, whatever the service is going through. */
  async #beats(): Promise<void> {
    let dueMs = performance.now()
    while (!this.#stopped) {
      const outputs = this.#alive
        .filter((_, i) => i % BEATS_PER_ROUND === this.#beat % BEATS_PER_ROUND)
        .map((node) => this.#sample(node))
      if (this.#beat % BEATS_PER_ROUND === 0) outputs.push(...this.#birth())
      this.#beat++
      await this.#bus.produce(outputs)
      dueMs = Math.max(dueMs + BEAT_MS, performance.now())
      await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()))
    }
  }

  /** A node fails only once the coordinator knows it and its workload, or there is nothing to recover. */
  async #watch(reader: Reader): Promise<void> {
    while (!this.#stopped) {
      for (const record of await reader.take(TAKE_WAIT_MS)) {
        const mortal = this.#noted(record)
        if (mortal === undefined || !mortal.joined || !mortal.placed) continue
        this.#waiting.delete(mortal.node)
        this.#waiting.delete(mortal.workload)
        this.#alive.splice(this.#alive.indexOf(mortal.node), 1)
        this.failed.set(mortal.node, mortal.workload)
        const failure = { kind: 'failure', node: mortal.node, at: Date.now(), failureKind: 'power' }
        await this.#bus.produce([this.#public('events', mortal.node, failure)])
      }
    }
  }

  #noted(record: LogRecord): Mortal | undefined {
    const kind = record.headers[KIND]
    if (kind === 'placement') {
      const mortal = this.#waiting.get(logBody<Placement>(record).workload)
      if (mortal !== undefined) mortal.placed = true
      return mortal
    }
    if (kind !== 'node-fact') return undefined
    const event = logBody<NodeEvent>(record)
    const mortal = event.kind === 'join' ? this.#waiting.get(event.node) : undefined
    if (mortal !== undefined) mortal.joined = true
    return mortal
  }

  #birth(): readonly Output[] {
    const i = this.#mortals++
    const pool = this.#pools[i % this.#pools.length]
    const node = `mortal-${i}` as NodeId
    const workload = `workload-${i}` as WorkloadId
    const mortal: Mortal = { node, workload, pool, joined: false, placed: false }
    this.#waiting.set(node, mortal).set(workload, mortal)
    this.#alive.push(node)
    const placement: Placement = {
      workload,
      node,
      pool,
      priority: 'NORMAL',
      needs: { cpu: 1, memoryBytes: 1, gpu: null },
      stateBytes: 0,
      dependsOn: [],
    }
    this.#fleet.place(placement)
    return [this.#join(node, pool, NONE), this.#public('placements', workload, placement)]
  }

  #join(node: NodeId, pool: PoolId, capacity: Pick<Capacity, 'cpu' | 'memoryBytes'>): Output {
    return this.#public('events', node, { kind: 'join', node, pool, capacity })
  }

  /** One sample of a node in a millisecond, so that node and time name it. */
  #sample(node: NodeId): Output {
    const at = Date.now()
    this.samples.add(`${node}@${at}`)
    const metrics = { cpu_utilization: (this.#beat % 100) / 100 }
    return this.#public('telemetry', node, { node, at, metrics })
  }

  #public(name: InputTopic, key: string, body: unknown): Output {
    const { nodePartitions } = this.#topology
    const topic = topicName(this.#topology, name)
    const partition = partitionOf(key, nodePartitions)
    return { topic, partition, key, value: JSON.stringify(body) }
  }
}
