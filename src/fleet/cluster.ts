/**
 * Who runs what: the placements, the room that is left, and which nodes are up. A workload is on
 * one node or on none; a move in flight holds its room on the target.
 */
import { assert } from '../core/errors.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Capacity } from '../core/node.ts'
import type { VersionVector } from '../core/version-vector.ts'
import type { Needs, Placement } from '../core/workload.ts'
import type { Inventory, NodeSpec } from './inventory.ts'
import { addNeeds, fits, NO_NEEDS } from './inventory.ts'
import type { Demand } from './signals.ts'

export interface ClusterNode {
  readonly spec: NodeSpec
  /** Powered and sending telemetry. */
  up: boolean
  /** Kept off by a fence until it is repaired. */
  fenced: boolean
  cordoned: boolean
  /** Share of its capacity that it may be given work for, 0..1. */
  share: number
  /** When the last failure (or fence) took it down. */
  downAtMs: number | null
  readonly workloads: Set<WorkloadId>
  /** Moves towards this node that hold room on it. */
  readonly incoming: Set<WorkloadId>
  /** Workloads that it is the standby of: they hold room and run elsewhere. */
  readonly warm: Set<WorkloadId>
  /** Of its workloads; kept because every sample asks for it. */
  demand: Demand
}

type Moved = (placement: Placement, before: NodeId | null) => void

export class Cluster {
  readonly nodes: readonly ClusterNode[]
  private readonly byId = new Map<string, ClusterNode>()
  private readonly placements = new Map<WorkloadId, Placement>()
  private readonly onMoved: Moved

  /** `onMoved` is told of each change of a placement, and where the workload was before. */
  constructor(inventory: Inventory, onMoved: Moved = () => undefined) {
    this.onMoved = onMoved
    this.nodes = inventory.nodes.map((spec) => ({
      spec,
      up: true,
      fenced: false,
      cordoned: false,
      share: 1,
      downAtMs: null,
      workloads: new Set<WorkloadId>(),
      incoming: new Set<WorkloadId>(),
      warm: new Set<WorkloadId>(),
      demand: { cpu: 0, memory: 0, gpu: 0 },
    }))
    for (const node of this.nodes) this.byId.set(node.spec.id, node)
    for (const placement of inventory.placements) {
      this.placements.set(placement.workload, placement)
      this.byId.get(placement.node!)!.workloads.add(placement.workload)
      this.standbyOf(placement)?.warm.add(placement.workload)
    }
    for (const node of this.nodes) node.demand = this.demandOf(node)
  }

  node(id: NodeId): ClusterNode | undefined {
    return this.byId.get(id)
  }

  placement(workload: WorkloadId): Placement | undefined {
    return this.placements.get(workload)
  }

  allPlacements(): IterableIterator<Placement> {
    return this.placements.values()
  }

  get workloadCount(): number {
    return this.placements.size
  }

  /** Why the workload cannot go to this node, or null when it can. */
  obstacle(workload: WorkloadId, target: ClusterNode): string | null {
    if (!target.up) return `target ${target.spec.id} is down`
    if (target.cordoned) return `target ${target.spec.id} is cordoned`
    const { needs, pool } = this.placements.get(workload)!
    if (pool !== target.spec.pool) return `target ${target.spec.id} is not in pool ${pool}`
    if (fits(shareOf(target), this.used(target, true), needs)) return null
    return `target ${target.spec.id} has no room or not the GPUs for ${workload}`
  }

  /** Whether what is left on the nodes of its pool that are up would hold it, put together on one large enough. */
  hasRoom(workload: WorkloadId): boolean {
    const { needs, pool } = this.placements.get(workload)!
    let [cpu, memoryBytes, gpuCount, isLarge] = [0, 0, 0, false]
    for (const node of this.nodes) {
      const { capacity } = node.spec
      if (!node.up || node.spec.pool !== pool) continue
      const used = this.used(node, true)
      cpu += capacity.cpu - used.cpu
      memoryBytes += capacity.memoryBytes - used.memoryBytes
      isLarge ||= fits(capacity, NO_NEEDS, needs)
      if (capacity.gpu !== null && capacity.gpu.model === needs.gpu?.model) {
        gpuCount += capacity.gpu.count - (used.gpu?.count ?? 0)
      }
    }
    return (
      isLarge &&
      cpu >= needs.cpu &&
      memoryBytes >= needs.memoryBytes &&
      gpuCount >= (needs.gpu?.count ?? 0)
    )
  }

  /** Why the copy on this node cannot take over, or null when it can. */
  standbyObstacle(workload: WorkloadId, target: ClusterNode): string | null {
    if (!target.up) return `standby ${target.spec.id} is down`
    if (target.warm.has(workload)) return null
    return `node ${target.spec.id} is not the standby of workload ${workload}`
  }

  /** The standby takes over, and where the workload was becomes the standby. */
  promote(workload: WorkloadId, target: ClusterNode): Placement {
    const { node } = this.placements.get(workload)!
    const from = node === null ? undefined : this.byId.get(node)
    const placement = { ...this.move(workload, target), standby: node }
    from?.warm.add(workload)
    this.placements.set(workload, placement)
    this.onMoved(placement, node)
    return placement
  }

  /** Moves the workload and gives its new placement; a standby that it moves to is none any more. */
  move(workload: WorkloadId, target: ClusterNode): Placement {
    const placement = this.placements.get(workload)
    assert(placement !== undefined, `workload ${workload} is placed`)
    const from = placement.node === null ? undefined : this.byId.get(placement.node)
    from?.workloads.delete(workload)
    target.incoming.delete(workload)
    target.workloads.add(workload)
    const isStandby = target.warm.delete(workload)
    const moved = {
      ...placement,
      node: target.spec.id,
      ...(isStandby ? { standby: null } : {}),
      ...(placement.versions === undefined
        ? {}
        : { versions: countOn(placement.versions, target) }),
    }
    this.placements.set(workload, moved)
    target.demand = this.demandOf(target)
    if (from !== undefined) from.demand = this.demandOf(from)
    this.onMoved(moved, placement.node)
    return moved
  }

  private standbyOf({ standby = null }: Placement): ClusterNode | undefined {
    return standby === null ? undefined : this.byId.get(standby)
  }

  private demandOf(node: ClusterNode): Demand {
    const { capacity } = node.spec
    const used = this.used(node, false)
    return {
      cpu: used.cpu / capacity.cpu,
      memory: used.memoryBytes / capacity.memoryBytes,
      gpu: capacity.gpu === null ? 0 : (used.gpu?.count ?? 0) / capacity.gpu.count,
    }
  }

  /** `withIncoming`: with what holds room without running there. */
  private used(node: ClusterNode, withIncoming: boolean): Needs {
    let used = NO_NEEDS
    for (const workload of node.workloads) {
      used = addNeeds(used, this.placements.get(workload)!.needs)
    }
    if (!withIncoming) return used
    for (const workload of [...node.incoming, ...node.warm]) {
      used = addNeeds(used, this.placements.get(workload)!.needs)
    }
    return used
  }
}

/** Each zone's agents count what they place. */
function countOn(versions: VersionVector, { spec: { place, id } }: ClusterNode): VersionVector {
  const writer = place.zone ?? id
  return { ...versions, [writer]: (versions[writer] ?? 0) + 1 }
}

function shareOf({ spec, share }: ClusterNode): Capacity {
  const { cpu, memoryBytes, gpu } = spec.capacity
  const part = gpu === null ? null : { ...gpu, count: Math.floor(share * gpu.count) }
  return { cpu: share * cpu, memoryBytes: share * memoryBytes, gpu: part }
}
