/**
 * The shards of the coordinator's pools: who owns which, published in the compacted topic
 * `assignments`.
 *
 * Rules come from the configuration, which is no part of the log, and a map outlives many processes
 * and configurations. So a coordinator writes the rules that it was started with into its pool-log
 * (kind `shard-rules`) and follows only what it reads there: the same log gives the same map.
 */
import type { Rail } from '../core/command.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { logOutput } from '../core/log.ts'
import type { Mode, Policy } from '../core/policy.ts'
import type { RingMember } from '../core/ring.ts'
import type { ShardFigures, ShardReason, ShardRules } from '../core/shard.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import { type MapChange, type NodeChange, ShardMap } from './shard-map.ts'
import { changeOf } from './shard-member.ts'
import { ShardPages } from './shard-pages.ts'
import { changeReasons, refusalReasons } from './shard-reasons.ts'

/** Changes gather for so long before one plan follows them all; a loss waits only for the last plan. */
export const GATHER_MS = 1_000
/** Moves that a budget put off go on this much later. */
export const NEXT_MOVES_MS = 10_000

/** Body of a pool-log record `shard-rules`: what the map of a pool follows from there on. */
export interface PoolRules {
  readonly pool: PoolId
  /** `null`: the pool has no shards. */
  readonly rules: ShardRules | null
  readonly mode: Mode
  readonly dryRun: boolean
}

/** Body of a pool-log record `shard-page`. */
export interface ShardPage {
  readonly pool: PoolId
}

/** Body of a pool-log record `freeze`: why the map stands as it is; null: it follows again. */
export interface ShardFreeze {
  readonly pool: PoolId
  readonly reason: string | null
}

export interface ShardDeskOptions {
  /** Of the pool-log. */
  readonly partition: number
  readonly topology: Topology
  readonly kernel: WebAssembly.Module
  readonly policyFor: (pool: PoolId) => Policy
}

interface PoolShards {
  readonly id: PoolId
  followed: PoolRules
  map: ShardMap | null
  readonly pages: ShardPages
  /** A page was asked for and has not come back through the log. */
  paging: boolean
  /** No side of the pool's network goes on, as the log has it. */
  frozen: string | null
  /** What the log was asked to have instead, and has not yet; null: nothing. */
  freezeAsked: boolean | null
  /** What the map does not follow yet. */
  readonly pending: Map<NodeId, NodeChange>
  /** The plan has something to do without a change of nodes. */
  replan: boolean
  dueMs: number
  plannedAtMs: number
  /** What is pending was refused and journaled. */
  refused: boolean
  readonly moves: Map<ShardReason, number>
  deferred: number
  unplaced: number
}

export class ShardDesk {
  readonly #options: ShardDeskOptions
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #pools = new Map<PoolId, PoolShards>()
  #askedCount = 0

  constructor(options: ShardDeskOptions, state: CoordinatorState, outbox: Outbox) {
    this.#options = options
    this.#state = state
    this.#outbox = outbox
  }

