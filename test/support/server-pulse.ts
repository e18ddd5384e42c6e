/** A few servers in front of a service in real time: they join, beat until told to be silent, and that is all. */
import type { Bus, Output } from '../../src/core/bus.ts'
import type { NodeId, PoolId, WorkloadId } from '../../src/core/ids.ts'
import type { Capacity } from '../../src/core/node.ts'
import { partitionOf } from '../../src/core/partition.ts'
import { type InputTopic, topicName, type Topology } from '../../src/core/topics.ts'
import type { Placement } from '../../src/core/workload.ts'

const BEAT_MS = 200
const POOL = 'web' as PoolId
export type ServerCapacity = Pick<Capacity, 'cpu' | 'memoryBytes'>

const CAPACITY: ServerCapacity = { cpu: 16, memoryBytes: 64e9 }

export class ServerPulse {
  /** Rounds in which every living server has sent a sample. */
  rounds = 0
  readonly #bus: Bus
  readonly #topology: Topology
  readonly #alive: Set<NodeId>
  readonly #hot = new Set<NodeId>()
  readonly #capacityOf: (node: string) => ServerCapacity
  #beating: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(
    bus: Bus,
    topology: Topology,
    nodes: readonly string[],
    capacityOf: (node: string) => ServerCapacity = () => CAPACITY,
  ) {
    this.#bus = bus
    this.#capacityOf = capacityOf
    this.#topology = topology
    this.#alive = new Set(nodes as readonly NodeId[])
  }

  /** Each server `n` joins with a workload `n-work`; the placements are returned for its executors. */
  async start(): Promise<readonly Placement[]> {
    const nodes = [...this.#alive]
    const placements = nodes.map((node) => placementOn(node))
    const join = (node: NodeId) => {
      return { kind: 'join', node, pool: POOL, capacity: this.#capacityOf(node) }
    }
    await this.#bus.produce([
      ...nodes.map((node) => this.#public('events', node, join(node))),
      ...placements.map((placement) => this.#public('placements', placement.workload, placement)),
    ])
    this.#beating = this.#beat()
    return placements
  }

  silence(node: string): void {
    this.#alive.delete(node as NodeId)
  }

  /** Its processor is as busy as can be, until it is cooled. */
  heat(node: string): void {
    this.#hot.add(node as NodeId)
  }

  cool(node: string): void {
    this.#hot.delete(node as NodeId)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#beating
  }

  async #beat(): Promise<void> {
    while (!this.#stopped) {
      const at = Date.now()
      await this.#bus.produce(
        [...this.#alive].map((node) => {
          const cpu = this.#hot.has(node) ? 1 : 0.5
          return this.#public('telemetry', node, { node, at, metrics: { cpu_utilization: cpu } })
        }),
      )
      this.rounds++
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS))
    }
  }

  #public(name: InputTopic, key: string, body: unknown): Output {
    return publicOutput(this.#topology, name, key, body)
  }
}

export function placementOn(node: NodeId): Placement {
  return {
    workload: `${node}-work` as WorkloadId,
    node,
    pool: POOL,
    priority: 'NORMAL',
    needs: { cpu: 1, memoryBytes: 1e9, gpu: null },
    stateBytes: 0,
    dependsOn: [],
  }
}

/** What a producer in any language would send: JSON, keyed. */
export function publicOutput(
  topology: Topology,
  name: InputTopic,
  key: string,
  body: unknown,
): Output {
  return {
    topic: topicName(topology, name),
    partition: partitionOf(key, topology.nodePartitions),
    key,
    value: JSON.stringify(body),
  }
}
