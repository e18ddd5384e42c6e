/** What a watcher says of a node that is well. */
import type { Assessment } from '../../src/core/assessment.ts'
import type { NodeId, PoolId } from '../../src/core/ids.ts'

/** `but`: what is different. */
export function wellRow(
  node: string,
  pool: PoolId,
  nowMs: number,
  but: Partial<Assessment>,
): Assessment {
  return {
    node: node as NodeId,
    pool,
    class: 'server',
    liveness: 'live',
    lastSeenAtMs: nowMs,
    silentForMs: 0,
    health: 0.9,
    probability: null,
    trigger: 'grid',
    top: [],
    ...but,
  }
}
