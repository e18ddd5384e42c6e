/** What a run cost the people whose work it was: the sums from which a price is made. */
import type { Priority } from '../core/workload.ts'
import type { Work } from './hands.ts'
import type { Machines } from './machines.ts'

/** What a second without a workload weighs, against one of priority NORMAL. */
export const PRIORITY_WEIGHTS: Readonly<Record<Priority, number>> = {
  CRITICAL: 4,
  HIGH: 2,
  NORMAL: 1,
  LOW: 0.5,
}

export interface Toll {
  /** Workload-milliseconds without a running copy, each times the weight of its priority. */
  readonly lostWorkMs: number
  /** Nodes that were emptied, fenced and restarted by a command, while faults came. */
  readonly emptiedCount: number
  readonly fencedCount: number
  readonly restartedCount: number
  /** Node-milliseconds of nodes that were well and kept from work. */
  readonly harmedNodeMs: number
}

export interface TollOf {
  readonly machines: Machines
  readonly works: readonly Work[]
  readonly harmedNodeMs: number
  /** Of the world's clock: the faults began and ended. */
  readonly beganAtMs: number
  readonly endedAtMs: number
}

export function toll({ machines, works, harmedNodeMs, beganAtMs, endedAtMs }: TollOf): Toll {
  let lostWorkMs = 0
  for (const { workload, atMs, untilMs } of machines.outages) {
    const downMs = Math.min(untilMs ?? endedAtMs, endedAtMs) - Math.max(atMs, beganAtMs)
    const priority = machines.cluster.placement(workload)?.priority ?? 'NORMAL'
    lostWorkMs += PRIORITY_WEIGHTS[priority] * Math.max(0, downMs)
  }
  const count = (named: string) =>
    works.filter(({ command: { action }, done, beganAtMs: atMs }) => {
      return action === named && done && atMs >= beganAtMs && atMs <= endedAtMs
    }).length
  return {
    lostWorkMs,
    emptiedCount: count('cordon'),
    fencedCount: count('fence'),
    restartedCount: count('restart'),
    harmedNodeMs,
  }
}
