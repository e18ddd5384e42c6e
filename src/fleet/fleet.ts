/**
 * The demonstration fleet: nodes that send telemetry, carry workloads, fail and are repaired.
 *
 * A pure world: the same seed, the same times and the same commands give the same outputs, byte for
 * byte. It speaks only the public topics and does not know who listens. Time is the caller's: one
 * `step` per heartbeat interval (5 s) of fleet time, at any speed.
 */
import type { LogRecord, Output } from '../core/bus.ts'
import { assert } from '../core/errors.ts'
import type { CommandExecutor, ExecutorHooks } from '../core/executor.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { FailureEvent, JoinEvent } from '../core/node.ts'
import type { Topology } from '../core/topics.ts'
import type { ResyncAgent } from '../core/resync.ts'
import type { Placement } from '../core/workload.ts'
import { Hands } from './actions.ts'
import { FleetAgents } from './agents.ts'
import type { ClusterNode } from './cluster.ts'
import { Cluster } from './cluster.ts'
import { createInventory, type Inventory } from './inventory.ts'
import type { FailureSetName } from './kinds.ts'
import { NodeLife } from './life.ts'
import { FleetNetwork, type NetworkCounts } from './network.ts'
import { Random } from './random.ts'
import { FleetRecords, NODE_CLASS } from './records.ts'
import { Routine } from './routine.ts'
import type { Reading } from './signals.ts'
import { NodeSignals } from './signals.ts'
import { withStandbys } from './standbys.ts'
import type { Truth } from './truth.ts'
import { TruthLedger } from './truth.ts'

/** Fleet time between steps: the heartbeat interval of the node class `server`. */
export const STEP_MS = 5_000
/** The failure of a node is confirmed (and published) so long after it; silence shows it earlier. */
const CONFIRM_MS = 60_000
/** A node that was fenced without having failed comes back after this. */
const FENCED_MS = 300_000
/** One sample in so many gets lost on its way. */
const LOST_CHANCE = 0.001

export type FleetEvent = JoinEvent | FailureEvent

export interface FleetOptions {
  readonly seed: number
  readonly nodeCount: number
  readonly topology: Topology
  readonly startMs: number
  /** Default `training`. */
  readonly failures?: FailureSetName
  /** Times the accelerated rate of repair.ts; default 1. */
  readonly failureRateFactor?: number
  /** Moves by the operators' own scheduler (routine.ts); default 0. */
  readonly routineMovesPerNodeHour?: number
  /** Who carries out commands through the fleet's hooks; absent: commands are ignored. */
  readonly createExecutor?: (hooks: ExecutorHooks) => CommandExecutor
  /** Critical workloads are kept warm on a second node; default false. */
  readonly standbys?: boolean
  /** The agent of each node; absent: nodes tell nothing of each other, and their network is never split. */
  readonly createAgent?: (node: NodeId) => ResyncAgent
}

/** What the network did to the fleet, and how many blocks its agents answered. */
export interface NetworkTruth extends NetworkCounts {
  readonly blocksAnswered: number
}

/** One thing that a node did, before it is put into a record. */
export interface Observation {
  readonly node: ClusterNode
  readonly atMs: number
  readonly reading: Reading
}

interface Member {
  readonly node: ClusterNode
  readonly life: NodeLife
  readonly signals: NodeSignals
  readonly losses: Random
  backAtMs: number | null
  /** A restart has taken it down and will bring it up. */
  isRestarting: boolean
  /** The confirmation that is still to be published. */
  unconfirmed: FailureEvent | null
}

export class Fleet {
  private readonly options: FleetOptions
  private readonly cluster: Cluster
  private readonly truthLedger = new TruthLedger()
  private readonly executor: CommandExecutor | null
  private readonly routine: Routine | null
  private readonly network: FleetNetwork | null
  private readonly agents: FleetAgents | null
  private readonly records: FleetRecords
  private readonly members: readonly Member[]
  private readonly memberOf = new Map<ClusterNode, Member>()
  private nowMs: number
  private begun = false

