/**
 * A simulated world: machines, executors, networks and operators around one or more processes of the
 * real service, on one virtual clock. Time goes from event to event: where nothing happens, nothing runs.
 */
import { createSimulatedBus, type SimulatedBroker } from '../bus/simulated/simulated-bus.ts'
import type { Bus, Output } from '../core/bus.ts'
import type { PoolId, WorkloadId } from '../core/ids.ts'
import type { PromotionRules } from '../core/model-life.ts'
import type { Policy } from '../core/policy.ts'
import { topicSpecs, type Topology } from '../core/topics.ts'
import { placementOutput } from '../agent/report.ts'
import { budgetNodesMax, RAILS, type RailCheck } from '../decide/admission.ts'
import { createInventory, type Inventory } from '../fleet/inventory.ts'
import { Random } from '../fleet/random.ts'
import { withStandbys } from '../fleet/standbys.ts'
import { Auditor } from './auditor.ts'
import { withDependencies } from './dependencies.ts'
import type { Faults } from './fault-file.ts'
import { RECOVERED_MS_MAX } from './measures.ts'
import { Machines } from './machines.ts'
import { Processes } from './processes.ts'
import { Publisher } from './publisher.ts'
import { drawSchedule } from './schedule.ts'
import { simulatedClass, Telemetry } from './telemetry.ts'
import { Troubles } from './troubles.ts'
import { Witnesses } from './witnesses.ts'
import { Workforce } from './workforce.ts'

/** Between the samples of a node, unless told otherwise. */
export const HEARTBEAT_MS = 5_000
const START_MS = 1_763_600_000_000
const SECOND_MS = 1_000
/** Everybody has joined and the service is up before the first fault. */
const WARM_UP_MS = 30_000
/** The auditor looks so often; more than a record may be on its way. */
const LOOK_MS = 5_000
const LOOKS_PER_SIZE_CHECK = 12
/** Records that coordinators have not read yet, also while one takes over from another. */
const UNANSWERED_PER_NODE_MAX = 100
const UNANSWERED_MIN = 10_000
/** A fault that stands is one of a node or of what two of its nodes see. */
const STANDING_PER_NODE_MAX = 10
/** After the last fault everything must be well again within this. */
const SETTLE_MS = 45 * 60_000
const SETTLE_MS_MIN = 3 * 60_000
const BEATS_PER_RECORD = 250
const NODES_MAX_MIN = 1_024

export interface WorldOptions {
  readonly seed: number
  readonly nodeCount: number
  readonly lengthMs: number
  readonly faults: Faults
  readonly kernel: WebAssembly.Module
  readonly policy: Policy
  /** Those of the service where it is left out. */
  readonly promotion?: PromotionRules
  readonly heartbeatIntervalMs?: number
  readonly partitions?: number
  readonly processCount?: number
  readonly repairHours?: readonly number[]
  /** Tests take something away, to show that nothing else holds what it holds. */
  readonly without?: Partial<Mechanisms>
}

export interface Mechanisms {
  readonly rails: readonly RailCheck[]
  readonly preconditions: boolean
  /** Placements say what workloads depend on; the auditor knows it without them. */
  readonly dependencies: boolean
  /** Of the broker: owners that were replaced can write no more. */
  readonly fencing: boolean
  /** What the coordinators say, as it goes out. */
  readonly tamper: (outputs: readonly Output[]) => readonly Output[]
}

export interface Violation {
  readonly atMs: number
  readonly what: string
}

/** Violations that are kept; the run ends at the first look that finds one. */
const VIOLATIONS_MAX = 20

export class World {
  readonly violations: Violation[] = []
  harmedOfBudget = 0
  /** Node-milliseconds: as many nodes as were harmed at each look, until the next. */
  harmedNodeMs = 0
  readonly broker: SimulatedBroker
  readonly machines: Machines
  readonly auditor: Auditor
  readonly workforce: Workforce
  readonly processes: Processes
  readonly telemetry: Telemetry
  readonly troubles: Troubles
  readonly dependsOn: ReadonlyMap<WorkloadId, readonly WorkloadId[]>
  readonly #witnesses: Witnesses
  readonly #options: WorldOptions
  readonly #bus: Bus
  readonly #topology: Topology
  readonly #inventory: Inventory
  readonly #publisher: Publisher
  #phase = 0
  #lookCount = 0

