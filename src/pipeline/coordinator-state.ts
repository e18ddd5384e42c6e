/** What a coordinator knows: nodes, pools, incidents and commands in flight. Only the fold writes it. */
import type { Liveness } from '../core/assessment.ts'
import { type Command, type Rail, REPLICAS_PER_COMMAND_MAX } from '../core/command.ts'
import type { Evidence, FaultKind, ReplicaFault, WrongReplica } from '../core/fault.ts'
import type { CommandId, IncidentId, NodeId, PlanId, PoolId, WorkloadId } from '../core/ids.ts'
import { partitionOf } from '../core/partition.ts'
import type { Mode } from '../core/policy.ts'
import type { Topology } from '../core/topics.ts'
import { type Lane, RAILS, type ZoneTrouble } from '../decide/admission.ts'
import { CALM, type EmergencyState } from '../decide/emergency.ts'
import { PlacementLedger } from '../decide/ledger.ts'
import type { Relief } from '../decide/relieve.ts'
import { MaintenanceWindows } from '../decide/maintenance.ts'
import type { ChoiceContext, Strategy } from '../core/strategy.ts'
import type { PlanCause } from '../recover/plan.ts'
import type { Step } from '../recover/step.ts'
import { type Counted, NodeNumbers, NodeState } from './node-state.ts'
import type { OpenPlan } from './coordinator-plans.ts'
import type { HoldOuts } from './coordinator-hold-out.ts'
import { OpenIncidents } from './open-incidents.ts'
import { PoolLatencies } from './pool-latencies.ts'
import { type RegionCount, RegionCounts } from './region-counts.ts'
import { Repairs } from './repairs.ts'

/** Failed nodes remembered, so that one that comes back is let in again; the oldest go first. */
export const FAILED_NODES_MAX = 10_000
/** Finished commands remembered, so that a late result still finds its step; the oldest go first. */
export const FINISHED_COMMANDS_MAX = 10_000

/** Ways to be counted that are shared; when there are more, sharing begins anew. */
const COUNTED_MAX = 10_000

/** What a change of one node may mean to the incidents of others. */
const CHANGED_NODE: readonly Rail[] = ['shared-cause', 'budget', 'capacity']
/** What the end of a command may mean to them. */
export const FREED: readonly Rail[] = ['budget', 'capacity', 'in-flight']
/** What may change by itself, or by an operator's word. */
export const EVERY_RAIL: readonly Rail[] = RAILS.map(({ rail }) => rail)

/** Preemptive commands on a node, of its newest incident that had any. */
export interface Acted {
  readonly incidentId: IncidentId
  /** Null where they were all dry runs. */
  readonly firstAtMs: number | null
  readonly lastAtMs: number
}

/** The strategy that answers an incident now, or did until it ended. */
export interface OpenChoice {
  readonly context: ChoiceContext
  readonly strategy: Strategy
  readonly chosenAtMs: number
  /** Its time is up then. */
  readonly untilMs: number
  ended: boolean
}

export interface Incident {
  readonly id: IncidentId
  readonly planId: PlanId
  readonly node: NodeState
  readonly openedAtMs: number
  cause: PlanCause
  /** As they were told; its own is the first. */
  kinds: readonly FaultKind[]
  reasons: readonly string[]
  evidence: readonly Evidence[]
  readonly steps: Map<string, Step>
  /** With which share of its capacity a release lets its node back. */
  readonly share: number
  /** Null before its first command. */
  plan: OpenPlan | null
  /** What `node.acted` was before this incident. */
  readonly actedBefore: Acted | null
  /** Null where the policy fixes what is done. */
  choice: OpenChoice | null
  /** Who approved it, and why; null when nobody has, or it got graver since. */
  approved: string | null
  /** When its prediction first asked for something: people were asked, or a command was sent. */
  proposedAtMs: number | null
  /** Whether it is held out was decided. */
  holdOutDrawn: boolean
  /** People rejected or vetoed it. */
  overridden: boolean
  /** Rails that refuse now and were journaled; `OpenIncidents` sets it once the incident is open. */
  refused: ReadonlySet<Rail>
  /** When a refusal may end by itself. */
  dueMs: number
  /** Step that has used up its attempts → when it is tried anew. */
  readonly resumesAtMs: Map<string, number>
}

