/**
 * One pool's map of shards to nodes, and how it follows a change of members.
 *
 * A pure function of the changes it is given, in order: the ring's kernel knows neither time nor
 * chance, so every process that folds the same log has the same map. A shard whose owner is lost goes
 * to its next replica, which has the data; only the place that becomes free there is filled anew.
 */
import { assert } from '../core/errors.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { NOBODY, type RingMember, ringKeys, virtualNodes } from '../core/ring.ts'
import { shardKey, type ShardReason, type ShardRules } from '../core/shard.ts'
import { Ring } from '../state/ring.ts'
import type { Placement, RingChange, RingPlan } from '../state/placement.ts'

/** Points of a pool's ring at most, 16,384 nodes of weight 1: a change must not hold up its log. */
const POINTS_MAX = 1 << 22
/** A ring keeps the names of those who left; when they are more than this and than its members, it is made anew. */
const LEFT_MAX = 1_024

export type LossReason = Extract<ShardReason, 'node-failed' | 'node-fenced' | 'node-left'>

/** What became of a node; `member` is null where it holds shards no longer. */
export type NodeChange =
  | { readonly node: NodeId; readonly member: RingMember }
  | { readonly node: NodeId; readonly member: null; readonly reason: LossReason }

/** The nodes of one shard, by name, the owner first; null: nobody. */
export type Owners = readonly (NodeId | null)[]

export interface ChangedShard {
  readonly reason: ShardReason
  readonly previousOwner: NodeId | null
}

export interface MapChange {
  /** Shard → why it has other nodes now, and who owned it. */
  readonly changed: ReadonlyMap<number, ChangedShard>
  /** Replicas that went to another node, by reason. */
  readonly moves: ReadonlyMap<ShardReason, number>
  readonly deferred: number
  readonly unplaced: number
  /** Nodes for which the ring has no points left; they get no shards. */
  readonly leftOut: readonly NodeId[]
}

export interface NodeLoad {
  readonly weight: number
  readonly load: number
  readonly capacity: number
}

export class ShardMap {
  readonly #kernel: WebAssembly.Module
  readonly #members = new Map<NodeId, RingMember>()
  #rules: ShardRules
  #ring: Ring
  #placement: Placement
  /** Where the replicas belonged before the moves that a budget has put off. */
  #settled: Uint32Array | null = null
  #empty = true

  constructor(kernel: WebAssembly.Module, pool: PoolId, rules: ShardRules) {
    this.#kernel = kernel
    this.#rules = rules
    this.#ring = new Ring(kernel)
    this.#placement = emptyPlacement(pool, rules)
  }

  get rules(): ShardRules {
    return this.#rules
  }

  member(node: NodeId): RingMember | undefined {
    return this.#members.get(node)
  }

  /** The key of the shard's record, as bytes: `shardKey`. A view. */
  key(shard: number): Uint8Array {
    const { bytes, offsets } = this.#placement.keys
    return bytes.subarray(offsets[shard], offsets[shard + 1])
  }

