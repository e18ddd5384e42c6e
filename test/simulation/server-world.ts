/**
 * A few servers with a workload each and executors that do at once what they are told, on virtual
 * time, in front of one or more processes of the whole service. One seed gives one course.
 */
import { placementOutput, resultOutput } from '../../src/agent/report.ts'
import type { SimulatedBroker } from '../../src/bus/simulated/simulated-bus.ts'
import { type BrokerFaults, createSimulatedBus } from '../../src/bus/simulated/simulated-bus.ts'
import type { Bus, Output, Reader } from '../../src/core/bus.ts'
import { toText } from '../../src/core/bytes.ts'
import type { Command, JournalEntry, ResultState } from '../../src/core/command.ts'
import type { NodeId, PoolId, WorkloadId } from '../../src/core/ids.ts'
import type { NodeClass } from '../../src/core/node.ts'
import { partitionOf } from '../../src/core/partition.ts'
import { DEFAULT_POLICY } from '../../src/core/policy.ts'
import { type TopicName, topicName, topicSpecs, type Topology } from '../../src/core/topics.ts'
import type { Placement } from '../../src/core/workload.ts'
import { SERVER } from '../support/history/parity-classes.ts'
import { startSimulatedRoles } from '../support/history/simulated-roles.ts'
import { metric } from '../support/node-class.ts'

const START_MS = 1_763_600_000_000
const SECOND_MS = 1_000
const POOL = 'web' as PoolId
const BEATING: NodeClass = { ...SERVER, metrics: [metric('load')], heartbeatIntervalMs: 5_000 }
const CLASSES = new Map([[BEATING.name, BEATING]])
const DONE: readonly ResultState[] = ['accepted', 'started', 'succeeded', 'verified']

export interface ServerWorldOptions {
  readonly seed: number
  readonly faults?: BrokerFaults
  readonly nodeCount?: number
  readonly partitions?: number
}

export class ServerWorld {
  readonly broker: SimulatedBroker
  readonly topology: Topology
  /** Every command as its topic shows it, in order; one that was sent twice is here twice. */
  readonly commands: Command[] = []
  readonly journal: JournalEntry[] = []
  /** Folds that gave up. */
  readonly failures: string[] = []
  /** How the service's commits ended. */
  readonly outcomes = new Map<string, number>()
  readonly #bus: Bus
  readonly #nodes: readonly NodeId[]
  readonly #dead = new Set<string>()
  #readers: readonly Reader[] = []
  #journal: Reader | null = null

  constructor({ seed, faults = {}, nodeCount = 12, partitions = 3 }: ServerWorldOptions) {
    this.broker = createSimulatedBus({ seed, faults, startMs: START_MS })
    this.topology = {
      prefix: 'world.',
      nodePartitions: partitions,
      poolPartitions: 2,
      clock: 'arrival',
      retentionMs: 86_400_000,
    }
    this.#bus = this.broker.open('world')
    this.#nodes = Array.from({ length: nodeCount }, (_, n) => `n${n}` as NodeId)
  }

  async begin(): Promise<void> {
    await this.#bus.create(topicSpecs(this.topology))
    const read = (name: TopicName) =>
      this.#bus.read({ topic: topicName(this.topology, name), from: 'start' })
    this.#readers = [await read('commands.migration'), await read('commands.recovery')]
    this.#journal = await read('journal')
    void this.#bus.produce(
      this.#nodes.flatMap((node, n) => [this.#join(node), this.#place(n, node)]),
    )
  }

  /** A process of the whole service. */
  async start(name: string): Promise<void> {
    await startSimulatedRoles({
      bus: this.broker.open(name),
      topology: this.topology,
      nodeClasses: CLASSES,
      policy: { ...DEFAULT_POLICY, mode: 'enforce' },
      events: {
        committed: (_, outcome) => this.#count(outcome),
        trouble: (role, _, error) => void this.failures.push(`${role}: ${error.message}`),
        bug: (role, _, error) => void this.failures.push(`${role}: ${String(error)}`),
      },
    })
  }

  /** It sends nothing any more. */
  silence(node: string): void {
    this.#dead.add(node)
  }

  async seconds(count: number): Promise<void> {
    for (let second = 0; second < count; second++) {
      const nowMs = this.broker.clock.nowMs()
      const due = this.#nodes.filter((node, n) => {
        return !this.#dead.has(node) && Math.floor(nowMs / SECOND_MS) % 5 === n % 5
      })
      const samples = due.map((node) =>
        this.#keyed('telemetry', node, { node, at: nowMs, metrics: { load: 1 } }),
      )
      void this.#bus.produce([...samples, ...(await this.#carryOut(nowMs))])
      await this.broker.clock.advance(SECOND_MS)
    }
    for (const { value } of await this.#journal!.take(0)) {
      this.journal.push(JSON.parse(toText(value!)) as JournalEntry)
    }
  }

  async #carryOut(nowMs: number): Promise<readonly Output[]> {
    const records = (await Promise.all(this.#readers.map((reader) => reader.take(0)))).flat()
    const reporter = { topology: this.topology, source: '/world' }
    return records.flatMap(({ value }) => {
      const command = JSON.parse(toText(value!)) as Command
      const isNew = !this.commands.some(({ commandId }) => commandId === command.commandId)
      this.commands.push(command)
      if (!isNew) return []
      const results = DONE.map((state) => resultOutput(reporter, command, state, null, nowMs))
      if (command.workload === null || command.target === null) return results
      const number = this.#nodes.indexOf(command.workload.replace('w', 'n') as NodeId)
      return [...results.slice(0, 2), this.#place(number, command.target), ...results.slice(2)]
    })
  }

  #count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  #join(node: NodeId): Output {
    const capacity = { cpu: 16, memoryBytes: 64e9, gpu: null }
    const at = this.broker.clock.nowMs()
    return this.#keyed('events', node, { kind: 'join', node, at, pool: POOL, labels: {}, capacity })
  }

  #place(number: number, node: NodeId): Output {
    const placement: Placement = {
      workload: `w${number}` as WorkloadId,
      node,
      pool: POOL,
      priority: 'NORMAL',
      needs: { cpu: 1, memoryBytes: 1e9, gpu: null },
      stateBytes: 0,
      dependsOn: [],
    }
    const nowMs = this.broker.clock.nowMs()
    const reporter = { topology: this.topology, source: '/world' }
    return placementOutput(reporter, placement, `w${number}/${nowMs}`, nowMs)
  }

  #keyed(name: TopicName, node: NodeId, body: object): Output {
    return {
      topic: topicName(this.topology, name),
      partition: partitionOf(node, this.topology.nodePartitions),
      key: node,
      value: JSON.stringify(body),
    }
  }
}
