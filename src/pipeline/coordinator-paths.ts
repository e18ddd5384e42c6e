/**
 * The ways from each node of a pool to the others, published in the compacted topic `paths`: a record of a node is
 * written where its ways have become others, and soon after a node that they lead over has failed.
 *
 * Ways are gone through in rounds, at a pace of the log's time, over a map of the network that is made when a round
 * begins and anew when nodes fail, come back or leave: the same log gives the same records.
 */
import { HOPS_MAX } from '../core/evidence.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { PublishedRoute, RoutePath, RoutePaths } from '../core/route-paths.ts'
import { RouteMap } from '../decide/paths/route-map.ts'
import type { Routes } from '../decide/paths/routes.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** Nodes of a pool whose ways are published, the first by name; `GET /v1/paths` answers for all. */
export const PATH_NODES_MAX = 128
/** Nodes whose ways are worked out in a second of the log's time, over all pools, and at most at once. */
const SOURCES_PER_SECOND = 1
const SOURCES_AT_ONCE_MAX = 4
/** The same where a node of their ways has failed, at each look. */
const URGENT_AT_ONCE_MAX = 32
const LOOK_MS = 1_000
/** From the beginning of a round to that of the next one, if it takes no longer. */
const ROUND_MS = 60_000
/** Nodes that fail together are followed together. */
const GATHER_MS = 2_000
/** A way is told anew where it, or the best that there is, takes so much longer or shorter than was told. */
const CHANGED_RATIO = 0.25

type Ways = ReadonlyMap<NodeId, Routes>

interface PoolPaths {
  readonly id: PoolId
  /** As published. */
  readonly told: Map<NodeId, Ways>
  /** Silent or failed; while our own view is late nobody becomes so, and nobody comes back. */
  readonly down: Set<NodeId>
  /** Have failed, come back or left since the map was made. */
  readonly changed: Set<NodeId>
  map: RouteMap | null
  mapAtMs: number
  leftOutCount: number
  nextRoundMs: number
  readonly urgent: Set<NodeId>
  readonly waiting: Set<NodeId>
}