  constructor(options: WorldOptions) {
    const { seed, nodeCount, faults, policy, kernel, without = {} } = options
    const partitions = options.partitions ?? 2
    this.#options = options
    this.#topology = {
      prefix: 'simulated.',
      nodePartitions: partitions,
      poolPartitions: partitions,
      clock: 'arrival',
      retentionMs: 30 * 86_400_000,
    }
    this.broker = createSimulatedBus({
      seed,
      startMs: START_MS,
      faults: brokerFaults(seed, faults, without.fencing ?? true),
    })
    this.#bus = this.broker.open('world')
    const { clock } = this.broker
    const nowMs = () => clock.nowMs()
    const after = (ms: number, callback: () => void) => void clock.after(ms, callback)
    const broken = (what: string) => this.broken(what)
    const nodeClass = simulatedClass(options.heartbeatIntervalMs ?? HEARTBEAT_MS)
    const bare = createInventory(seed, nodeCount)
    const { nodes } = bare
    const placements = withStandbys(seed, bare)
    const dependent = withDependencies(seed, placements)
    this.#inventory = { nodes, placements: (without.dependencies ?? true) ? dependent : placements }
    this.machines = new Machines(this.#inventory, { nowMs, broken })
    this.#publisher = new Publisher(this.#topology, nodeClass)
    const bus = this.#bus
    const topology = this.#topology
    this.telemetry = new Telemetry({
      seed,
      topology,
      nodeClass,
      machines: this.machines.all,
      records: faults.records,
    })
    this.dependsOn = new Map(dependent.map((each) => [each.workload, each.dependsOn]))
    const { dependsOn } = this
    const { machines } = this
    const publisher = this.#publisher
    this.#witnesses = new Witnesses({ seed, faults, machines, bus, publisher, nowMs, after })
    this.auditor = new Auditor({ bus, topology, policy, dependsOn, broken })
    this.processes = new Processes({
      broker: this.broker,
      topology,
      kernel,
      nodeClass,
      nodesMax: Math.max(NODES_MAX_MIN, 2 * nodeCount),
      policy,
      rails: without.rails ?? RAILS,
      ...(without.tamper === undefined ? {} : { tamper: without.tamper }),
      ...(options.promotion === undefined ? {} : { promotion: options.promotion }),
      broken,
    })
    this.workforce = new Workforce({
      seed,
      topology,
      bus,
      machines: this.machines,
      faults,
      preconditions: without.preconditions ?? true,
      nowMs,
      after,
      fence: (machine) => this.troubles.fence(machine),
      restart: {
        begin: (machine) => this.troubles.restart(machine),
        end: (machine) => this.troubles.restarted(machine),
      },
      commanded: () => this.troubles.commanded(),
    })
    this.troubles = new Troubles({
      seed,
      faults,
      bus,
      machines: this.machines,
      publisher: this.#publisher,
      workforce: this.workforce,
      processes: this.processes,
      broker: this.broker,
      nowMs,
      after,
    })
  }

  get nowMs(): number {
    return this.broker.clock.nowMs() - START_MS
  }

  broken(what: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push({ atMs: this.nowMs, what })
  }

