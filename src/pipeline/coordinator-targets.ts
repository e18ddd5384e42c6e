/**
 * Where the work of a node can go: the question that `decide/place.ts` is asked, from what a coordinator
 * knows. What has no room waits in the queue of its pool.
 */
import type { CommandAction } from '../core/command.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Capacity } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import type { WaitingQueueView, WaitingWorkload } from '../core/waiting.ts'
import type { Placement } from '../core/workload.ts'
import type { Held } from '../decide/admission.ts'
import {
  type Candidate,
  chooseTarget,
  type GroupPlaces,
  type Nearness,
  type PlaceQuestion,
  type TargetChoice,
} from '../decide/place.ts'
import { TargetIndex } from '../decide/target-index.ts'
import { MOVES, type Step, stepIdOf } from '../recover/step.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import { staysWithRegion } from './coordinator-regions.ts'
import { WaitingDesk } from './coordinator-waiting.ts'
import type { NodeState } from './node-state.ts'

/** Questions of one pass that are answered by looking at all nodes; an index pays from the next one on. */
const SCANS_MAX = 2

/** Nodes that a workload is best near to; further ones are left out. */
const HOMES_MAX = 8

/** Of one pass over a pool: who may take work is as it was when the pass first asked. */
interface Pass {
  askedCount: number
  index: TargetIndex | null
  /** By needs and what else is asked: what found no room finds none later in the pass. */
  readonly refused: Map<string, TargetChoice>
}

