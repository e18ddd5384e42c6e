/** Hot standbys: the critical workloads have one each, in another zone where there is room. */
import type { PoolId } from '../core/ids.ts'
import type { Placement } from '../core/workload.ts'
import { addNeeds, fits, type Inventory, type NodeSpec, NO_NEEDS } from './inventory.ts'
import { Random } from './random.ts'

export function withStandbys(seed: number, { nodes, placements }: Inventory): readonly Placement[] {
  const used = new Map(nodes.map(({ id }) => [String(id), NO_NEEDS]))
  const add = (node: string, { needs }: Placement) => {
    used.set(node, addNeeds(used.get(node)!, needs))
  }
  for (const placement of placements) add(String(placement.node), placement)
  const byId = new Map(nodes.map((node) => [String(node.id), node]))
  const byPool = new Map<PoolId, NodeSpec[]>(nodes.map(({ pool }) => [pool, []]))
  for (const node of nodes) byPool.get(node.pool)!.push(node)
  return placements.map((placement) => {
    if (placement.priority !== 'CRITICAL') return placement
    const home = byId.get(String(placement.node))!
    const hasRoom = ({ id, capacity }: NodeSpec) =>
      id !== home.id && fits(capacity, used.get(id)!, placement.needs)
    const able = byPool.get(placement.pool)!.filter(hasRoom)
    const apart = able.filter(({ place }) => place.zone !== home.place.zone)
    const choices = apart.length > 0 ? apart : able
    if (choices.length === 0) return placement
    const { id } = new Random(seed, `standby/${placement.workload}`).pick(choices)
    add(id, placement)
    return { ...placement, standby: id }
  })
}
