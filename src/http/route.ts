/**
 * GET /v1/route?key=: which healthy node a gateway should send a key to, and where else.
 *
 * Where the pool has shards, its published map says who owns the key, and who holds it besides. Else it
 * is the ring of its nodes: all are on it, healthy or not, so that keys of a node that is ill for a while
 * come back to it.
 */
import { Hono } from 'hono'
import type { KeyRing } from '../core/router.ts'
import type { Assignment } from '../core/shard.ts'
import type { ConsoleViews, NodeView } from '../store/views.ts'
import { badRequest, notFound, ProblemError } from './problem.ts'

const FALLBACKS_DEFAULT = 2
const FALLBACKS_MAX = 15
const KEY_LENGTH_MAX = 1_024
/** Beyond it a change of members would hold up other requests: such fleets are asked by pool. */
const NODES_MAX = 16_384
/** Rings of pools that were asked for; the one made first is forgotten, and made again when asked. */
const RINGS_MAX = 16

export type MakeRing = () => KeyRing

export function routeRoutes(views: ConsoleViews, makeRing: MakeRing): Hono {
  const rings = new PoolRings(views, makeRing)
  const routes = new Hono()
  routes.get('/', (c) => {
    const { key, pool, fallbacks } = c.req.query()
    if (key === undefined || key === '' || key.length > KEY_LENGTH_MAX) {
      throw badRequest(`key: give one of 1 to ${KEY_LENGTH_MAX} characters`)
    }
    const countMax = 1 + fallbacksOf(fallbacks)
    const placed = pool === undefined ? undefined : views.assignments.ofKey(pool, key)
    if (placed !== undefined) {
      const found = healthyOf(placed, views, rings, key, countMax)
      const [owner, ...others] = found
      if (owner === undefined) throw nobodyHealthy(`the nodes of pool "${placed.pool}"`)
      return c.json({
        key,
        pool: placed.pool,
        shard: placed.shard,
        owner,
        fallbacks: others,
        home: placed.owner,
      })
    }
    const ring = rings.of(pool)
    if (ring.memberCount === 0) {
      throw notFound(pool === undefined ? 'no node is known' : `no node of pool "${pool}" is known`)
    }
    const isHealthy = (id: string): boolean => healthy(views.node(id))
    const [home] = ring.walk(key, () => true, 1)
    const [owner = null, ...others] = ring.walk(key, isHealthy, countMax)
    if (owner === null) throw nobodyHealthy(`${ring.memberCount} nodes`)
    return c.json({ key, pool: pool ?? null, owner, fallbacks: others, home })
  })
  return routes
}

/** Those that hold the shard come first, then others of the pool in the order of its ring. */
function healthyOf(
  { pool, owner, replicas }: Assignment,
  views: ConsoleViews,
  rings: PoolRings,
  key: string,
  countMax: number,
): readonly string[] {
  const holders = [...(owner === null ? [] : [owner]), ...replicas].filter((id) =>
    healthy(views.node(id)),
  )
  const found = holders.slice(0, countMax)
  if (found.length === countMax) return found
  const known = new Set<string>(holders)
  const wanted = (id: string): boolean => !known.has(id) && healthy(views.node(id))
  return [...found, ...rings.of(pool).walk(key, wanted, countMax - found.length)]
}

function nobodyHealthy(whom: string): ProblemError {
  return new ProblemError({
    status: 503,
    title: 'No healthy node',
    detail: `none of ${whom} is live, free of alarms and not cordoned`,
    code: 'NO_HEALTHY_NODE',
  })
}

function healthy(node: NodeView | undefined): boolean {
  return (
    node !== undefined &&
    node.liveness === 'live' &&
    ![node.failed, node.alarming, node.cordoned, node.maintenance].includes(true)
  )
}

function fallbacksOf(text: string | undefined): number {
  if (text === undefined) return FALLBACKS_DEFAULT
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(count <= FALLBACKS_MAX)) {
    throw badRequest(`fallbacks: "${text}" is no whole number from 0 to ${FALLBACKS_MAX}`)
  }
  return count
}

/** One ring per pool asked for, brought up to date when nodes have come, gone or moved. */
class PoolRings {
  readonly #views: ConsoleViews
  readonly #makeRing: MakeRing
  readonly #rings = new Map<string | undefined, { version: number; readonly ring: KeyRing }>()

  constructor(views: ConsoleViews, makeRing: MakeRing) {
    this.#views = views
    this.#makeRing = makeRing
  }

  of(pool: string | undefined): KeyRing {
    const version = this.#views.membersVersion
    const held = this.#rings.get(pool)
    if (held?.version === version) return held.ring
    const ids = this.#views
      .nodeIds()
      .filter((id) => pool === undefined || this.#views.node(id)?.pool === pool)
    if (ids.length === 0) return EMPTY
    if (ids.length > NODES_MAX) {
      throw badRequest(`${ids.length} nodes, ${NODES_MAX} at most on one ring: give pool`)
    }
    // Nodes that have left keep their index in a ring, so one that saw many leave begins anew.
    const stale = held !== undefined && held.ring.leftCount > NODES_MAX
    const ring = held === undefined || stale ? this.#makeRing() : held.ring
    const present = new Set(ids)
    const join = ids.filter((id) => !ring.has(id)).map((node) => ({ node, weight: 1, zone: null }))
    const leave = ring.members().flatMap(({ node }) => (present.has(node) ? [] : [node]))
    if (join.length + leave.length > 0) ring.change({ join, leave })
    this.#rings.delete(pool)
    this.#rings.set(pool, { version, ring })
    if (this.#rings.size > RINGS_MAX) this.#rings.delete([...this.#rings.keys()][0])
    return ring
  }
}

const EMPTY: KeyRing = {
  memberCount: 0,
  leftCount: 0,
  has: () => false,
  members: () => [],
  change: () => undefined,
  walk: () => [],
}
