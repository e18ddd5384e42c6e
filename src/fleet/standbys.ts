/** Hot standbys: the critical workloads have one each, in another zone where there is room. */
import type { PoolId } from '../core/ids.ts'
import type { Placement } from '../core/workload.ts'
import { addNeeds, fits, type Inventory, type NodeSpec, NO_NEEDS } from './inventory.ts'
import { Random } from './random.ts'

/** Before all are looked at. */
const DRAWS = 8

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
    const peers = byPool.get(placement.pool)!
    const random = new Random(seed, `standby/${placement.workload}`)
    const hasRoom = ({ id, capacity }: NodeSpec) =>
      id !== home.id && fits(capacity, used.get(id)!, placement.needs)
    const isApart = ({ place }: NodeSpec) => place.zone !== home.place.zone
    const standby =
      drawn(random, peers, (node) => isApart(node) && hasRoom(node)) ??
      drawn(random, peers, hasRoom)
    if (standby === undefined) return placement
    add(standby.id, placement)
    return { ...placement, standby: standby.id }
  })
}

/** One of those that will do, each as likely as the other. Most will, so a few draws cost less than a look at all. */
function drawn(
  random: Random,
  nodes: readonly NodeSpec[],
  does: (node: NodeSpec) => boolean,
): NodeSpec | undefined {
  for (let draw = 0; draw < DRAWS; draw++) {
    const node = random.pick(nodes)
    if (does(node)) return node
  }
  const able = nodes.filter(does)
  return able.length === 0 ? undefined : random.pick(able)
}
