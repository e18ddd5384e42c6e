/**
 * Nodes that carry more than they may: by what their workloads need, or because their memory runs full. The
 * cheapest set of workloads that brings them under the bound of targets goes elsewhere (strategy
 * `redistribute`), through admission like any other move. No label is touched by it and no failure foreseen.
 *
 * A memory that runs full gives away what keeps it from passing the bound once it is: which of the workloads
 * fills it is not known, so each counts by what it needs.
 */
import type { Fault } from '../core/fault.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import { percent } from '../decide/explain.ts'
import { type Amount, cheapestRelief, type Movable, movableOf } from '../decide/relieve.ts'
import type { Told } from '../detect/detector-set.ts'
import { resourceExhaustion } from '../detect/resource-exhaustion.ts'
import type { IncidentDesk } from './coordinator-incidents.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, Incident, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** What workloads free when they leave. A disk keeps its bytes. */
const FREED_BY_MOVES = /^(memory|swap).*_utilization$/
const EPSILON = 1e-9

export class OverloadDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #incidents: IncidentDesk
  readonly #policyFor: (pool: PoolState) => Policy
  /** Node → until when it is left alone after it was relieved. */
  readonly #resting = new Map<NodeId, number>()
  /** Open incidents of overloaded nodes. */
  readonly #open = new Set<Incident>()
  #overloadCount = 0

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    incidents: IncidentDesk,
    policyFor: (pool: PoolState) => Policy,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#incidents = incidents
    this.#policyFor = policyFor
  }

  stats(): Readonly<Record<string, number>> {
    return { openOverloadCount: this.#open.size, overloadCount: this.#overloadCount }
  }

  /** Looks at the nodes whose load may have changed; call it before incidents are looked at. */
  follow(): void {
    const { suspects } = this.#state
    for (const incident of this.#open) {
      if (!isOpen(incident)) this.#end(incident)
      else if (isRelieved(this.#state, incident)) this.#state.stirIncident(incident)
    }
    for (const [id, untilMs] of this.#resting) {
      if (untilMs > this.#outbox.nowMs) continue
      this.#resting.delete(id)
      const node = this.#state.nodes.get(id)
      if (node !== undefined) suspects.add(node)
    }
    for (const node of suspects) this.#look(node)
    suspects.clear()
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
    if (cheapestRelief(movables, excessOf(load, goal)) === null) return
    // What lets it take work again goes first.
    if (this.#state.pool(node.pool).incidents.ofNode(node).length > 0) return this.#rest(node)
    const why = isFull
      ? `Node ${node.id} carries ${percent(ratio)} of what it has, more than ${percent(policy.overloadRatio)}.`
      : `The memory of node ${node.id} runs full soon: it is at ${percent(fullest)}.`
    this.#incidents.raise(node, 'overloaded', this.#fault(node, ratio, fullest, policy), why)
    const raised: Incident = node.incident!
    this.#state.reliefs.set(raised.id, goal)
    this.#open.add(raised)
    this.#overloadCount++
    this.#state.stirIncident(raised)
  }

  #end(incident: Incident): void {
    const { id, node } = incident
    this.#open.delete(incident)
    this.#state.reliefs.delete(id)
    // How full it was says nothing of what is left on it.
    this.#state.exhausted.delete(node.id)
    this.#rest(node)
  }

  #rest(node: NodeState): void {
    const { cooldownMs } = this.#policyFor(this.#state.pool(node.pool))
    this.#resting.set(node.id, this.#outbox.nowMs + cooldownMs)
  }

  #fault({ id, pool }: NodeState, ratio: number, fullest: number, policy: Policy): Fault {
    return {
      detector: 'load-bound',
      kind: 'resource-exhaustion',
      subject: id,
      node: id,
      pool,
      atMs: this.#outbox.nowMs,
      severity: 'warning',
      confidenceRatio: 1,
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

/** Its load is down to what its incident is to bring it to. */
export function isRelieved(state: CoordinatorState, { id, node }: Incident): boolean {
  const goal = state.reliefs.get(id)
  if (goal === undefined) return true
  const { cpu, memoryBytes } = excessOf(state.ledger.load(node.id), goal)
  return cpu <= EPSILON && memoryBytes <= EPSILON
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
  const goal = state.reliefs.get(id)
  if (goal === undefined) return []
  const { flightOf } = state.pool(node.pool)
  let { cpu, memoryBytes } = excessOf(state.ledger.load(node.id), goal)
  const leaving: WorkloadId[] = []
  const others: Movable[] = []
  for (const workload of state.ledger.workloadsOn(node.id)) {
    const movable = movableOf(state.ledger.get(workload)!)
    const step = steps.get(`migrate:${workload}`)
    const isMoved = step !== undefined && step.state !== 'planned' && step.state !== 'failed'
    if (flightOf.has(workload) || isMoved) {
      leaving.push(workload)
      cpu -= movable.cpu
      memoryBytes -= movable.memoryBytes
    } else if ((step?.attempts ?? 0) < attemptsMax) others.push(movable)
  }
  return [...leaving, ...(cheapestRelief(others, { cpu, memoryBytes }) ?? [])]
}

/** What may stay: the bound of targets, and where a memory runs full the same share of what is there. */
function goalOf(node: NodeState, load: Amount, policy: Policy, runsFull: boolean): Amount {
  const bound = policy.targetLoadMaxRatio
  const { cpu = 0, memoryBytes = 0 } = node.capacity ?? {}
  return {
    cpu: bound * cpu,
    memoryBytes: Math.min(bound * memoryBytes, (runsFull ? bound : 1) * load.memoryBytes),
  }
}

function excessOf(load: Amount, goal: Amount): Amount {
  return { cpu: load.cpu - goal.cpu, memoryBytes: load.memoryBytes - goal.memoryBytes }
}