  constructor(options: FleetOptions) {
    this.options = options
    const { seed, startMs } = options
    this.nowMs = startMs
    this.records = new FleetRecords(options.topology)
    this.cluster = new Cluster(inventoryOf(options), (placement, before) => {
      this.agents?.note(placement, before)
    })
    this.members = this.cluster.nodes.map((node) => this.createMember(node, startMs))
    for (const member of this.members) this.memberOf.set(member.node, member)
    const moves = options.routineMovesPerNodeHour ?? 0
    this.routine = moves > 0 ? new Routine(seed, this.cluster, moves, startMs) : null
    const hands = new Hands({
      seed,
      cluster: this.cluster,
      truth: this.truthLedger,
      powerOff: (node, nowMs) => this.powerOff(node, nowMs),
      restart: {
        begin: (node, at) => this.beginRestart(node, at),
        end: (node, luck, at) => this.endRestart(node, luck, at),
      },
      reaches: (from, to) => this.network?.reaches(from, to) ?? true,
    })
    const { createAgent } = options
    const { cluster } = this
    const isMoving = (workload: WorkloadId) => hands.isMoving(workload)
    const network = { seed, cluster, startMs, stepMs: STEP_MS, isMoving }
    this.network = createAgent === undefined ? null : new FleetNetwork(network)
    this.agents =
      createAgent === undefined || this.network === null
        ? null
        : new FleetAgents({ cluster, network: this.network, createAgent })
    this.executor = options.createExecutor?.(hands) ?? null
  }

  /** Everything that happened up to `nowMs`, in order, and one sample of each node at `nowMs`. */
  step(nowMs: number): readonly Output[] {
    const outputs: Output[] = []
    const isFirst = !this.begun
    for (const event of this.pass(nowMs)) outputs.push(this.records.event(event))
    if (isFirst) {
      for (const placement of this.cluster.allPlacements()) {
        outputs.push(this.records.placement(placement, nowMs))
      }
    }
    for (const placement of this.moveRoutinely(nowMs)) {
      outputs.push(this.records.placement(placement, nowMs))
    }
    this.network?.step(nowMs)
    if (this.agents !== null) outputs.push(...this.carryOut(this.agents.released(), nowMs))
    if (this.executor !== null) outputs.push(...this.executor.advance(nowMs))
    for (const report of this.network?.reports(nowMs) ?? [])
      outputs.push(this.records.evidence(report))
    outputs.push(...this.records.telemetry(this.observe(nowMs)))
    return outputs
  }

  /** Records of the command topics, as they come. */
  handle(records: readonly LogRecord[], nowMs: number): readonly Output[] {
    return this.carryOut(this.agents?.reached(records) ?? records, nowMs)
  }

  /** A record of topic `resync`, as it comes. */
  answer(record: LogRecord, nowMs: number): readonly Output[] {
    return this.agents?.take(record, nowMs) ?? []
  }

  private carryOut(records: readonly LogRecord[], nowMs: number): readonly Output[] {
    const { executor } = this
    return executor === null ? [] : records.flatMap((record) => executor.take(record, nowMs))
  }

  /** What really happened so far; the service never sees it. */
  truth(): Truth {
    return {
      nodeCount: this.members.length,
      workloadCount: this.cluster.workloadCount,
      downNodeCount: this.members.filter(({ node }) => !node.up).length,
      failures: [...this.truthLedger.failures],
      counts: { ...this.truthLedger.counts },
    }
  }

  networkTruth(): NetworkTruth {
    const { splits, localMoves } = this.network?.counts() ?? { splits: 0, localMoves: 0 }
    return { splits, localMoves, blocksAnswered: this.agents?.answerCount ?? 0 }
  }

  placements(): readonly Placement[] {
    return [...this.cluster.allPlacements()]
  }

  /** Why a workload could not go to a node just now, or null when it could. */
  obstacle(workload: WorkloadId, target: NodeId): string | null {
    const node = this.cluster.node(target)
    return node === undefined ? `node ${target} is unknown` : this.cluster.obstacle(workload, node)
  }

  /** Failures that have happened and are not published yet. */
  unconfirmed(): readonly FailureEvent[] {
    return this.members.flatMap(({ unconfirmed }) => unconfirmed ?? [])
  }

  upNodes(): readonly NodeId[] {
    return this.cluster.nodes.filter(({ up }) => up).map(({ spec }) => spec.id)
  }

  /** Failures and repairs up to `nowMs`; the events that become known in that time. */
  pass(nowMs: number): readonly FleetEvent[] {
    assert(nowMs >= this.nowMs, 'the fleet never goes back in time')
    const events: FleetEvent[] = []
    if (!this.begun) for (const member of this.members) events.push(joinEvent(member, nowMs))
    this.begun = true
    this.nowMs = nowMs
    for (const member of this.members) {
      if (member.node.up && member.life.failure.atMs <= nowMs) this.fail(member)
      const { unconfirmed } = member
      if (unconfirmed !== null && unconfirmed.atMs + CONFIRM_MS <= nowMs) {
        events.push(unconfirmed)
        member.unconfirmed = null
      }
      if (member.backAtMs !== null && member.backAtMs <= nowMs) {
        events.push(this.repair(member, nowMs))
      }
    }
    this.truthLedger.expire(nowMs)
    return events
  }