/** A command that was sent and is not over. */
export interface Flight {
  readonly command: Command
  readonly incident: Incident
  /** Null for a cancel, which is no step of a plan. */
  readonly stepId: string | null
  readonly lane: Lane
  /** Moves on with every result. */
  deadlineMs: number
  withdrawn: boolean
}

export interface PoolState {
  readonly id: PoolId
  readonly nodes: Map<NodeId, NodeState>
  readonly zones: Map<string, { nodeCount: number; alarmingCount: number; failingCount: number }>
  /** Zones whose shared cause was told to people. */
  readonly frozenZones: Set<string>
  readonly incidents: OpenIncidents
  readonly flights: Map<CommandId, Flight>
  readonly flightOf: Map<WorkloadId, CommandId>
  readonly finished: Map<CommandId, Flight>
  readonly repairs: Repairs
  readonly holdOuts: HoldOuts
  activeNodeCount: number
  /** Of these, silent or critical. */
  failingNodeCount: number
  failedNodes: Set<NodeId>
  mode: Mode | null
  stopped: string | null
  emergency: EmergencyState
  /** Why no side of the pool's network goes on; null where one does. */
  noQuorum: string | null
  /** Node → when its failure was confirmed, oldest first: those of late, which an emergency counts. */
  readonly failedOfLate: Map<NodeId, number>
  /** Commands were kept back out of band: nothing is tried again before then. */
  heldUntilMs: number
  held: string | null
  dirty: boolean
  /** Rails whose answer may be another one now: only incidents that they refused are looked at. */
  readonly woken: Set<Rail>
  /** Incidents whose own circumstances changed. */
  readonly stirred: Set<Incident>
  /** Nothing changes by itself before then. */
  dueMs: number
}

export class CoordinatorState {
  readonly ledger = new PlacementLedger()
  readonly latencies = new PoolLatencies()
  readonly regions = new RegionCounts()
  /** Whose urgent work goes to others. */
  readonly lostRegions = new Set<RegionCount>()
  readonly nodes = new Map<NodeId, NodeState>()
  readonly pools = new Map<PoolId, PoolState>()
  readonly lateSources = new Set<number>()
  /** Nodes whose load or room may have changed, since overloads were last looked for. */
  readonly suspects = new Set<NodeState>()
  /** Node → its memories that run full, and how full each was. */
  readonly exhausted = new Map<NodeId, Map<string, number>>()
  /** What the open incident of a node that gives work away is to bring it to. */
  readonly reliefs = new Map<IncidentId, Relief>()
  /** Node → what it has wrong while others have it right, by the subject of the fault. */
  readonly wrongReplicas = new Map<NodeId, Map<string, ReplicaFault>>()
  /** Nodes whose record in `nodes` is out of date. */
  readonly touched = new Set<NodeState>()
  /** Nodes that are in these pools no longer, since the shards last followed. */
  readonly left: { readonly pool: PoolId; readonly node: NodeId }[] = []
  /** Node → its critical faults that stand, by what names them. */
  readonly critical = new Map<NodeId, Set<string>>()
  readonly vetoes = new Map<NodeId, string>()
  readonly windows = new MaintenanceWindows()
  /** What operators said of every pool; a pool that appears later begins with it. */
  mode: Mode | null = null
  stopped: string | null = null
  epoch = -1
  readonly #topology: Topology
  readonly #nowMs: () => number
  readonly #numbers = new NodeNumbers()
  /** Of pool, zone and whether it alarms: nodes that are counted alike share what they are counted as. */
  readonly #counted = new Map<string, Counted>()

  constructor(topology: Topology, nowMs: () => number) {
    this.#topology = topology
    this.#nowMs = nowMs
  }

  pool(id: PoolId): PoolState {
    let pool = this.pools.get(id)
    if (pool === undefined) {
      pool = createPool(id, this.mode, this.stopped)
      this.pools.set(id, pool)
    }
    return pool
  }

