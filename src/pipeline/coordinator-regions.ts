/**
 * A region is lost when all of its nodes are down, which is one incident of that cause. Where the policy says
 * so, its CRITICAL and HIGH work then goes to other regions at the pace of recovery, and the rest waits, so that
 * the room that others have goes to what is urgent. It ends when half of the region's nodes live again.
 */
import { CAUSE_NODES_MAX } from '../core/alert.ts'
import type { Policy } from '../core/policy.ts'
import type { Placement, Priority } from '../core/workload.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'
import type { RegionCount } from './region-counts.ts'

const LEAVES: ReadonlySet<Priority> = new Set(['CRITICAL', 'HIGH'])

export class RegionDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #policyFor: (pool: PoolState) => Policy
  #lostCount = 0

  constructor(state: CoordinatorState, outbox: Outbox, policyFor: (pool: PoolState) => Policy) {
    this.#state = state
    this.#outbox = outbox
    this.#policyFor = policyFor
  }

  stats(): Readonly<Record<string, number>> {
    return { lostRegionCount: this.#state.lostRegions.size, regionFailoverCount: this.#lostCount }
  }

  /** Call it before incidents are looked at. */
  follow(): void {
    const { regions, lostRegions } = this.#state
    for (const count of regions.changed) {
      const { nodes, downCount } = count
      const policy = this.#policyFor(this.#state.pool(count.pool))
      const isLarge = nodes.size >= policy.sharedCauseNodesMin
      if (!lostRegions.has(count)) {
        if (policy.regionalFailover && isLarge && downCount === nodes.size) this.#lose(count)
      } else if (2 * downCount <= nodes.size) this.#end(count)
    }
    regions.changed.clear()
  }

  #lose(count: RegionCount): void {
    const { pool, region, nodes } = count
    const { votes } = this.#policyFor(this.#state.pool(pool))
    this.#state.lostRegions.add(count)
    this.#lostCount++
    const message = `Region ${region} is lost: all of its ${nodes.size} nodes are silent or have failed.`
    const asked = votes?.regionFailover === true ? ' once nodes have voted for it' : ''
    const then = `Its CRITICAL and HIGH work goes to other regions${asked}; the rest waits until it is back.`
    this.#outbox.journal({
      kind: 'fault',
      pool,
      reasons: [message, then],
      evidence: [
        { what: 'region', value: region, limit: null },
        { what: 'nodesDown', value: nodes.size, limit: nodes.size },
      ],
    })
    this.#outbox.alert({
      kind: 'shared-cause',
      pool,
      node: null,
      cause: `region:${region}`,
      nodes: [...nodes].slice(0, CAUSE_NODES_MAX),
      severity: 'critical',
      message: `${message} ${then}`,
      incidentId: null,
    })
    this.#wake(count)
  }

  #end(count: RegionCount): void {
    const { pool, region, nodes, downCount } = count
    this.#state.lostRegions.delete(count)
    const message = `Region ${region} is back: ${nodes.size - downCount} of its ${nodes.size} nodes live.`
    this.#outbox.journal({ kind: 'fault', pool, reasons: [message] })
    this.#outbox.alert({
      kind: 'shared-cause',
      pool,
      node: null,
      cause: `region:${region}`,
      severity: 'info',
      message,
      incidentId: null,
      resolved: true,
    })
    this.#wake(count)
  }

  /** What may go where is another answer now. */
  #wake({ pool: id }: RegionCount): void {
    const pool = this.#state.pool(id)
    pool.woken.add('capacity')
    pool.woken.add('votes')
    pool.dirty = true
  }
}

/** Why the workload stays with a region that is lost; null where it may go. */
export function staysWithRegion(
  state: CoordinatorState,
  node: NodeState,
  { priority }: Placement,
): string | null {
  const lost = LEAVES.has(priority) ? null : lostRegionOf(state, node)
  if (lost === null) return null
  return `region ${lost.region} is lost, and of its work only CRITICAL and HIGH goes to other regions`
}

/** The region of the node where it is lost; null where it is not, or the node names none. */
export function lostRegionOf(
  { lostRegions }: CoordinatorState,
  node: NodeState,
): RegionCount | null {
  const region = node.place?.region ?? null
  if (region === null) return null
  for (const lost of lostRegions) {
    if (lost.pool === node.pool && lost.region === region) return lost
  }
  return null
}