  moveRoutinely(nowMs: number): readonly Placement[] {
    return this.routine?.step(nowMs) ?? []
  }

  /** One reading of each node that is up. */
  observe(nowMs: number): readonly Observation[] {
    const observations: Observation[] = []
    for (const { node, life, signals, losses } of this.members) {
      if (!node.up) continue
      const reading = signals.read(node.demand, life.driversAt(nowMs), nowMs)
      if (!losses.chance(LOST_CHANCE)) observations.push({ node, atMs: nowMs, reading })
    }
    return observations
  }

  private createMember(node: ClusterNode, nowMs: number): Member {
    const { seed } = this.options
    const { index, capacity } = node.spec
    return {
      node,
      life: new NodeLife(
        {
          seed,
          index,
          hasGpu: capacity.gpu !== null,
          failures: this.options.failures ?? 'training',
          failureRateFactor: this.options.failureRateFactor ?? 1,
        },
        nowMs,
      ),
      signals: new NodeSignals(seed, node.spec),
      losses: new Random(seed, `node/${index}/losses`),
      backAtMs: null,
      isRestarting: false,
      unconfirmed: null,
    }
  }

  private fail(member: Member): void {
    const { node, life } = member
    const { kind, trouble, atMs, repairMs } = life.failure
    node.up = false
    node.downAtMs = atMs
    member.backAtMs = atMs + repairMs
    const { id, pool } = node.spec
    member.unconfirmed = { kind: 'failure', node: id, atMs, failureKind: kind.name }
    this.truthLedger.failed({
      node: id,
      pool,
      kind: kind.name,
      atMs,
      buildUpMs: trouble.endMs - trouble.startMs,
      interruptedCount: node.workloads.size,
    })
  }

  private repair(member: Member, nowMs: number): FleetEvent {
    const { node } = member
    node.up = true
    node.fenced = false
    node.cordoned = false
    node.downAtMs = null
    member.backAtMs = null
    this.truthLedger.counts.workloadsResumed += node.workloads.size
    member.life.restart(nowMs)
    member.signals.reboot()
    this.agents?.begin(node)
    return joinEvent(member, nowMs)
  }

  private powerOff(node: ClusterNode, nowMs: number): void {
    const member = this.memberOf.get(node)!
    node.fenced = true
    if (!node.up) return
    node.up = false
    node.downAtMs = nowMs
    member.backAtMs = nowMs + FENCED_MS
    this.truthLedger.counts.workloadsInterrupted += node.workloads.size
  }

  private beginRestart(node: ClusterNode, nowMs: number): void {
    if (!node.up) return
    this.memberOf.get(node)!.isRestarting = true
    node.up = false
    node.downAtMs = nowMs
    this.truthLedger.counts.workloadsInterrupted += node.workloads.size
  }

  private endRestart(node: ClusterNode, luck: number, nowMs: number): boolean {
    const member = this.memberOf.get(node)!
    const { life, isRestarting } = member
    const { kind, trouble } = life.failure
    member.isRestarting = false
    if (node.fenced) {
      member.backAtMs ??= nowMs + FENCED_MS
      return false
    }
    if (node.up) return true
    const mends = luck < kind.restartMendsRatio
    if (isRestarting) {
      node.up = true
      node.downAtMs = null
      member.signals.reboot()
      this.agents?.begin(node)
      this.truthLedger.counts.workloadsResumed += node.workloads.size
      if (mends && trouble.startMs <= nowMs) life.restart(nowMs)
      return true
    }
    if (!mends) return false
    // The repair is over, and nobody has a failure left to confirm.
    member.unconfirmed = null
    member.backAtMs = nowMs
    return true
  }
}

function inventoryOf({ seed, nodeCount, standbys, createAgent }: FleetOptions): Inventory {
  const { nodes, placements } = createInventory(seed, nodeCount)
  const kept = standbys === true ? withStandbys(seed, { nodes, placements }) : placements
  if (createAgent === undefined) return { nodes, placements: kept }
  const counted = kept.map((placement) => ({ ...placement, versions: { fleet: 1 } }))
  return { nodes, placements: counted }
}

function joinEvent({ node }: Member, nowMs: number): JoinEvent {
  const { id, pool, model, place, capacity } = node.spec
  return {
    kind: 'join',
    node: id,
    atMs: nowMs,
    class: NODE_CLASS,
    pool,
    labels: {
      pool,
      model,
      gpu_count: String(capacity.gpu?.count ?? 0),
      powered_on_at: String(nowMs),
    },
    place,
    capacity,
  }
}
