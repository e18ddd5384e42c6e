/** Where the work of a node can go: the question that `decide/place.ts` is asked, from what a coordinator knows. */
import type { CommandAction } from '../core/command.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Capacity } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import type { Held } from '../decide/admission.ts'
import { type Candidate, chooseTarget, type TargetChoice } from '../decide/place.ts'
import type { Step } from '../recover/step.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

export class TargetDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #heldBack: (node: NodeState) => Held | null

  constructor(state: CoordinatorState, outbox: Outbox, heldBack: (node: NodeState) => Held | null) {
    this.#state = state
    this.#outbox = outbox
    this.#heldBack = heldBack
  }

  /** A workload whose standby is fit is promoted there; where that has failed it is recovered like any other. */
  wayOf({ action, workload, attempts }: Step): CommandAction {
    if ((action !== 'recover' && action !== 'promote') || workload === null) return action
    return attempts === 0 && this.#standbyOf(workload) !== null ? 'promote' : 'recover'
  }

  standby(workload: WorkloadId): TargetChoice {
    const target = this.#standbyOf(workload)
    if (target !== null) return { ok: true, target }
    return { ok: false, why: `the standby of workload ${workload} is not fit to run it` }
  }

  #standbyOf(workload: WorkloadId): NodeId | null {
    const { standby = null, pool } = this.#state.ledger.get(workload) ?? {}
    const node = standby === null ? undefined : this.#state.nodes.get(standby)
    return node !== undefined && node.pool === pool && this.#isFit(node) ? node.id : null
  }

  choose(pool: PoolState, node: NodeState, workload: WorkloadId, policy: Policy): TargetChoice {
    const { ledger } = this.#state
    const placement = ledger.get(workload)
    if (placement === undefined) return { ok: false, why: `workload ${workload} has no placement` }
    const zone = this.#state.zoneOf(node)
    const others = (zone?.alarmingCount ?? 0) > (node.counted?.alarming === true ? 1 : 0)
    const question = {
      workload,
      needs: placement.needs,
      from: node.id,
      troubledZone: others ? node.zone : null,
      targetLoadMaxRatio: policy.targetLoadMaxRatio,
    }
    return chooseTarget(question, this.#candidates(pool), (id) => ledger.load(id))
  }

  *#candidates(pool: PoolState): Iterable<Candidate> {
    for (const node of pool.nodes.values()) {
      const { id, zone } = node
      yield { node: id, zone, capacity: roomOf(node), fit: this.#isFit(node) }
    }
  }

  #isFit(node: NodeState): boolean {
    const inMaintenance = this.#state.isInMaintenance(node, this.#outbox.nowMs)
    const clean = node.incident === null && node.cordonedBy === null && node.vetoed === null
    const quiet = !node.alarm.raised && node.alarm.overCount === 0 && node.failedAtMs === null
    // Where no side has a majority all are held, and what failed for certain still finds a place.
    const reached = this.#heldBack(node)?.lanes !== 'preemptive'
    const sound = clean && quiet && !inMaintenance && reached
    return sound && this.#state.livenessOf(node) === 'live'
  }
}

/** A node that returns in part has that part only; of GPUs as many as are whole. */
function roomOf({ capacity, returning }: NodeState): Capacity | null {
  if (capacity === null || returning === null) return capacity
  const { share } = returning
  const { cpu, memoryBytes, gpu } = capacity
  const part = gpu === null ? null : { ...gpu, count: Math.floor(share * gpu.count) }
  return { cpu: share * cpu, memoryBytes: share * memoryBytes, gpu: part }
}
