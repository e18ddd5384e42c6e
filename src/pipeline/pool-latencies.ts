/** Measured latencies of each pool, and the ways over them. */
import type { ReachabilityReport } from '../core/evidence.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { RoutePaths } from '../core/route-paths.ts'
import { latencyMsByPlace } from '../decide/distance.ts'
import { Latencies, type Link } from '../decide/paths/latencies.ts'
import { routesBetween } from '../decide/paths/routes.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

export class PoolLatencies {
  readonly #pools = new Map<PoolId, Latencies>()

  take(report: ReachabilityReport, nowMs: number): void {
    let pool = this.#pools.get(report.pool)
    if (pool === undefined) this.#pools.set(report.pool, (pool = new Latencies()))
    pool.take(report, nowMs)
  }

  forget(pool: PoolId, node: NodeId): void {
    this.#pools.get(pool)?.forget(node)
  }

  /** As measured, or else as far as their places are apart; null where neither is known. */
  between(a: NodeState, b: NodeState, nowMs: number): number | null {
    const measured = this.#pools.get(a.pool)?.between(a.id, b.id, nowMs) ?? null
    return measured ?? latencyMsByPlace(a.place, b.place)
  }

  /** Whether anything may be known of how far others are from it. */
  isKnown({ pool, place }: NodeState): boolean {
    return (this.#pools.get(pool)?.count ?? 0) > 0 || (place?.latitude ?? null) !== null
  }

  /** Those where anybody has measured anything. */
  *pools(): Iterable<PoolId> {
    for (const [pool, { count }] of this.#pools) if (count > 0) yield pool
  }

  links(pool: PoolId, nowMs: number): readonly Link[] {
    return this.#pools.get(pool)?.links(nowMs) ?? []
  }

  stats(): Readonly<Record<string, number>> {
    let [latencyCount, latencyReportsLeftOut] = [0, 0]
    for (const { count, leftOutCount } of this.#pools.values()) {
      latencyCount += count
      latencyReportsLeftOut += leftOutCount
    }
    return { latencyCount, latencyReportsLeftOut }
  }

  /**
   * Over nodes that live now, so that a way is another one as soon as a node of it fails. Null where these are
   * not both nodes of the pool.
   */
  paths(
    state: CoordinatorState,
    poolId: string,
    fromId: string,
    toId: string,
    nowMs: number,
  ): RoutePaths | null {
    const [pool, from, to] = [poolId as PoolId, fromId as NodeId, toId as NodeId]
    const nodes = state.pools.get(pool)?.nodes
    if (nodes?.has(from) !== true || !nodes.has(to)) return null
    const isUp = (id: NodeId) => {
      const node = state.nodes.get(id)
      if (node === undefined || node.failedAtMs !== null) return false
      return node.pool === pool && state.livenessOf(node) === 'live'
    }
    return {
      pool,
      from,
      to,
      atMs: nowMs,
      ...routesBetween(this.links(pool, nowMs), from, to, isUp),
    }
  }
}