export class TargetDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #heldBack: (node: NodeState) => Held | null
  readonly #waiting: WaitingDesk
  #pass: Pass | null = null

  constructor(state: CoordinatorState, outbox: Outbox, heldBack: (node: NodeState) => Held | null) {
    this.#state = state
    this.#outbox = outbox
    this.#heldBack = heldBack
    this.#waiting = new WaitingDesk(state, outbox)
  }

  /** A pass over the pool begins, with room for what has waited. */
  begin(pool: PoolState, policy: Policy): void {
    this.#pass = { askedCount: 0, index: null, refused: new Map() }
    this.#waiting.begin(pool, (node, workload) => this.find(pool, node, workload, policy))
  }

  end(pool: PoolState): void {
    this.#waiting.end(pool)
    this.#pass = null
  }

  waiting(): readonly WaitingQueueView[] {
    return this.#waiting.views()
  }

  /** A workload whose standby is fit is promoted there; where that has failed it is recovered like any other. */
  wayOf({ action, workload, attempts }: Step): CommandAction {
    if ((action !== 'recover' && action !== 'promote') || workload === null) return action
    return attempts === 0 && this.#standbyOf(workload) !== null ? 'promote' : 'recover'
  }

  standby(workload: WorkloadId): TargetChoice {
    const target = this.#standbyOf(workload)
    if (target !== null) return { ok: true, target, why: `Node ${target} keeps it warm.` }
    return { ok: false, why: `the standby of workload ${workload} is not fit to run it` }
  }

  #standbyOf(workload: WorkloadId): NodeId | null {
    const { standby = null, pool } = this.#state.ledger.get(workload) ?? {}
    const node = standby === null ? undefined : this.#state.nodes.get(standby)
    return node !== undefined && node.pool === pool && this.isFit(node) ? node.id : null
  }

  choose(pool: PoolState, node: NodeState, workload: WorkloadId, policy: Policy): TargetChoice {
    const choice = this.#waiting.answer(pool, workload) ?? this.find(pool, node, workload, policy)
    this.#waiting.note(pool, node, workload, choice)
    return choice
  }

  /** Failed work without room, the first of it. */
  waitingFirst(pool: PoolState, max: number): readonly WaitingWorkload[] {
    return this.#waiting.first(pool, max, isDown)
  }

  /** `boundMax`: what its target may be loaded up to where none stays within the bound of moves. */
  find(
    pool: PoolState,
    node: NodeState,
    workload: WorkloadId,
    policy: Policy,
    boundMax = this.#boundMax(node, policy),
  ): TargetChoice {
    const { ledger } = this.#state
    const placement = ledger.get(workload)
    if (placement === undefined) return { ok: false, why: `workload ${workload} has no placement` }
    const stays = staysWithRegion(this.#state, node, placement)
    if (stays !== null) return { ok: false, why: stays }
    const question = this.#question(pool, node, placement, policy)
    const key = JSON.stringify([node.id, placement.needs])
    const known = this.#pass?.refused.get(key)
    if (known !== undefined) return known
    const avoided = failedOn(node, workload)
    const elsewhere = this.#within(pool, { ...question, avoided }, boundMax)
    // One that it came to nothing on is a better place than none.
    const choice =
      elsewhere.ok || avoided.length === 0 ? elsewhere : this.#within(pool, question, boundMax)
    if (!choice.ok) this.#pass?.refused.set(key, choice)
    return choice
  }

  /** A node that is full is a better place than none. */
  #within(pool: PoolState, question: PlaceQuestion, boundMax: number): TargetChoice {
    const within = this.#ask(pool, question)
    if (within.ok || boundMax <= question.targetLoadMaxRatio) return within
    return this.#ask(pool, { ...question, targetLoadMaxRatio: boundMax })
  }

  #boundMax(node: NodeState, policy: Policy): number {
    const { recoveryLoadMaxRatio, targetLoadMaxRatio } = policy
    const { incident } = node
    const makesRoom = incident !== null && this.#state.makesRoom(incident)
    return makesRoom || isDown(node) ? recoveryLoadMaxRatio : targetLoadMaxRatio
  }

  #ask(pool: PoolState, question: PlaceQuestion): TargetChoice {
    const pass = this.#pass
    const loadOf = (id: NodeId) => this.#state.ledger.load(id)
    if (pass === null || ++pass.askedCount <= SCANS_MAX) {
      return chooseTarget(question, this.#candidates(pool), loadOf)
    }
    pass.index ??= new TargetIndex(this.#candidates(pool), loadOf)
    return pass.index.choose(question)
  }

  #question(
    pool: PoolState,
    node: NodeState,
    placement: Placement,
    { targetLoadMaxRatio }: Policy,
  ): PlaceQuestion {
    const { workload, needs } = placement
    const zone = this.#state.zoneOf(node)
    const others = (zone?.alarmingCount ?? 0) > (node.counted?.alarming === true ? 1 : 0)
    return {
      workload,
      needs,
      from: node.id,
      troubledZone: others ? node.zone : null,
      targetLoadMaxRatio,
      group: this.#groupOf(pool, placement),
      nearness: this.#nearnessOf(node, placement),
    }
  }

  /** Near to what it depends on, or else to the node whose state it takes with it; null where neither is known. */
  #nearnessOf(from: NodeState, { dependsOn, stateBytes }: Placement): Nearness | null {
    const { ledger, nodes, latencies } = this.#state
    const { nowMs } = this.#outbox
    const homes = new Set<NodeState>()
    for (const workload of dependsOn) {
      const home = nodes.get(ledger.get(workload)?.node ?? from.id)
      if (home !== undefined && home !== from && homes.size < HOMES_MAX) homes.add(home)
    }
    const isDependent = homes.size > 0
    if (!isDependent && stateBytes > 0 && this.#state.livenessOf(from) === 'live') homes.add(from)
    if (![...homes].some((home) => latencies.isKnown(home))) return null
    const named = [...homes].map(({ id }) => id).join(', ')
    const why = isDependent ? 'where what it depends on runs' : 'where its state comes from'
    return {
      to: `${homes.size === 1 ? 'node' : 'nodes'} ${named}, ${why}`,
      latencyMs: (id) => {
        const node = nodes.get(id)
        if (node === undefined) return null
        const known = [...homes].flatMap((home) =>
          home === node ? [0] : (latencies.between(home, node, nowMs) ?? []),
        )
        return known.length === 0 ? null : known.reduce((sum, ms) => sum + ms, 0) / known.length
      },
    }
  }

  /** Null where it is in no group, or alone in it. */
  #groupOf(pool: PoolState, { group: name, node: from }: Placement): GroupPlaces | null {
    if (name === undefined) return null
    const nodes = new Map(this.#state.ledger.groupOn(pool.id, name))
    // It does not keep itself away.
    if (from !== null) nodes.set(from, (nodes.get(from) ?? 1) - 1)
    const zones = new Map<string, number>()
    let count = 0
    for (const [node, members] of nodes) {
      const zone = this.#state.nodes.get(node)?.zone ?? null
      count += members
      if (zone !== null) zones.set(zone, (zones.get(zone) ?? 0) + members)
    }
    if (count === 0) return null
    return {
      name,
      inZone: (zone) => (zone === null ? 0 : (zones.get(zone) ?? 0)),
      onNode: (node) => nodes.get(node) ?? 0,
    }
  }

  *#candidates(pool: PoolState): Iterable<Candidate> {
    for (const node of pool.nodes.values()) {
      const { id, zone } = node
      yield { node: id, zone, capacity: roomOf(node), fit: this.isFit(node) }
    }
  }

  isFit(node: NodeState): boolean {
    const inMaintenance = this.#state.isInMaintenance(node, this.#outbox.nowMs)
    const clean = node.incident === null && node.cordonedBy === null && node.vetoed === null
    const quiet = !node.alarm.raised && node.alarm.overCount === 0 && node.failedAtMs === null
    // Where no side has a majority all are held, and what failed for certain still finds a place.
    const reached = this.#heldBack(node)?.lanes !== 'preemptive'
    const sound = clean && quiet && !inMaintenance && reached
    return sound && this.#state.livenessOf(node) === 'live'
  }
}

/** Targets that moves of the workload off its node came to nothing on. */
function failedOn({ incident }: NodeState, workload: WorkloadId): readonly NodeId[] {
  const steps = MOVES.flatMap((action) => incident?.steps.get(stepIdOf(action, workload)) ?? [])
  return [...new Set(steps.flatMap((step) => step.failedOn))]
}

/** What it ran runs nowhere, or soon will. */
function isDown({ failedAtMs, incident }: NodeState): boolean {
  const cause = incident?.cause
  return failedAtMs !== null || cause === 'silent' || cause === 'failed' || cause === 'cut-off'
}

/** A node that returns in part has that part only; of GPUs as many as are whole. */
function roomOf({ capacity, returning }: NodeState): Capacity | null {
  if (capacity === null || returning === null) return capacity
  const { share } = returning
  const { cpu, memoryBytes, gpu } = capacity
  const part = gpu === null ? null : { ...gpu, count: Math.floor(share * gpu.count) }
  return { cpu: share * cpu, memoryBytes: share * memoryBytes, gpu: part }
}
