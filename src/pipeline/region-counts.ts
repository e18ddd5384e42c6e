/** How many nodes of each region of a pool there are, and how many of them are down: silent, or failed. */
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NodeState } from './node-state.ts'

export interface RegionCount {
  readonly pool: PoolId
  readonly region: string
  /** Failed ones are counted until they leave. */
  readonly nodes: Set<NodeId>
  downCount: number
}

interface Counted {
  readonly count: RegionCount
  readonly isDown: boolean
}

export class RegionCounts {
  readonly #pools = new Map<PoolId, Map<string, RegionCount>>()
  /** Nodes that name a region, and how they are counted. */
  readonly #counted = new Map<NodeId, Counted>()
  /** Whose counts may have changed since they were last looked at. */
  readonly changed = new Set<RegionCount>()

  /** Call it after any change of the node. */
  note(node: NodeState, isDown: boolean): void {
    const region = node.place?.region ?? null
    const before = this.#counted.get(node.id)
    const isSame = before?.count.pool === node.pool && before.count.region === region
    if (isSame && before?.isDown === isDown) return
    this.forget(node.id)
    if (region === null) return
    const count = this.#count(node.pool, region)
    count.nodes.add(node.id)
    if (isDown) count.downCount++
    this.#counted.set(node.id, { count, isDown })
    this.changed.add(count)
  }

  forget(node: NodeId): void {
    const before = this.#counted.get(node)
    if (before === undefined) return
    const { count, isDown } = before
    this.#counted.delete(node)
    count.nodes.delete(node)
    if (isDown) count.downCount--
    this.changed.add(count)
    if (count.nodes.size === 0) this.#pools.get(count.pool)?.delete(count.region)
  }

  #count(pool: PoolId, region: string): RegionCount {
    let regions = this.#pools.get(pool)
    if (regions === undefined) this.#pools.set(pool, (regions = new Map()))
    let count = regions.get(region)
    if (count === undefined) {
      regions.set(region, (count = { pool, region, nodes: new Set(), downCount: 0 }))
    }
    return count
  }
}