  owners(shard: number): Owners {
    const { owners, replicaCount } = this.#placement
    const named: (NodeId | null)[] = []
    for (let at = shard * replicaCount; named.length < replicaCount; at++) {
      named.push(this.#name(owners[at]))
    }
    return named
  }

  /** Follows the changes, under these rules from now on, with as few moves as the bound allows. */
  apply(changes: readonly NodeChange[], rules = this.#rules): MapChange {
    this.#renew()
    const { owners: old, replicaCount: oldCount } = this.#placement
    if (rules !== this.#rules) this.#adopt(rules)
    const { join, leave, change, leftOut } = this.#sort(changes)
    const reasonOf = this.#reasons(changes)
    const idle = change.filter(({ weight }) => weight === 0)
    if (idle.length > 0) {
      // Before the plan, so that it does not see them as nodes that give up their share.
      this.#ring.change({ change: idle })
      this.#settled = null
    }
    const plan = this.#plan({ join, leave, change: change.filter(({ weight }) => weight > 0) })
    for (const { node, member } of changes) {
      if (member === null) this.#members.delete(node)
      else if (!leftOut.includes(node)) this.#members.set(node, member)
    }
    const result = this.#compare(old, oldCount, plan, reasonOf)
    this.#empty &&= plan.moves.length === 0
    return { ...result, deferred: plan.deferredCount, unplaced: plan.unplacedCount, leftOut }
  }

  #plan(change: Required<RingChange>): RingPlan {
    const { boundRatio: bound, movesMax } = this.#rules
    const placement = this.#promoted(new Set(change.leave))
    if (movesMax === null) {
      return this.#taken(this.#ring.plan(placement, change, { bound, idle: 'keep' }), change)
    }
    const { keys, replicaCount } = placement
    const before = this.#settled ?? this.#ring.replicas(keys, replicaCount)
    const waiting = homeless(placement, change.leave, this.#ring)
    let budget = movesMax + waiting
    const options = { bound, idle: 'keep', before } as const
    let plan = this.#ring.plan(placement, change, { ...options, movesMax: budget })
    if (plan.unplacedCount > 0 && plan.moves.length > budget - plan.unplacedCount) {
      // What found no place has left its part of the budget to moves that may wait.
      budget -= plan.unplacedCount
      plan = this.#ring.plan(placement, {}, { ...options, movesMax: budget })
    }
    plan = this.#taken(plan, change)
    this.#settled = plan.deferredCount > 0 ? before : null
    // What is over the bound and was not moved for want of a budget is put off as well.
    const held = plan.moves.length >= budget ? plan.excessCount : 0
    return { ...plan, deferredCount: plan.deferredCount + held }
  }

  /** Replicas that nobody had room for are with nobody, and no longer with a node that has left. */
  #taken(plan: RingPlan, { leave }: RingChange): RingPlan {
    this.#placement = plan.placement
    if (plan.unplacedCount === 0) return plan
    const gone = new Set(leave)
    const { keys, replicaCount, owners } = plan.placement
    const next = owners.map((owner) => {
      return owner !== NOBODY && gone.has(this.#ring.nodeAt(owner)) ? NOBODY : owner
    })
    this.#placement = { keys, replicaCount, owners: next }
    return { ...plan, placement: this.#placement }
  }

  loads(): readonly NodeLoad[] {
    return this.#ring
      .loads(this.#placement, this.#rules.boundRatio, 'keep')
      .map(({ member: { weight }, load, capacity }) => ({ weight, load, capacity }))
  }

  withoutOwner(): number {
    const { replicaCount, owners } = this.#placement
    let count = 0
    for (let at = 0; at < owners.length; at += replicaCount) if (owners[at] === NOBODY) count++
    return count
  }

  #sort(changes: readonly NodeChange[]) {
    const [join, change]: [RingMember[], RingMember[]] = [[], []]
    const [leave, leftOut]: [NodeId[], NodeId[]] = [[], []]
    let points = 0
    for (const member of this.#members.values()) points += virtualNodes(member.weight)
    for (const { node, member } of changes) {
      const known = this.#members.get(node)
      if (member !== null || known === undefined) continue
      leave.push(node)
      points -= virtualNodes(known.weight)
    }
    for (const { node, member } of changes) {
      if (member === null) continue
      const known = this.#members.get(node)
      const more = virtualNodes(member.weight) - virtualNodes(known?.weight ?? 0)
      if (more > 0 && points + more > POINTS_MAX) leftOut.push(node)
      else {
        points += more
        if (known === undefined) join.push(member)
        else change.push(member)
      }
    }
    return { join, leave, change, leftOut }
  }

  /** By index on the ring as it is before the change: why a node's shards move. */
  #reasons(changes: readonly NodeChange[]): (node: string) => ShardReason {
    const reasons = new Map<string, ShardReason>()
    for (const each of changes) {
      const joined = this.#members.has(each.node) ? 'node-changed' : 'node-joined'
      reasons.set(each.node, each.member === null ? each.reason : joined)
    }
    return (node) => reasons.get(node) ?? 'load-bound'
  }

  /** A lost owner's next replica becomes the owner; nothing moves for it. */
  #promoted(leave: ReadonlySet<string>): Placement {
    const { keys, replicaCount, owners } = this.#placement
    if (leave.size === 0 || replicaCount === 1) return this.#placement
    const lost = (index: number): boolean => index === NOBODY || leave.has(this.#ring.nodeAt(index))
    const next = owners.slice()
    for (let at = 0; at < next.length; at += replicaCount) {
      if (!lost(next[at])) continue
      const heir = next.subarray(at + 1, at + replicaCount).findIndex((index) => !lost(index))
      if (heir === -1) continue
      const owner = next[at]
      next[at] = next[at + 1 + heir]
      next[at + 1 + heir] = owner
    }
    return { keys, replicaCount, owners: next }
  }

  /** Fewer replicas are cut off, further ones are placed by the next plan. */
  #adopt(rules: ShardRules): void {
    assert(rules.shardCount === this.#rules.shardCount, 'other shards are another map')
    this.#rules = rules
    const { keys, replicaCount, owners } = this.#placement
    if (rules.replicaCount === replicaCount) return
    const kept = Math.min(replicaCount, rules.replicaCount)
    const next = new Uint32Array(rules.shardCount * rules.replicaCount).fill(NOBODY)
    for (let shard = 0; shard < rules.shardCount; shard++) {
      const from = shard * replicaCount
      next.set(owners.subarray(from, from + kept), shard * rules.replicaCount)
    }
    this.#placement = { keys, replicaCount: rules.replicaCount, owners: next }
    this.#settled = null
  }

  #compare(
    old: Uint32Array,
    oldCount: number,
    { moves, placement }: RingPlan,
    reasonOf: (node: string) => ShardReason,
  ): Pick<MapChange, 'changed' | 'moves'> {
    const { owners, replicaCount } = placement
    const counts = new Map<ShardReason, number>()
    const changed = new Map<number, ChangedShard>()
    const note = (shard: number, reason: ShardReason): void => {
      if (changed.has(shard)) return
      changed.set(shard, { reason, previousOwner: this.#name(old[shard * oldCount]) })
    }
    const loss = (index: number): ShardReason | null => {
      if (index === NOBODY) return null
      const reason = reasonOf(this.#ring.nodeAt(index))
      return LOSSES.has(reason) ? reason : null
    }
    const cause = (from: number, to: number): ShardReason => {
      if (this.#empty) return 'first-placement'
      const gained = reasonOf(this.#ring.nodeAt(to))
      if (from === NOBODY || gained !== 'load-bound') return loss(from) ?? gained
      return reasonOf(this.#ring.nodeAt(from))
    }
    for (const { slot, from, to } of moves) {
      const reason = cause(from, to)
      counts.set(reason, (counts.get(reason) ?? 0) + 1)
      note(Math.floor(slot / replicaCount), reason)
    }
    for (let shard = 0; shard < owners.length / replicaCount; shard++) {
      const [from, to] = [shard * oldCount, shard * replicaCount]
      let same = oldCount === replicaCount
      for (let i = 0; same && i < replicaCount; i++) same = old[from + i] === owners[to + i]
      if (same) continue
      const lost = [...old.subarray(from, from + oldCount)].map(loss).find((each) => each !== null)
      note(shard, lost ?? 'node-changed')
    }
    return { changed, moves: counts }
  }

  #name(index: number): NodeId | null {
    return index === NOBODY ? null : (this.#ring.nodeAt(index) as NodeId)
  }

  /** The same ring without those who left; nothing moves for it. */
  #renew(): void {
    if (this.#ring.leftCount <= Math.max(LEFT_MAX, this.#ring.memberCount)) return
    const old = this.#ring
    const members = [...this.#members.values()]
    this.#ring = new Ring(this.#kernel, members)
    const indices = new Map(members.map(({ node }, index) => [node, index]))
    const { keys, replicaCount, owners } = this.#placement
    const next = owners.map((owner) =>
      owner === NOBODY ? NOBODY : (indices.get(old.nodeAt(owner)) ?? NOBODY),
    )
    this.#placement = { keys, replicaCount, owners: next }
    this.#settled = null
  }
}

const LOSSES: ReadonlySet<ShardReason> = new Set(['node-failed', 'node-fenced', 'node-left'])

function emptyPlacement(pool: PoolId, { shardCount, replicaCount }: ShardRules): Placement {
  const keys = ringKeys(Array.from({ length: shardCount }, (_, shard) => shardKey(pool, shard)))
  return { keys, replicaCount, owners: new Uint32Array(shardCount * replicaCount).fill(NOBODY) }
}

/** Replicas that have no node, or one that is leaving. */
function homeless({ owners }: Placement, leave: readonly string[], ring: Ring): number {
  const leaving = new Set(leave)
  let count = 0
  for (const owner of owners) {
    if (owner === NOBODY || leaving.has(ring.nodeAt(owner))) count++
  }
  return count
}
