/**
 * Who runs where, as the executors said it, and the room that moves under way will need.
 *
 * Placements are the executors' truth: a workload moves here only when its placement says so.
 * Loads are kept as sums, so that asking for a node's load costs nothing.
 */
import type { NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import type { Placement } from '../core/workload.ts'

export interface Load {
  readonly cpu: number
  readonly memoryBytes: number
  readonly gpuCount: number
}

interface Entry {
  placement: Placement
  /** Where a move under way will put it; its needs count there as well. */
  reservedOn: NodeId | null
}

interface NodeLoad {
  cpu: number
  memoryBytes: number
  gpuCount: number
  readonly workloads: Set<WorkloadId>
  entryCount: number
}

const NOTHING: Load = { cpu: 0, memoryBytes: 0, gpuCount: 0 }

export class PlacementLedger {
  readonly #workloads = new Map<WorkloadId, Entry>()
  readonly #nodes = new Map<NodeId, NodeLoad>()
  /** Pool and group → how many of it are on a node, those under way included. */
  readonly #groups = new Map<string, Map<NodeId, number>>()

  get workloadCount(): number {
    return this.#workloads.size
  }

  get(workload: WorkloadId): Placement | undefined {
    return this.#workloads.get(workload)?.placement
  }

  workloadsOn(node: NodeId): ReadonlySet<WorkloadId> {
    return this.#nodes.get(node)?.workloads ?? NO_WORKLOADS
  }

  load(node: NodeId): Load {
    return this.#nodes.get(node) ?? NOTHING
  }

  /** Nodes that members of the group are on, or on their way to. */
  groupOn(pool: PoolId, group: string): ReadonlyMap<NodeId, number> {
    return this.#groups.get(groupKey(pool, group)) ?? NO_NODES
  }

  /** Takes the newest word on one workload; a reservation ends, because now it is known. */
  place(placement: Placement): void {
    const entry = this.#workloads.get(placement.workload)
    if (entry === undefined) {
      this.#workloads.set(placement.workload, { placement, reservedOn: null })
    } else {
      this.#unload(entry.placement)
      if (entry.reservedOn === placement.node) this.unreserve(placement.workload)
      // Needs may have changed: what stays reserved is reserved anew.
      const reservedOn = entry.reservedOn
      this.unreserve(placement.workload)
      entry.placement = placement
      if (reservedOn !== null) this.reserve(placement.workload, reservedOn)
    }
    this.#load(placement)
  }

  /** It has room elsewhere: it is moving, or has moved and its placement is not known yet. */
  isReserved(workload: WorkloadId): boolean {
    return (this.#workloads.get(workload)?.reservedOn ?? null) !== null
  }

  reserve(workload: WorkloadId, node: NodeId): void {
    const entry = this.#workloads.get(workload)
    if (entry === undefined) return
    this.unreserve(workload)
    entry.reservedOn = node
    this.#add(node, entry.placement, 1)
  }

  unreserve(workload: WorkloadId): void {
    const entry = this.#workloads.get(workload)
    if (entry === undefined || entry.reservedOn === null) return
    this.#add(entry.reservedOn, entry.placement, -1)
    entry.reservedOn = null
  }

  /** What is kept warm has its room, or it could not be promoted. */
  #load(placement: Placement): void {
    const { node, standby = null, workload } = placement
    if (node !== null) this.#add(node, placement, 1).workloads.add(workload)
    if (standby !== null) this.#add(standby, placement, 1)
  }

  #unload(placement: Placement): void {
    const { node, standby = null, workload } = placement
    if (node !== null) {
      this.#nodes.get(node)!.workloads.delete(workload)
      this.#add(node, placement, -1)
    }
    if (standby !== null) this.#add(standby, placement, -1)
  }

  #add(node: NodeId, placement: Placement, sign: 1 | -1): NodeLoad {
    const { needs } = placement
    let load = this.#nodes.get(node)
    if (load === undefined) {
      load = { cpu: 0, memoryBytes: 0, gpuCount: 0, workloads: new Set(), entryCount: 0 }
      this.#nodes.set(node, load)
    }
    load.cpu += sign * needs.cpu
    load.memoryBytes += sign * needs.memoryBytes
    load.gpuCount += sign * (needs.gpu?.count ?? 0)
    load.entryCount += sign
    // An empty node is forgotten, and with it what rounding left in its sums.
    if (load.entryCount === 0) this.#nodes.delete(node)
    if (placement.group !== undefined) this.#count(placement.pool, placement.group, node, sign)
    return load
  }

  #count(pool: PoolId, group: string, node: NodeId, sign: 1 | -1): void {
    const key = groupKey(pool, group)
    let nodes = this.#groups.get(key)
    if (nodes === undefined) this.#groups.set(key, (nodes = new Map()))
    const count = (nodes.get(node) ?? 0) + sign
    if (count > 0) nodes.set(node, count)
    else if (nodes.delete(node) && nodes.size === 0) this.#groups.delete(key)
  }
}

function groupKey(pool: PoolId, group: string): string {
  return `${pool}\n${group}`
}

const NO_WORKLOADS: ReadonlySet<WorkloadId> = new Set()
const NO_NODES: ReadonlyMap<NodeId, number> = new Map()