export class PathDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #pools = new Map<PoolId, PoolPaths>()
  #lookedAtMs = 0
  #allowance = 0
  #toldCount = 0

  constructor(state: CoordinatorState, outbox: Outbox) {
    this.#state = state
    this.#outbox = outbox
  }

  stats(): Readonly<Record<string, number>> {
    let leftOut = 0
    for (const { leftOutCount } of this.#pools.values()) leftOut += leftOutCount
    return { pathRecordCount: this.#toldCount, pathNodesLeftOut: leftOut }
  }

  /** Once for each record, before nodes that left are forgotten. */
  follow(): void {
    const { left, touched } = this.#state
    if (this.#pools.size > 0) {
      for (const { pool, node } of left) this.#forget(pool, node)
      for (const node of touched) this.#note(node)
    }
    const { nowMs } = this.#outbox
    if (nowMs - this.#lookedAtMs < LOOK_MS) return
    const earned = ((nowMs - this.#lookedAtMs) * SOURCES_PER_SECOND) / 1_000
    this.#allowance = Math.min(SOURCES_AT_ONCE_MAX, this.#allowance + earned)
    this.#lookedAtMs = nowMs
    for (const id of this.#state.latencies.pools()) {
      if (!this.#pools.has(id)) this.#pools.set(id, this.#begin(id))
    }
    for (const pool of this.#pools.values()) this.#look(pool, nowMs)
  }

  #begin(id: PoolId): PoolPaths {
    const nodes = [...this.#state.pool(id).nodes.values()]
    return {
      id,
      told: new Map(),
      down: new Set(
        nodes.filter((node) => this.#isDown(node) === true).map(({ id: name }) => name),
      ),
      changed: new Set(),
      map: null,
      mapAtMs: 0,
      leftOutCount: 0,
      nextRoundMs: 0,
      urgent: new Set(),
      waiting: new Set(),
    }
  }

  #note(node: NodeState): void {
    const pool = this.#pools.get(node.pool)
    const isDown = this.#isDown(node)
    if (pool === undefined || isDown === null || isDown === pool.down.has(node.id)) return
    if (isDown) pool.down.add(node.id)
    else pool.down.delete(node.id)
    pool.changed.add(node.id)
  }

  /** Null: nobody knows. */
  #isDown(node: NodeState): boolean | null {
    if (node.failedAtMs !== null) return true
    const liveness = this.#state.livenessOf(node)
    return liveness === 'unknown' ? null : liveness === 'silent'
  }

  #forget(id: PoolId, node: NodeId): void {
    const pool = this.#pools.get(id)
    if (pool === undefined) return
    pool.down.delete(node)
    pool.urgent.delete(node)
    pool.waiting.delete(node)
    pool.changed.add(node)
    if (pool.told.delete(node)) this.#outbox.pathsGone(id, node)
  }

  #look(pool: PoolPaths, nowMs: number): void {
    const { urgent, waiting, changed, told } = pool
    if (changed.size > 0) {
      if (nowMs - pool.mapAtMs < GATHER_MS) return
      for (const [node, ways] of told) if (leadsOver(ways, changed)) urgent.add(node)
      for (const node of changed) if (this.#isMember(pool, node)) urgent.add(node)
      changed.clear()
      this.#survey(pool, nowMs)
    }
    if (urgent.size === 0 && waiting.size === 0 && nowMs >= pool.nextRoundMs) {
      pool.nextRoundMs = nowMs + ROUND_MS
      this.#survey(pool, nowMs)
      for (const node of [...(pool.map?.names ?? []), ...told.keys()]) waiting.add(node)
    }
    const { map } = pool
    if (map === null) return
    let left = URGENT_AT_ONCE_MAX
    for (const node of urgent) {
      if (left-- === 0) return
      urgent.delete(node)
      waiting.delete(node)
      this.#tell(pool, map, node)
    }
    for (const node of waiting) {
      if (this.#allowance < 1) return
      this.#allowance--
      waiting.delete(node)
      this.#tell(pool, map, node)
    }
    pool.map = null
  }

  #isMember({ id }: PoolPaths, node: NodeId): boolean {
    return this.#state.nodes.get(node)?.pool === id
  }

  #survey(pool: PoolPaths, nowMs: number): void {
    const isUsable = (node: NodeId) => this.#isMember(pool, node) && !pool.down.has(node)
    const links = this.#state.latencies
      .links(pool.id, nowMs)
      .filter(({ from, to }) => isUsable(from) && isUsable(to))
    const names = [...new Set(links.flatMap(({ from, to }) => [from, to]))].sort()
    const followed = new Set(names.slice(0, PATH_NODES_MAX))
    pool.leftOutCount = names.length - followed.size
    pool.map = new RouteMap(links.filter(({ from, to }) => followed.has(from) && followed.has(to)))
    pool.mapAtMs = nowMs
  }

  #tell(pool: PoolPaths, map: RouteMap, node: NodeId): void {
    const found = new Map(
      [...map.from(node)].flatMap(([to, ways]): [NodeId, Routes][] => {
        const within = inReach(ways)
        return within.shortest === null ? [] : [[to, within]]
      }),
    )
    const before = pool.told.get(node)
    if (before === undefined && found.size === 0) return
    if (before !== undefined && stands(before, found, map)) return
    pool.told.set(node, found)
    this.#toldCount++
    const routes = [...found].map(([to, ways]): PublishedRoute => ({ to, ...ways }))
    this.#outbox.paths({ pool: pool.id, from: node, epoch: this.#state.epoch, routes })
  }
}

/** Observations are passed on so often at most: a longer way leads nowhere. */
function inReach({ shortest, pair }: Routes): Routes {
  const isNear = ({ nodes }: RoutePath) => nodes.length <= HOPS_MAX + 2
  return {
    shortest: shortest !== null && isNear(shortest) ? shortest : null,
    pair: pair !== null && pair.paths.every(isNear) ? pair : null,
  }
}

function leadsOver(ways: Ways, changed: ReadonlySet<NodeId>): boolean {
  for (const { shortest, pair } of ways.values()) {
    for (const path of [shortest, ...(pair?.paths ?? [])]) {
      if (path?.nodes.some((node) => changed.has(node)) === true) return true
    }
  }
  return false
}

/** Whether what was told of a node still says where to go, and about how long it takes. */
function stands(told: Ways, found: Ways, map: RouteMap): boolean {
  if (told.size !== found.size) return false
  for (const [to, now] of found) {
    const before = told.get(to)
    if (before === undefined || before.pair?.disjoint !== now.pair?.disjoint) return false
    if (!holds(pathsOf(before.shortest), pathsOf(now.shortest), map)) return false
    if (!holds(before.pair?.paths ?? [], now.pair?.paths ?? [], map)) return false
  }
  return true
}

/** Ways that can be gone still, as fast as was told and about as fast as the best: noise makes no news. */
function holds(told: readonly RoutePath[], best: readonly RoutePath[], map: RouteMap): boolean {
  if (told.length !== best.length) return false
  let [then, now, least] = [0, 0, 0]
  for (const [i, path] of told.entries()) {
    const ms = map.latencyMs(path)
    if (ms === null) return false
    then += path.latencyMs
    now += ms
    least += best[i].latencyMs
  }
  const isAsTold = Math.abs(now - then) <= CHANGED_RATIO * then
  return isAsTold && now <= (1 + CHANGED_RATIO) * least
}

function pathsOf(shortest: RoutePaths['shortest']): readonly RoutePath[] {
  return shortest === null ? [] : [shortest]
}
