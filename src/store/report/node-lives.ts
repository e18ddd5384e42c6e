/**
 * Which nodes were there, in which pool and for how long, and which of them failed for certain. Events
 * may come in any order: they are put in order of their own times when all have been taken.
 */
import { DEFAULT_POOL, type NodeId, type PoolId } from '../../core/ids.ts'
import type {
  FailureEvent,
  JoinEvent,
  LabelsEvent,
  LeaveEvent,
  NodeEvent,
} from '../../core/node.ts'
import { checkRoom, LIFE_EVENTS_MAX, NODES_MAX } from './limits.ts'

/** What a report is about: from `fromMs` to `toMs`. */
export interface Window {
  readonly fromMs: number
  readonly toMs: number
}

/** A confirmed failure within the window. */
export interface Failure {
  readonly node: NodeId
  readonly pool: PoolId
  readonly kind: string
  readonly atMs: number
  /** When the node was there again; null while it was not. */
  readonly backAtMs: number | null
}

export interface Lives {
  /** By node, in order of time. */
  readonly failures: ReadonlyMap<NodeId, readonly Failure[]>
  /** By pool: nodes that were there at some time, and the sum of the times, ms. */
  readonly exposure: ReadonlyMap<PoolId, { readonly nodes: number; readonly nodeMs: number }>
  /** Failures of nodes of which nothing else is known: they belong to no pool and are not counted. */
  readonly strangerFailureCount: number
}

/**
 * A failure so soon after another, with no join between, is the same one said again. Later it is a new one:
 * the node came back by a sign of life alone, and its time until then counts as away.
 */
const REPEAT_MS = 600_000

type LifeEvent = JoinEvent | LeaveEvent | FailureEvent | LabelsEvent

interface Sighting {
  pool: PoolId
  firstAtMs: number
  lastAtMs: number
}

interface Life {
  readonly node: NodeId
  readonly pools: Map<PoolId, number>
  readonly failures: Failure[]
  pool: PoolId | null
  /** Null while the node is not there. */
  upSinceMs: number | null
}

export class NodeLives {
  readonly #events = new Map<NodeId, LifeEvent[]>()
  readonly #sightings = new Map<NodeId, Sighting>()
  #eventCount = 0

  take(event: NodeEvent): void {
    if (event.kind === 'heartbeat' || event.kind === 'error' || event.kind === 'maintenance') return
    if (event.kind === 'labels' && event.labels['pool'] === undefined) return
    checkRoom(this.#eventCount++, LIFE_EVENTS_MAX, 'joins, leaves and failures')
    const events = this.#events.get(event.node)
    if (events === undefined) this.#events.set(event.node, [event])
    else events.push(event)
  }

  /** A sign of life, for nodes that never said that they joined. */
  see(node: NodeId, pool: PoolId, atMs: number): void {
    const seen = this.#sightings.get(node)
    if (seen === undefined) {
      checkRoom(this.#sightings.size, NODES_MAX, 'nodes')
      this.#sightings.set(node, { pool, firstAtMs: atMs, lastAtMs: atMs })
      return
    }
    if (atMs >= seen.lastAtMs) seen.pool = pool
    seen.firstAtMs = Math.min(seen.firstAtMs, atMs)
    seen.lastAtMs = Math.max(seen.lastAtMs, atMs)
  }

  lives(window: Window): Lives {
    const failures = new Map<NodeId, readonly Failure[]>()
    const exposure = new Map<PoolId, { nodes: number; nodeMs: number }>()
    let strangerFailureCount = 0
    for (const node of new Set([...this.#events.keys(), ...this.#sightings.keys()])) {
      const life = this.#live(node, window)
      if (life === null) {
        strangerFailureCount += this.#events.get(node)?.length ?? 0
        continue
      }
      if (life.failures.length > 0) failures.set(node, life.failures)
      for (const [pool, ms] of life.pools) {
        const sum = exposure.get(pool) ?? { nodes: 0, nodeMs: 0 }
        exposure.set(pool, { nodes: sum.nodes + 1, nodeMs: sum.nodeMs + ms })
      }
    }
    return { failures, exposure, strangerFailureCount }
  }

  /** Null: only failures tell of it, and no pool can be named. */
  #live(node: NodeId, window: Window): Life | null {
    const seen = this.#sightings.get(node)
    const events = (this.#events.get(node) ?? []).toSorted((a, b) => a.atMs - b.atMs)
    const hasJoined = events.some(({ kind }) => kind === 'join')
    if (seen === undefined && !hasJoined) return null
    const life: Life = { node, pools: new Map(), failures: [], pool: null, upSinceMs: null }
    if (seen !== undefined && events[0]?.kind !== 'join') {
      const isKnownBefore = events.length > 0 && events[0].atMs < seen.firstAtMs
      life.pool = seen.pool
      life.upSinceMs = isKnownBefore ? window.fromMs : seen.firstAtMs
    }
    for (const event of events) if (event.atMs <= window.toMs) follow(life, event, window)
    close(life, window.toMs, window)
    return life
  }
}

function follow(life: Life, event: LifeEvent, window: Window): void {
  switch (event.kind) {
    case 'join':
    case 'labels': {
      const pool = event.kind === 'join' ? event.pool : (event.labels['pool'] as PoolId | null)
      if (event.kind === 'join') comeBack(life, event.atMs)
      else if (life.upSinceMs === null) return
      close(life, event.atMs, window)
      life.pool = pool ?? DEFAULT_POOL
      life.upSinceMs = event.atMs
      return
    }
    case 'leave':
      return close(life, event.atMs, window)
    case 'failure': {
      const lastAtMs = life.failures.at(-1)?.atMs ?? -Infinity
      if (life.pool === null || (event.atMs - lastAtMs < REPEAT_MS && life.upSinceMs === null))
        return
      close(life, event.atMs, window)
      if (event.atMs < window.fromMs) return
      const { node, pool } = life
      const { atMs, failureKind: kind } = event
      life.failures.push({ node, pool, kind, atMs, backAtMs: null })
    }
  }
}

function comeBack({ failures }: Life, atMs: number): void {
  const last = failures.at(-1)
  if (last?.backAtMs === null) failures[failures.length - 1] = { ...last, backAtMs: atMs }
}

function close(life: Life, atMs: number, window: Window): void {
  const { pool, upSinceMs } = life
  life.upSinceMs = null
  if (pool === null || upSinceMs === null) return
  const ms = Math.min(atMs, window.toMs) - Math.max(upSinceMs, window.fromMs)
  if (ms > 0) life.pools.set(pool, (life.pools.get(pool) ?? 0) + ms)
}
