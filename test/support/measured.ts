/** What a node has measured of others, as its agent tells it. */
import type { NodeId } from '../../src/core/ids.ts'
import { type CoordinatorWorld, POOL } from './coordinator-world.ts'

export function measured(
  world: CoordinatorWorld,
  node: string,
  latencies: Record<string, number>,
): void {
  world.feed('evidence', {
    kind: 'reachability',
    pool: POOL,
    node: node as NodeId,
    atMs: world.nowMs,
    reachable: Object.keys(latencies),
    unreachable: [],
    latenciesMs: Object.values(latencies),
  })
}
