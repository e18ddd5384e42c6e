/**
 * Nodes that give some of their work away, so that others take it or find room.
 *
 * Some carry more than they may: by what their workloads need, or because their memory runs full. Others make
 * room for failed work that has none. The cheapest set of workloads that is enough goes elsewhere (strategy
 * `redistribute`), through admission like any other move. No label is touched by it and no failure foreseen.
 *
 * A memory that runs full gives away what keeps it from passing the bound once it is: which of the workloads
 * fills it is not known, so each counts by what it needs.
 */
import type { Fault } from '../core/fault.ts'
import type { NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import type { WaitingWorkload } from '../core/waiting.ts'
import { percent } from '../decide/explain.ts'
import type { Load } from '../decide/ledger.ts'
import {
  cheapestRelief,
  isCovered,
  minus,
  type Movable,
  movableOf,
  type Relief,
} from '../decide/relieve.ts'
import type { Told } from '../detect/detector-set.ts'
import { resourceExhaustion } from '../detect/resource-exhaustion.ts'
import { flightsOf } from './coordinator-commands.ts'
import { emergencyOf } from './coordinator-emergency.ts'
import type { IncidentDesk } from './coordinator-incidents.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, Incident, PoolState } from './coordinator-state.ts'
import { findRoom, type Room } from './coordinator-room.ts'
import type { TargetDesk } from './coordinator-targets.ts'
import type { NodeState } from './node-state.ts'

/** What workloads free when they leave. A disk keeps its bytes. */
const FREED_BY_MOVES = /^(memory|swap).*_utilization$/
const EPSILON = 1e-9
/** Work of a pool that room is looked for at once, and how soon it is looked for again. */
const NEEDY_MAX = 4
const LOOK_AGAIN_MS = 5_000
/** A node that has not made the room by then is left alone. */
const MAKE_ROOM_MS = 120_000

export class ReliefDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #incidents: IncidentDesk
  readonly #targets: TargetDesk
  readonly #policyFor: (pool: PoolState) => Policy
  /** Pool → when room is looked for again. */
  readonly #lookAtMs = new Map<PoolId, number>()
  /** Node → until when it is left alone after it was relieved. */
  readonly #resting = new Map<NodeId, number>()
  /** Open incidents of nodes that give work away. */
  readonly #open = new Set<Incident>()
  #overloadCount = 0
  #roomCount = 0

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    incidents: IncidentDesk,
    targets: TargetDesk,
    policyFor: (pool: PoolState) => Policy,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#incidents = incidents
    this.#targets = targets
    this.#policyFor = policyFor
  }

  stats(): Readonly<Record<string, number>> {
    const openRoomCount = [...this.#open].filter((incident) =>
      this.#state.makesRoom(incident),
    ).length
    return {
      openOverloadCount: this.#open.size - openRoomCount,
      overloadCount: this.#overloadCount,
      openRoomCount,
      roomCount: this.#roomCount,
    }
  }

  /** Looks at the nodes whose load may have changed; call it before incidents are looked at. */
  follow(): void {
    const { suspects } = this.#state
    for (const incident of this.#open) {
      if (!isOpen(incident)) this.#end(incident)
      else if (endOfRelief(this.#state, incident) !== null) this.#state.stirIncident(incident)
      else if (this.#isLate(incident)) {
        this.#incidents.close(incident, `Node ${incident.node.id} has not made room in time.`)
        this.#end(incident)
      }
    }
    for (const [id, untilMs] of this.#resting) {
      if (untilMs > this.#outbox.nowMs) continue
      this.#resting.delete(id)
      const node = this.#state.nodes.get(id)
      if (node !== undefined) suspects.add(node)
    }
    for (const node of suspects) this.#look(node)
    suspects.clear()
    for (const pool of this.#state.pools.values()) this.#lookForRoom(pool)
  }

  #lookForRoom(pool: PoolState): void {
    const { nowMs } = this.#outbox
    const policy = this.#policyFor(pool)
    if (!policy.makesRoom || nowMs < (this.#lookAtMs.get(pool.id) ?? 0)) return
    const needy = this.#targets.waitingFirst(pool, NEEDY_MAX)
    if (needy.length === 0) return
    this.#lookAtMs.set(pool.id, nowMs + LOOK_AGAIN_MS)
    const open = [...this.#open].some(
      (each) => each.node.pool === pool.id && this.#state.makesRoom(each),
    )
    if (open) return
    for (const waiting of needy) {
      const isLeftAlone = (id: NodeId) => this.#resting.has(id)
      const room = findRoom(this.#state, this.#targets, pool, waiting, policy, isLeftAlone)
      if (room === null) continue
      if (room.leaving.length === 0) this.#incidents.hastenReturn(room.node, waiting.workload)
      // In an emergency nothing moves that is not down.
      else if (emergencyOf(this.#state, pool, policy, nowMs) === null) this.#makeRoom(room, waiting)
      return
    }
  }

  #makeRoom({ node, goal, leaving }: Room, { workload, node: from }: WaitingWorkload): void {
    const { nowMs } = this.#outbox
    const why = `Node ${node.id} makes room for workload ${workload} of node ${from}, which runs nowhere.`
    const fault: Fault = {
      ...this.#finding(node),
      severity: 'info',
      evidence: [
        { what: 'strategy', value: 'redistribute', limit: null },
        { what: 'roomFor', value: workload, limit: null },
      ],
    }
    this.#incidents.raise(node, 'overloaded', fault, why)
    this.#relieve(node, { goal, room: { workload, from, leaving, untilMs: nowMs + MAKE_ROOM_MS } })
    this.#roomCount++
  }

  #relieve(node: NodeState, relief: Relief): void {
    const raised: Incident = node.incident!
    this.#state.reliefs.set(raised.id, relief)
    this.#open.add(raised)
    this.#state.stirIncident(raised)
  }

  #isLate(incident: Incident): boolean {
    const { room = null } = this.#state.reliefs.get(incident.id) ?? {}
    if (room === null || this.#outbox.nowMs < room.untilMs) return false
    return flightsOf(this.#state.pool(incident.node.pool), incident).length === 0
  }

  #look(node: NodeState): void {
    const { capacity, incident } = node
    const policy = this.#policyFor(this.#state.pool(node.pool))
    if (policy.overloadRatio === null || capacity === null || incident !== null) return
    if (node.failedAtMs !== null || this.#resting.has(node.id)) return
    const { ledger } = this.#state
    const load = ledger.load(node.id)
    const ratio = Math.max(
      load.cpu / Math.max(EPSILON, capacity.cpu),
      load.memoryBytes / Math.max(EPSILON, capacity.memoryBytes),
    )
    const fullest = Math.max(0, ...(this.#state.exhausted.get(node.id)?.values() ?? []))
    const isFull = ratio > policy.overloadRatio + EPSILON
    if (!isFull && fullest === 0) return
    const goal = goalOf(node, load, policy, fullest > 0)
    const movables = [...ledger.workloadsOn(node.id)].map((id) => movableOf(ledger.get(id)!))
    // Where nothing that could leave helps, people are told of the load by its detectors.
    if (cheapestRelief(movables, minus(load, goal)) === null) return
    // What lets it take work again goes first.
    if (this.#state.pool(node.pool).incidents.ofNode(node).length > 0) return this.#rest(node)
    const why = isFull
      ? `Node ${node.id} carries ${percent(ratio)} of what it has, more than ${percent(policy.overloadRatio)}.`
      : `The memory of node ${node.id} runs full soon: it is at ${percent(fullest)}.`
    this.#incidents.raise(node, 'overloaded', this.#fault(node, ratio, fullest, policy), why)
    this.#relieve(node, { goal, room: null })
    this.#overloadCount++
  }

  #end(incident: Incident): void {
    const { id, node } = incident
    this.#open.delete(incident)
    this.#state.reliefs.delete(id)
    const pool = this.#state.pool(node.pool)
    pool.woken.add('capacity')
    pool.dirty = true
    // How full it was says nothing of what is left on it.
    this.#state.exhausted.delete(node.id)
    this.#rest(node)
  }

  #rest(node: NodeState): void {
    const { cooldownMs } = this.#policyFor(this.#state.pool(node.pool))
    this.#resting.set(node.id, this.#outbox.nowMs + cooldownMs)
  }

  #finding({ id, pool }: NodeState): Omit<Fault, 'severity' | 'evidence'> {
    return {
      detector: 'load-bound',
      kind: 'resource-exhaustion',
      subject: id,
      node: id,
      pool,
      atMs: this.#outbox.nowMs,
      confidenceRatio: 1,
    }
  }

  #fault(node: NodeState, ratio: number, fullest: number, policy: Policy): Fault {
    return {
      ...this.#finding(node),
      severity: 'warning',
      evidence: [
        { what: 'strategy', value: 'redistribute', limit: null },
        { what: 'loadRatio', value: ratio, limit: policy.overloadRatio },
        ...(fullest > 0 ? [{ what: 'memoryRatio', value: fullest, limit: null }] : []),
      ],
    }
  }
}

/** It may have become something graver since. */
function isOpen({ id, cause, node }: Incident): boolean {
  return node.incident?.id === id && cause === 'overloaded'
}

/** Follows what the detector of memories that run full says. */
export function noteExhaustion(state: CoordinatorState, { state: told, fault }: Told): void {
  const { node: id, subject, severity, evidence } = fault
  if (fault.detector !== resourceExhaustion.name || id === null) return
  const memory = evidence.find(({ what }) => FREED_BY_MOVES.test(what))
  const node = state.nodes.get(id)
  if (memory === undefined || node === undefined) return
  const full = state.exhausted.get(id) ?? new Map<string, number>()
  if (told === 'cleared' || severity === 'warning') full.delete(subject)
  else full.set(subject, Number(memory.value))
  if (full.size === 0) state.exhausted.delete(id)
  else state.exhausted.set(id, full)
  state.suspects.add(node)
}

/** Why nothing has to leave any more; null while something has. */
export function endOfRelief(state: CoordinatorState, { id, node }: Incident): string | null {
  const relief = state.reliefs.get(id)
  if (relief === undefined) return `Node ${node.id} has nothing to give away.`
  const { goal, room } = relief
  const isDown = isCovered(minus(state.ledger.load(node.id), goal))
  if (room === null) return isDown ? `Node ${node.id} is within its bound of load again.` : null
  const { workload, from } = room
  if (isDown) return `Node ${node.id} has room for workload ${workload} now.`
  if (state.ledger.get(workload)?.node === from) return null
  return `Workload ${workload} needs no room on node ${node.id} any more.`
}

/**
 * Those that leave an overloaded node: what is on its way already, and of the others the cheapest set that is
 * enough.
 */
export function leavingOf(
  state: CoordinatorState,
  { id, node, steps }: Incident,
  { attemptsMax }: Policy,
): readonly WorkloadId[] {
  const relief = state.reliefs.get(id)
  if (relief === undefined) return []
  const { flightOf } = state.pool(node.pool)
  const only = relief.room?.leaving
  let excess = minus(state.ledger.load(node.id), relief.goal)
  const leaving: WorkloadId[] = []
  const others: Movable[] = []
  for (const workload of state.ledger.workloadsOn(node.id)) {
    const movable = movableOf(state.ledger.get(workload)!)
    const step = steps.get(`migrate:${workload}`)
    const isMoved = step !== undefined && step.state !== 'planned' && step.state !== 'failed'
    if (flightOf.has(workload) || isMoved) {
      leaving.push(workload)
      excess = minus(excess, movable)
    } else if ((step?.attempts ?? 0) < attemptsMax && (only?.includes(workload) ?? true)) {
      others.push(movable)
    }
  }
  return [...leaving, ...(cheapestRelief(others, excess) ?? [])]
}

/** What may stay: the bound of targets, and where a memory runs full the same share of what is there. */
function goalOf(node: NodeState, load: Load, policy: Policy, runsFull: boolean): Load {
  const bound = policy.targetLoadMaxRatio
  const { cpu = 0, memoryBytes = 0 } = node.capacity ?? {}
  return {
    cpu: bound * cpu,
    memoryBytes: Math.min(bound * memoryBytes, (runsFull ? bound : 1) * load.memoryBytes),
    gpuCount: Number.POSITIVE_INFINITY,
  }
}