  /** After a claim: a new owner may have another configuration. */
  claimed(): void {
    this.#askedCount = 0
    for (const shards of this.#pools.values()) shards.freezeAsked = null
  }

  /** Rules of a pool, read from the log. */
  take(followed: PoolRules): void {
    const shards = this.#pools.get(followed.pool) ?? createShards(followed)
    this.#pools.set(followed.pool, shards)
    const before = shards.followed.rules
    const { rules } = followed
    shards.followed = followed
    const map = shards.map
    if (map !== null && rules?.shardCount !== map.rules.shardCount) {
      shards.map = null
      shards.pages.forget(rules?.shardCount ?? 0, map.rules.shardCount)
      this.#publish(shards)
    }
    if (shards.map === null) {
      shards.pending.clear()
      const pool = this.#state.pool(followed.pool)
      for (const node of pool.nodes.values()) this.#note(shards, changeOf(node, undefined))
    } else if (JSON.stringify(before) !== JSON.stringify(rules)) {
      shards.replan = true
    }
    this.wake()
  }

  /** The page before is committed. */
  takePage({ pool }: ShardPage): void {
    const shards = this.#pools.get(pool)
    if (shards === undefined) return
    shards.paging = false
    this.#publish(shards)
  }

  takeFreeze({ pool, reason }: ShardFreeze): void {
    const shards = this.#pools.get(pool)
    if (shards === undefined) return
    shards.frozen = reason
    shards.freezeAsked = null
    this.wake()
  }

  /** An operator has spoken: what was refused may be allowed now. */
  wake(): void {
    for (const shards of this.#pools.values()) {
      shards.refused = false
      if (shards.pending.size > 0 || shards.replan) this.#due(shards, GATHER_MS)
    }
  }

  /** Once for each record, when all else has been decided: takes in what became of the nodes. */
  follow(): void {
    this.#ask()
    for (const shards of this.#pools.values()) this.#askFreeze(shards)
    const { left, touched } = this.#state
    if (this.#pools.size > 0) {
      for (const { pool, node } of left) {
        const shards = this.#pools.get(pool)
        if (shards !== undefined) this.#note(shards, { node, member: null, reason: 'node-left' })
      }
      for (const node of touched) {
        const shards = this.#pools.get(node.pool)
        if (shards !== undefined) this.#note(shards, changeOf(node, shards.map?.member(node.id)))
      }
    }
    left.length = 0
    const { nowMs } = this.#outbox
    if (nowMs === 0) return
    for (const shards of this.#pools.values()) if (nowMs >= shards.dueMs) this.#plan(shards)
  }

  figures(): readonly ShardFigures[] {
    return [...this.#pools.values()].flatMap((shards) => {
      return shards.map === null ? [] : [figuresOf(shards, shards.map)]
    })
  }

  /** Has the rules of this process written to the log where the log has others. */
  #ask(): void {
    const { pools } = this.#state
    if (pools.size === this.#askedCount) return
    for (const id of [...pools.keys()].slice(this.#askedCount)) {
      const { mode, dryRun, shards } = this.#options.policyFor(id)
      const wanted: PoolRules = { pool: id, rules: shards, mode, dryRun }
      const known = this.#pools.get(id)?.followed
      const same = JSON.stringify(known) === JSON.stringify(wanted)
      if (same || (known === undefined && shards === null)) continue
      this.#log('shard-rules', id, wanted)
    }
    this.#askedCount = pools.size
  }

  /** The policy of this process says whether a side goes on: a map that is folded again must know it from the log. */
  #askFreeze(shards: PoolShards): void {
    const reason = this.#state.pool(shards.id).noQuorum
    const wanted = reason !== null
    if (wanted === (shards.frozen !== null) || wanted === shards.freezeAsked) return
    shards.freezeAsked = wanted
    this.#log('freeze', shards.id, { pool: shards.id, reason })
  }

  #log(
    kind: 'shard-rules' | 'shard-page' | 'freeze',
    pool: PoolId,
    body: PoolRules | ShardPage | ShardFreeze,
  ): void {
    const { topology, partition } = this.#options
    this.#outbox.push(logOutput(topicName(topology, 'pool-log'), partition, kind, pool, body))
  }

  #note(shards: PoolShards, change: NodeChange): void {
    const { pending, map, followed } = shards
    if (followed.rules === null) return
    const known = map?.member(change.node)
    if (isSame(known, change.member ?? undefined)) {
      pending.delete(change.node)
      return
    }
    const waiting = pending.get(change.node)
    if (waiting !== undefined && isSame(waiting.member, change.member)) return
    pending.set(change.node, change)
    shards.refused = false
    this.#due(shards, change.member === null ? 0 : GATHER_MS)
  }

