/**
 * Data that is wrong on a node while most of its holders have it right: the node is told to fetch it from them
 * (strategy `replicate`), through admission like any other command, where the policy says so. It is over when
 * the node's own digests say so; whoever carried it out may believe what it likes.
 */
import type { Fault } from '../core/fault.ts'
import type { Policy } from '../core/policy.ts'
import { dataCorruption } from '../detect/data-corruption.ts'
import type { Told } from '../detect/detector-set.ts'
import { isDone, undoneBy } from '../recover/step.ts'
import { type IncidentDesk, whyOf } from './coordinator-incidents.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, Incident, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

export class ReplicaDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #incidents: IncidentDesk
  readonly #policyFor: (pool: PoolState) => Policy
  /** Incident → when what it had fetched was seen to be done. */
  readonly #doneAtMs = new Map<Incident, number>()

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

  /** Follows what the detector of data corruption says. */
  take({ state, fault }: Told): void {
    const { node, replica, subject } = fault
    if (fault.detector !== dataCorruption.name || node === null) return
    const { wrongReplicas } = this.#state
    const wrong = wrongReplicas.get(node) ?? new Map()
    if (state === 'cleared' || replica === undefined) wrong.delete(subject)
    else wrong.set(subject, { ...fault, replica })
    if (wrong.size > 0) {
      wrongReplicas.set(node, wrong)
      return
    }
    if (!wrongReplicas.delete(node)) return
    const incident = this.#state.nodes.get(node)?.incident ?? null
    if (incident?.cause === 'corrupt') this.#state.stirIncident(incident)
  }

  /** Once a second of the log's time. */
  look(): void {
    for (const [id, faults] of this.#state.wrongReplicas) {
      const node = this.#state.nodes.get(id)
      const [fault] = faults.values()
      if (node !== undefined && fault !== undefined) this.#lookAt(node, fault)
    }
    for (const incident of this.#doneAtMs.keys()) {
      if (!isOpen(incident)) this.#doneAtMs.delete(incident)
    }
  }

  #lookAt(node: NodeState, fault: Fault): void {
    const policy = this.#policyFor(this.#state.pool(node.pool))
    if (!policy.replicates || node.failedAtMs !== null) return
    const { incident } = node
    if (incident?.cause === 'corrupt') this.#again(incident, policy)
    const isFree = incident === null || incident.cause === 'overloaded'
    if (isFree && this.#state.livenessOf(node) === 'live') {
      this.#incidents.raise(node, 'corrupt', fault, whyOf(node, 'corrupt'))
    }
  }

  /** What is done and did not help is done again after a cooldown, as long as there are tries. */
  #again(incident: Incident, { cooldownMs }: Policy): void {
    const { nowMs } = this.#outbox
    const step = incident.steps.get('replicate')
    if (step === undefined || !isDone(step)) {
      this.#doneAtMs.delete(incident)
      return
    }
    const doneAtMs = this.#doneAtMs.get(incident)
    if (doneAtMs === undefined) this.#doneAtMs.set(incident, nowMs)
    else if (nowMs - doneAtMs >= cooldownMs) {
      this.#doneAtMs.delete(incident)
      const undone = undoneBy(step, 'undone')
      if (undone !== null) incident.steps.set(step.stepId, undone)
      this.#state.stirIncident(incident)
    }
  }
}

/** It may have become something graver since. */
function isOpen({ id, cause, node }: Incident): boolean {
  return node.incident?.id === id && cause === 'corrupt'
}
