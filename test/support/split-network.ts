/** A network of a coordinator's pool that is split: each node says whom it reaches, once a second. */
import type { SplitBrainRules } from '../../src/core/split-brain.ts'
import { type CoordinatorWorld, POOL } from './coordinator-world.ts'

export const SPLIT_BRAIN: SplitBrainRules = {
  policy: 'keep-majority',
  stableAfterMs: 15_000,
  quorumNodes: null,
  leaseWaitMs: 10_000,
  minority: 'pause',
  resumeEveryMs: 10_000,
  merge: 'last-writer',
}

/** Nodes `n0` and so on; those without a side say nothing and are reached by nobody. */
export function reach(
  world: CoordinatorWorld,
  sideOf: (node: number) => number | null,
  seconds: number,
  count = 9,
): void {
  const nodes = Array.from({ length: count }, (_, i) => i).filter((i) => sideOf(i) !== null)
  const named = (list: readonly number[]) => list.map((i) => `n${i}`)
  for (let second = 0; second < seconds; second++) {
    for (const i of nodes) {
      const own = nodes.filter((j) => j !== i && sideOf(j) === sideOf(i))
      const others = nodes.filter((j) => sideOf(j) !== sideOf(i))
      world.feed('evidence', {
        kind: 'reachability',
        pool: POOL,
        node: `n${i}`,
        atMs: world.nowMs,
        reachable: named(own),
        unreachable: named(others),
      })
    }
    world.after(1_000)
  }
}