  #due(shards: PoolShards, waitMs: number): void {
    const { nowMs } = this.#outbox
    const dueMs = Math.max(nowMs + waitMs, shards.plannedAtMs + GATHER_MS)
    shards.dueMs = Math.min(shards.dueMs, dueMs)
  }

  #plan(shards: PoolShards): void {
    shards.dueMs = Number.POSITIVE_INFINITY
    const { rules } = shards.followed
    const changes = [...shards.pending.values()].sort((a, b) => (a.node < b.node ? -1 : 1))
    const first = shards.map === null
    if (rules === null || (first && changes.every(({ member }) => member === null))) return
    if (changes.length === 0 && !shards.replan) return
    const hold = first ? null : this.#holdOf(shards)
    if (hold !== null) return this.#refuse(shards, changes, hold)
    shards.map ??= new ShardMap(this.#options.kernel, shards.id, rules)
    const change = shards.map.apply(changes, rules)
    shards.pending.clear()
    for (const node of change.leftOut) {
      const waiting = changes.find((each) => each.node === node)
      if (waiting !== undefined) shards.pending.set(node, waiting)
    }
    this.#applied(shards, changes, change)
  }

  #applied(shards: PoolShards, changes: readonly NodeChange[], change: MapChange): void {
    shards.plannedAtMs = this.#outbox.nowMs
    shards.deferred = change.deferred
    shards.unplaced = change.unplaced
    shards.replan = change.deferred > 0
    if (shards.replan) this.#due(shards, NEXT_MOVES_MS)
    for (const [reason, count] of change.moves) {
      shards.moves.set(reason, (shards.moves.get(reason) ?? 0) + count)
    }
    if (change.changed.size > 0) {
      const { rules } = shards.followed
      this.#outbox.journal({
        kind: 'assignment',
        pool: shards.id,
        reasons: changeReasons(changes, change, rules?.shardCount ?? 0),
        evidence: [...change.moves].map(([reason, value]) => {
          return { what: `moves.${reason}`, value, limit: rules?.movesMax ?? null }
        }),
      })
    }
    shards.pages.note(change)
    this.#publish(shards)
  }

  #publish(shards: PoolShards): void {
    if (shards.paging) return
    shards.paging = shards.pages.publish(shards.map, this.#outbox, this.#state.epoch)
    if (shards.paging) this.#log('shard-page', shards.id, { pool: shards.id })
  }

  /** Why the map stands as it is, or null. A map that gateways follow moves what they send. */
  #holdOf({
    id,
    followed,
    frozen,
  }: PoolShards): { readonly rail: Rail; readonly reason: string } | null {
    const pool = this.#state.pool(id)
    const stopped = stopOf(pool, this.#outbox.nowMs)
    if (stopped !== null) return { rail: 'stop', reason: `the pool is stopped: ${stopped}` }
    if (frozen !== null) return { rail: 'no-quorum', reason: frozen }
    const mode = pool.mode ?? followed.mode
    if (mode !== 'enforce') return { rail: 'mode', reason: `the mode is ${mode}` }
    return followed.dryRun ? { rail: 'mode', reason: 'the policy is a dry run' } : null
  }

  #refuse(
    shards: PoolShards,
    changes: readonly NodeChange[],
    { rail, reason }: { readonly rail: Rail; readonly reason: string },
  ): void {
    // A hold out of band ends by itself.
    const { heldUntilMs } = this.#state.pool(shards.id)
    if (heldUntilMs > this.#outbox.nowMs) this.#due(shards, heldUntilMs - this.#outbox.nowMs)
    if (shards.refused) return
    shards.refused = true
    this.#outbox.journal({
      kind: 'refusal',
      rail,
      pool: shards.id,
      reasons: refusalReasons(reason, changes),
    })
  }
}

function createShards(followed: PoolRules): PoolShards {
  return {
    id: followed.pool,
    followed,
    map: null,
    pages: new ShardPages(followed.pool),
    paging: false,
    frozen: null,
    freezeAsked: null,
    pending: new Map(),
    replan: false,
    dueMs: Number.POSITIVE_INFINITY,
    plannedAtMs: Number.NEGATIVE_INFINITY,
    refused: false,
    moves: new Map(),
    deferred: 0,
    unplaced: 0,
  }
}

function stopOf({ stopped, held, heldUntilMs }: PoolState, nowMs: number): string | null {
  return stopped ?? (nowMs < heldUntilMs ? held : null)
}

function isSame(a: RingMember | null | undefined, b: RingMember | null | undefined): boolean {
  return (a ?? null) === (b ?? null) || (a?.weight === b?.weight && a?.zone === b?.zone)
}

function figuresOf(shards: PoolShards, map: ShardMap): ShardFigures {
  const { id, moves, deferred, unplaced, pending } = shards
  const loads = map.loads()
  const taking = loads.filter(({ weight }) => weight > 0)
  const held = loads.reduce((sum, { load }) => sum + load, 0)
  const kept = held - taking.reduce((sum, { load }) => sum + load, 0)
  const weights = taking.reduce((sum, { weight }) => sum + weight, 0)
  const fair = (weight: number): number => ((held - kept) * weight) / weights
  const perNode = taking.map(({ load }) => load)
  return {
    pool: id,
    shardCount: map.rules.shardCount,
    nodeCount: taking.length,
    perNodeMax: maxOf(perNode),
    perNodeMean: taking.length === 0 ? 0 : (held - kept) / taking.length,
    perNodeMin: perNode.length === 0 ? 0 : -maxOf(perNode.map((load) => -load)),
    loadRatioMax: held === kept ? 0 : maxOf(taking.map((n) => n.load / fair(n.weight))),
    boundRatio: map.rules.boundRatio,
    nodesOverBound: taking.filter(({ load, capacity }) => load > capacity).length,
    withoutOwner: map.withoutOwner(),
    unplaced,
    deferred,
    waitingNodes: pending.size,
    moves: Object.fromEntries(moves),
  }
}

/** 0 of nothing. A spread of ten thousand arguments would be many for a call. */
function maxOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => Math.max(a, b))
}
