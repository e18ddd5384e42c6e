/** Which workloads of a simulated world depend on others: on such of the same node, so that plans have an order. */
import type { Placement } from '../core/workload.ts'
import { Random } from '../fleet/random.ts'

/** Share of the workloads, of those that have an earlier one on their node. */
const DEPENDENT_RATIO = 0.4

/**
 * Only on earlier ones, so none depends on itself by way of others; what has a standby depends on nothing
 * that takes longer.
 */
export function withDependencies(
  seed: number,
  placements: readonly Placement[],
): readonly Placement[] {
  const earlier = new Map<string, Placement[]>()
  return placements.map((placement) => {
    const { workload, node } = placement
    const all = earlier.get(String(node)) ?? []
    earlier.set(String(node), [...all, placement])
    const before = hasStandby(placement) ? all.filter(hasStandby) : all
    const random = new Random(seed, `dependencies/${workload}`)
    if (before.length === 0 || !random.chance(DEPENDENT_RATIO)) return placement
    return { ...placement, dependsOn: [random.pick(before).workload] }
  })
}

function hasStandby({ standby = null }: Placement): boolean {
  return standby !== null
}