  /** The node, made known or moved to this pool where needed. */
  node(id: NodeId, poolId: PoolId): NodeState {
    let node = this.nodes.get(id)
    if (node === undefined) {
      const partition = partitionOf(id, this.#topology.nodePartitions)
      const vetoed = this.vetoes.get(id) ?? null
      node = new NodeState(this.#numbers, { id, partition, pool: poolId, vetoed })
      node.memberSinceMs = this.#nowMs()
      this.nodes.set(id, node)
      this.pool(poolId).nodes.set(id, node)
      this.touch(node)
    } else if (node.pool !== poolId) this.#move(node, poolId)
    return node
  }

  remove(node: NodeState): void {
    const pool = this.pool(node.pool)
    this.#count(node, null)
    this.nodes.delete(node.id)
    node.release()
    this.touched.delete(node)
    this.suspects.delete(node)
    this.exhausted.delete(node.id)
    this.regions.forget(node.id)
    this.critical.delete(node.id)
    pool.nodes.delete(node.id)
    pool.failedNodes.delete(node.id)
    pool.failedOfLate.delete(node.id)
    pool.repairs.unshield(node.id)
    this.left.push({ pool: node.pool, node: node.id })
    this.stir(node, CHANGED_NODE)
  }

  stats(): Readonly<Record<string, number>> {
    const pools = [...this.pools.values()]
    const sum = (pick: (pool: PoolState) => number) =>
      pools.reduce((total, pool) => total + pick(pool), 0)
    return {
      nodeCount: this.nodes.size,
      poolCount: pools.length,
      workloadCount: this.ledger.workloadCount,
      openIncidentCount: sum(({ incidents }) => incidents.size),
      inFlightCount: sum(({ flights }) => flights.size),
      finishedCommandCount: sum(({ finished }) => finished.size),
      maintenanceWindowCount: this.windows.size,
      ...this.latencies.stats(),
    }
  }

  /** Call it after any change: counts follow, the pool is looked at again, `nodes` is written. */
  touch(node: NodeState): void {
    if (!this.publish(node)) return
    this.stir(node, CHANGED_NODE)
    const { failedAtMs, zone, alarm, liveness, vouched, pool } = node
    const isSilent = this.livenessOf(node) === 'silent'
    this.regions.note(node, failedAtMs !== null || (isSilent && !vouched))
    const alarming = alarm.raised || (liveness === 'silent' && !vouched)
    const failing = isSilent || this.critical.has(node.id)
    const counted = { pool, zone, alarming, failing }
    this.#count(node, failedAtMs === null ? this.#shared(counted) : null)
  }

  /** Has its record written. Late results still name nodes that have left: false, and nothing is. */
  publish(node: NodeState): boolean {
    const known = this.nodes.get(node.id) === node
    if (known) this.touched.add(node)
    return known
  }

  /** Has the node's incident looked at again, and those that wait for one of these rails. */
  stir(node: NodeState, rails: readonly Rail[]): void {
    const pool = this.pool(node.pool)
    pool.dirty = true
    for (const rail of rails) pool.woken.add(rail)
    if (node.incident !== null) pool.stirred.add(node.incident)
  }

  /** Has the incident looked at again, in the pool where its node is by now. */
  stirIncident(incident: Incident): void {
    const pool = this.pool(incident.node.pool)
    pool.stirred.add(incident)
    pool.dirty = true
  }

  /** A critical fault of the node stands, or does so no longer. */
  noteCritical(node: NodeState, fault: string, stands: boolean): void {
    const faults = this.critical.get(node.id) ?? new Set<string>()
    if (stands === faults.has(fault)) return
    if (stands) this.critical.set(node.id, faults.add(fault))
    else if (faults.delete(fault) && faults.size === 0) this.critical.delete(node.id)
    this.touch(node)
  }

  /** As many as one command names. */
  wrongReplicasOf(node: NodeId): readonly WrongReplica[] {
    const faults = [...(this.wrongReplicas.get(node)?.values() ?? [])]
    return faults.slice(0, REPLICAS_PER_COMMAND_MAX).map(({ replica }) => replica)
  }

  /** Its node gives work away for failed work, and not because it carries too much. */
  makesRoom({ id }: Incident): boolean {
    return (this.reliefs.get(id)?.room ?? null) !== null
  }

  livenessOf(node: NodeState): Liveness {
    if (this.lateSources.has(node.partition)) return 'unknown'
    return node.vouched && node.liveness === 'silent' ? 'unknown' : node.liveness
  }

  /** It is worked on: by its own word, or because a window of it or of its zone is running. */
  isInMaintenance(node: NodeState, nowMs: number): boolean {
    const { maintenanceUntilMs } = node
    if (maintenanceUntilMs !== null && nowMs < maintenanceUntilMs) return true
    return this.windows.isWorkedOn(node)
  }

  zoneOf(node: NodeState): ZoneTrouble | null {
    if (node.zone === null) return null
    const zone = this.pool(node.pool).zones.get(node.zone)
    return zone === undefined ? null : { name: node.zone, ...zone }
  }

  #move(node: NodeState, poolId: PoolId): void {
    const [from, to] = [this.pool(node.pool), this.pool(poolId)]
    from.nodes.delete(node.id)
    from.failedNodes.delete(node.id)
    from.failedOfLate.delete(node.id)
    if (from.repairs.unshield(node.id)) to.repairs.shield(node.id)
    this.left.push({ pool: node.pool, node: node.id })
    this.stir(node, CHANGED_NODE)
    node.pool = poolId
    node.memberSinceMs = this.#nowMs()
    to.nodes.set(node.id, node)
    // What is open for the node goes on where the node is.
    for (const incident of from.incidents.ofNode(node)) {
      from.incidents.delete(incident)
      to.incidents.add(incident)
      this.stirIncident(incident)
    }
    this.touch(node)
  }

  #shared(counted: Counted): Counted {
    const { pool, zone, alarming, failing } = counted
    const flags = (alarming ? 1 : 0) + (failing ? 2 : 0) + (zone === null ? 0 : 4)
    const key = `${flags}${pool.length}/${pool}${zone}`
    const known = this.#counted.get(key)
    if (known !== undefined) return known
    if (this.#counted.size === COUNTED_MAX) this.#counted.clear()
    this.#counted.set(key, counted)
    return counted
  }

  #count(node: NodeState, next: Counted | null): void {
    const { counted } = node
    if (counted === next) return
    if (counted !== null) this.#add(counted, -1)
    if (next !== null) this.#add(next, 1)
    node.counted = next
  }