  /** Everybody is there, and nothing has gone wrong yet. */
  async begin(): Promise<void> {
    const { processCount = 2 } = this.#options
    await this.#bus.create(topicSpecs(this.#topology))
    await this.auditor.start()
    await this.workforce.start()
    for (let i = 0; i < processCount; i++) await this.processes.start()
    const nowMs = this.broker.clock.nowMs()
    const reporter = { topology: this.#topology, source: '/world' }
    void this.#bus.produce([
      ...this.#inventory.nodes.map((spec) => this.#publisher.join(spec, nowMs)),
      ...this.#inventory.placements.map((placement) =>
        placementOutput(reporter, placement, `${placement.workload}/first`, nowMs),
      ),
    ])
    this.#beat()
    this.#witnesses.start()
    await this.run(this.#options.faults.warm_up ?? WARM_UP_MS)
    this.#schedule()
  }

  /** Lets so much time pass; it ends early at a broken promise. */
  async run(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms
    while (this.nowMs < untilMs && this.violations.length === 0) {
      await this.#pass(Math.min(LOOK_MS, untilMs - this.nowMs))
    }
  }

  /** No more faults: what was begun must end, and everybody must come back. */
  async settle(): Promise<void> {
    this.broker.setFaults({})
    this.workforce.calm()
    this.troubles.calm()
    const beganAtMs = this.nowMs
    while (this.nowMs < beganAtMs + SETTLE_MS && this.violations.length === 0) {
      await this.#pass(LOOK_MS)
      if (this.nowMs > beganAtMs + SETTLE_MS_MIN && this.#unsettled().length === 0) return
    }
    for (const what of this.#unsettled()) this.broken(what)
  }

  /** What is not as it should be when all is over. */
  #unsettled(): readonly string[] {
    const problems: string[] = []
    for (const { node } of this.machines.all) {
      const { id } = node.spec
      if (!node.up) problems.push(`node ${id} is still down`)
      else if (node.cordoned) problems.push(`healthy node ${id} is not let back: it stays cordoned`)
    }
    for (const { workload, node } of this.machines.lost()) {
      problems.push(`workload ${workload} of node ${node} is lost: it runs nowhere`)
    }
    for (const [id, { nodes, closedAtMs }] of this.auditor.incidents) {
      const whose = [...nodes].join(', ')
      if (closedAtMs === null) problems.push(`incident ${id} of node ${whose} does not end`)
    }
    for (const id of this.auditor.openPlans)
      problems.push(`the plan of incident ${id} does not end`)
    const { openCount } = this.auditor
    if (openCount > 0) problems.push(`${openCount} commands do not end`)
    const coordinators = this.processes.coordinators()
    if (coordinators.size < this.#topology.poolPartitions) problems.push('a pool has no owner')
    for (const [partition, figures] of coordinators) {
      const { openIncidentCount = 0, inFlightCount = 0 } = figures
      if (openIncidentCount > 0)
        problems.push(`coordinator ${partition} holds ${openIncidentCount} open incidents`)
      if (inFlightCount > 0)
        problems.push(`coordinator ${partition} holds ${inFlightCount} commands in flight`)
    }
    return problems
  }

  async #pass(ms: number): Promise<void> {
    await this.broker.clock.advance(ms)
    await this.auditor.look()
    // Counting what is held costs more than a look at a quiet world.
    if (this.#lookCount++ % LOOKS_PER_SIZE_CHECK === 0) this.#checkSizes()
    this.#countHarmed(ms)
    this.machines.noteRoom(RECOVERED_MS_MAX)
  }

  /** Nodes that are well and get no work because of us. */
  #countHarmed(ms: number): void {
    const held = this.machines.all.filter(({ node }) => node.cordoned && node.up)
    if (held.length === 0) return
    const harmed = new Map<PoolId, number>()
    const faulty = this.troubles.faulty()
    for (const { node, wear } of held) {
      const { pool, id } = node.spec
      if (wear === null && !faulty.has(id)) harmed.set(pool, (harmed.get(pool) ?? 0) + 1)
    }
    for (const [pool, count] of harmed) {
      this.harmedNodeMs += count * ms
      const nodeCount = this.machines.all.filter(({ node }) => node.spec.pool === pool).length
      const share = count / budgetNodesMax(this.#options.policy, nodeCount)
      this.harmedOfBudget = Math.max(this.harmedOfBudget, share)
    }
  }

  /** No state grows without bound. */
  #checkSizes(): void {
    const nodeMax = this.machines.all.length
    const { unansweredCount } = this.auditor
    if (unansweredCount > UNANSWERED_PER_NODE_MAX * nodeMax + UNANSWERED_MIN) {
      this.broken(`${unansweredCount} records of the pool-log are not answered`)
    }
    const workloadMax = this.machines.cluster.workloadCount
    for (const [partition, figures] of this.processes.coordinators()) {
      const { nodeCount = 0, openIncidentCount = 0, inFlightCount = 0, workloadCount = 0 } = figures
      const { openObservedCount = 0, vouchedCount = 0 } = figures
      const standing = Object.entries(figures).reduce((most, [name, count]) => {
        return name.endsWith('/standing') ? Math.max(most, count) : most
      }, 0)
      const bounds = [
        ['nodes', nodeCount, nodeMax],
        ['workloads', workloadCount, workloadMax],
        ['open incidents', openIncidentCount, 2 * nodeMax],
        ['incidents that are told only', openObservedCount, 2 * nodeMax],
        ['nodes that vouch for themselves', vouchedCount, nodeMax],
        ['faults of one detector', standing, STANDING_PER_NODE_MAX * nodeMax],
        ['commands in flight', inFlightCount, 2 * (nodeMax + workloadMax)],
      ] as const
      for (const [what, count, max] of bounds) {
        if (count > max) this.broken(`coordinator ${partition} holds ${count} ${what} of ${max}`)
      }
    }
  }

  #schedule(): void {
    const { seed, lengthMs, faults, repairHours } = this.#options
    const happenings = drawSchedule({
      seed,
      nodes: this.#inventory.nodes,
      executorCount: this.#topology.nodePartitions,
      lengthMs,
      faults,
      ...(repairHours === undefined ? {} : { repairHours }),
    })
    for (const happening of happenings) {
      this.broker.clock.after(happening.atMs, () => this.troubles.happen(happening))
    }
  }

  /** Machines take turns, so that their samples come spread over the interval, many to a record. */
  #beat(): void {
    const { nodeCount, heartbeatIntervalMs = HEARTBEAT_MS } = this.#options
    const seconds = Math.floor(heartbeatIntervalMs / SECOND_MS)
    const phases = Math.max(1, Math.min(seconds, Math.ceil(nodeCount / BEATS_PER_RECORD)))
    const outputs = this.telemetry.beat(this.#phase, phases, this.broker.clock.nowMs())
    this.#phase = (this.#phase + 1) % phases
    if (outputs.length > 0) void this.#bus.produce(outputs)
    this.broker.clock.after(heartbeatIntervalMs / phases, () => this.#beat())
  }
}

function brokerFaults(seed: number, { broker, service }: Faults, fencing: boolean) {
  const random = new Random(seed, 'faults/broker')
  const rebalances = service === undefined ? 0 : random.between(service.group_rebalances_per_hour)
  return {
    ...(broker === undefined
      ? {}
      : {
          ackDelayMsMax: Math.round(random.between(broker.ack)),
          deliveryDelayMsMax: Math.round(random.between(broker.delivery)),
          commitAbortedRatio: random.between(broker.aborted),
          commitUnknownRatio: random.between(broker.unknown),
        }),
    ...(rebalances === 0 ? {} : { rebalanceEveryMs: Math.round(3_600_000 / rebalances) }),
    ...(fencing ? {} : { unfenced: true }),
  }
}
