/**
 * What each pool carried and could carry, over time: the needs of what is placed, and the capacity of the
 * nodes that are there. Facts and placements of one pool come in order.
 */
import { checkHeld } from '../held.ts'
import { DEFAULT_POOL, type NodeId, type PoolId, type WorkloadId } from '../../core/ids.ts'
import type { Capacity, NodeEvent } from '../../core/node.ts'
import { HOUR_MS } from '../../core/time.ts'
import type { Needs, Placement } from '../../core/workload.ts'

export const RESOURCES = ['cpu', 'memoryBytes', 'gpu'] as const
export type Resource = (typeof RESOURCES)[number]
/** `gpu` counts GPUs, whatever their model. */
export type Amounts = Readonly<Record<Resource, number>>

const NODES_MAX = 1_000_000
const WORKLOADS_MAX = 1_000_000
/** Changes of a pool within this are one. */
const CHANGE_MS = 60_000
/** Of one pool; the oldest are forgotten, half of them at once. */
const CHANGES_MAX = 200_000
/** Steps of a series, from the finest that fits. */
const STEPS_MS = [60_000, 300_000, 900_000, HOUR_MS]
/** Eight weeks of hours; what is older is left out. */
const VALUES_MAX = 8 * 7 * 24

export interface PoolSeries {
  readonly stepMs: number
  /** By resource, one value each step, oldest first, up to now. */
  readonly loads: Readonly<Record<Resource, Float64Array>>
}

interface NodeBook {
  pool: PoolId
  capacity: Amounts
  up: boolean
}

interface Change {
  atMs: number
  load: Amounts
}

interface PoolBook {
  load: Record<Resource, number>
  changes: Change[]
}

export class PoolBooks {
  readonly #nodes = new Map<NodeId, NodeBook>()
  readonly #workloads = new Map<WorkloadId, { readonly pool: PoolId; readonly needs: Amounts }>()
  readonly #pools = new Map<PoolId, PoolBook>()

  takeFact(event: NodeEvent): void {
    const { kind, node } = event
    const known = this.#nodes.get(node)
    if (kind === 'join') {
      if (known === undefined) checkRoom(this.#nodes.size, NODES_MAX, 'nodes')
      const { pool } = event
      this.#nodes.set(node, { pool, capacity: capacityOf(event.capacity), up: true })
      this.#pool(pool)
    } else if (known === undefined) return
    else if (kind === 'leave') this.#nodes.delete(node)
    else if (kind === 'failure') known.up = false
    else if (kind === 'labels' && event.labels['pool'] !== undefined) {
      known.pool = (event.labels['pool'] ?? DEFAULT_POOL) as PoolId
      this.#pool(known.pool)
    }
  }

  /** As the coordinator sees a node: a sign of life alone brings one back. The newest word counts. */
  setUp(node: NodeId, up: boolean): void {
    const known = this.#nodes.get(node)
    if (known !== undefined) known.up = up
  }

  takePlacement({ workload, node, pool, needs }: Placement, atMs: number): void {
    const before = this.#workloads.get(workload)
    if (before !== undefined) this.#add(before.pool, before.needs, -1, atMs)
    this.#workloads.delete(workload)
    if (node === null) return
    checkRoom(this.#workloads.size, WORKLOADS_MAX, 'workloads')
    const amounts = needsOf(needs)
    this.#workloads.set(workload, { pool, needs: amounts })
    this.#add(pool, amounts, 1, atMs)
  }

  pools(): readonly PoolId[] {
    return [...this.#pools.keys()].sort()
  }

  /** Of the nodes of a pool that are there now. */
  nodesOf(pool: PoolId): ReadonlyMap<NodeId, Amounts> {
    const nodes = new Map<NodeId, Amounts>()
    for (const [node, book] of this.#nodes) {
      if (book.pool === pool && book.up) nodes.set(node, book.capacity)
    }
    return nodes
  }

  loadOf(pool: PoolId): Amounts {
    return this.#pools.get(pool)?.load ?? { cpu: 0, memoryBytes: 0, gpu: 0 }
  }

  /** The load at the end of each step up to `nowMs`; empty where nothing was ever placed. */
  seriesOf(pool: PoolId, nowMs: number): PoolSeries {
    const changes = this.#pools.get(pool)?.changes ?? []
    const spanMs = changes.length === 0 ? 0 : nowMs - changes[0].atMs
    const coarsest = STEPS_MS[STEPS_MS.length - 1]
    const stepMs = STEPS_MS.find((step) => spanMs / step <= VALUES_MAX) ?? coarsest
    const count = changes.length === 0 ? 0 : Math.min(VALUES_MAX, Math.floor(spanMs / stepMs) + 1)
    const loads = {
      cpu: new Float64Array(count),
      memoryBytes: new Float64Array(count),
      gpu: new Float64Array(count),
    }
    let next = 0
    for (let i = 0; i < count; i++) {
      const atMs = nowMs - (count - 1 - i) * stepMs
      while (next + 1 < changes.length && changes[next + 1].atMs <= atMs) next++
      for (const resource of RESOURCES) loads[resource][i] = changes[next].load[resource]
    }
    return { stepMs, loads }
  }

  #add(pool: PoolId, amounts: Amounts, sign: 1 | -1, atMs: number): void {
    const book = this.#pool(pool)
    for (const resource of RESOURCES) book.load[resource] += sign * amounts[resource]
    const { changes } = book
    const last = changes.at(-1)
    const load = { ...book.load }
    if (last !== undefined && atMs - last.atMs < CHANGE_MS) last.load = load
    else changes.push({ atMs, load })
    if (changes.length > CHANGES_MAX) changes.splice(0, CHANGES_MAX / 2)
  }

  #pool(pool: PoolId): PoolBook {
    let book = this.#pools.get(pool)
    if (book === undefined) {
      book = { load: { cpu: 0, memoryBytes: 0, gpu: 0 }, changes: [] }
      this.#pools.set(pool, book)
    }
    return book
  }
}

function capacityOf({ cpu, memoryBytes, gpu }: Capacity): Amounts {
  return { cpu, memoryBytes, gpu: gpu?.count ?? 0 }
}

function needsOf({ cpu, memoryBytes, gpu }: Needs): Amounts {
  return { cpu, memoryBytes, gpu: gpu?.count ?? 0 }
}

function checkRoom(held: number, max: number, what: string): void {
  checkHeld(held, max, { command: 'forecast', what, mend: 'forecast one --pool' })
}

/** How far back a series goes. */
export function lengthOf({ stepMs, loads }: PoolSeries): number {
  return Math.max(0, loads.cpu.length - 1) * stepMs
}