  #add({ pool: id, zone, alarming, failing }: Counted, sign: 1 | -1): void {
    const pool = this.pool(id)
    pool.activeNodeCount += sign
    if (failing) pool.failingNodeCount += sign
    if (zone === null) return
    const count = pool.zones.get(zone) ?? { nodeCount: 0, alarmingCount: 0, failingCount: 0 }
    count.nodeCount += sign
    if (alarming) count.alarmingCount += sign
    if (failing) count.failingCount += sign
    if (count.nodeCount === 0) pool.zones.delete(zone)
    else pool.zones.set(zone, count)
  }
}

function createPool(id: PoolId, mode: Mode | null, stopped: string | null): PoolState {
  return {
    id,
    nodes: new Map(),
    zones: new Map(),
    frozenZones: new Set(),
    incidents: new OpenIncidents(),
    holdOuts: { open: new Map(), day: -1, dayCount: 0 },
    flights: new Map(),
    flightOf: new Map(),
    finished: new Map(),
    repairs: new Repairs(),
    activeNodeCount: 0,
    failingNodeCount: 0,
    failedNodes: new Set(),
    mode,
    stopped,
    emergency: CALM,
    noQuorum: null,
    failedOfLate: new Map(),
    heldUntilMs: 0,
    held: null,
    dirty: false,
    woken: new Set(),
    stirred: new Set(),
    dueMs: Number.POSITIVE_INFINITY,
  }
}
