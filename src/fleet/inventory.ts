/**
 * What the fleet is made of: nodes in regions, zones and pools, and the workloads placed on them.
 * One node in five has GPUs; those form a pool of their own, since their workloads fit nowhere else.
 */
import type { NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import type { Capacity, Gpu, Place } from '../core/node.ts'
import type { Needs, Placement, Priority } from '../core/workload.ts'
import { Random } from './random.ts'

const GIB = 1_073_741_824
const GPU_NODE_EVERY = 5
/** Workloads are added until this share of the pool's CPU (or GPUs) is asked for. */
const FILL_RATIO = 0.55

const REGIONS = [
  { name: 'europe', latitude: 50.11, longitude: 8.68, utcOffsetHours: 1 },
  { name: 'america', latitude: 39.04, longitude: -77.49, utcOffsetHours: -5 },
  { name: 'asia', latitude: 35.68, longitude: 139.69, utcOffsetHours: 9 },
] as const
const ZONES = ['a', 'b'] as const

interface Model {
  readonly name: string
  readonly weight: number
  readonly cpu: number
  readonly memoryBytes: number
  readonly gpus: readonly Gpu[]
}

const MODELS: readonly Model[] = [
  { name: 'general', weight: 5, cpu: 32, memoryBytes: 128 * GIB, gpus: [] },
  { name: 'compute', weight: 3, cpu: 64, memoryBytes: 128 * GIB, gpus: [] },
  { name: 'memory', weight: 2, cpu: 32, memoryBytes: 512 * GIB, gpus: [] },
  { name: 'storage', weight: 2, cpu: 16, memoryBytes: 64 * GIB, gpus: [] },
]
const GPU_MODEL: Model = {
  name: 'gpu',
  weight: 1,
  cpu: 64,
  memoryBytes: 512 * GIB,
  gpus: [
    { model: 'H100', count: 8, interconnect: 'nvlink' },
    { model: 'L40S', count: 4, interconnect: 'pcie' },
  ],
}
const PRIORITIES = [
  { name: 'CRITICAL', weight: 1 },
  { name: 'HIGH', weight: 3 },
  { name: 'NORMAL', weight: 5 },
  { name: 'LOW', weight: 2 },
] as const satisfies readonly { name: Priority; weight: number }[]

export interface NodeSpec {
  readonly id: NodeId
  readonly index: number
  readonly pool: PoolId
  readonly model: string
  readonly place: Place
  readonly utcOffsetHours: number
  readonly capacity: Capacity
}

export interface Inventory {
  readonly nodes: readonly NodeSpec[]
  /** Every workload on a node of its pool with room and, where it asks for them, the right GPUs. */
  readonly placements: readonly Placement[]
}

export function createInventory(seed: number, nodeCount: number): Inventory {
  const nodes = Array.from({ length: nodeCount }, (_, index) => createNode(seed, index))
  const pools = grouped(nodes, ({ pool }) => pool)
  const placements: Placement[] = []
  for (const [pool, members] of pools) placements.push(...fillPool(seed, pool, members))
  return { nodes, placements }
}

/** By key, in the order in which keys are first met. */
export function grouped<Key, Item>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): ReadonlyMap<Key, readonly Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) {
    const members = groups.get(keyOf(item))
    if (members === undefined) groups.set(keyOf(item), [item])
    else members.push(item)
  }
  return groups
}

function createNode(seed: number, index: number): NodeSpec {
  const random = new Random(seed, `node/${index}/spec`)
  const region = REGIONS[index % REGIONS.length]
  const zone = `${region.name}-${random.pick(ZONES)}`
  const hasGpu = index % GPU_NODE_EVERY === GPU_NODE_EVERY - 1
  const model = hasGpu ? GPU_MODEL : random.weighted(MODELS)
  return {
    id: `${region.name}-${String(index).padStart(4, '0')}` as NodeId,
    index,
    pool: (hasGpu ? 'gpu' : region.name) as PoolId,
    model: model.name,
    place: {
      zone,
      region: region.name,
      latitude: region.latitude,
      longitude: region.longitude,
    },
    utcOffsetHours: region.utcOffsetHours,
    capacity: {
      cpu: model.cpu,
      memoryBytes: model.memoryBytes,
      gpu: hasGpu ? random.pick(model.gpus) : null,
    },
  }
}

/** True when `needs` fits a node of this capacity beside what `used` takes already. */
export function fits(capacity: Capacity, used: Needs, needs: Needs): boolean {
  if (used.cpu + needs.cpu > capacity.cpu) return false
  if (used.memoryBytes + needs.memoryBytes > capacity.memoryBytes) return false
  if (needs.gpu === null) return true
  const gpu = capacity.gpu
  if (gpu === null || gpu.model !== needs.gpu.model) return false
  if (needs.gpu.interconnect !== null && needs.gpu.interconnect !== gpu.interconnect) return false
  return (used.gpu?.count ?? 0) + needs.gpu.count <= gpu.count
}

export const NO_NEEDS: Needs = { cpu: 0, memoryBytes: 0, gpu: null }

/** Both together; GPUs of one node are of one model, so their counts add up. */
export function addNeeds(a: Needs, b: Needs): Needs {
  const gpu =
    a.gpu === null || b.gpu === null
      ? (a.gpu ?? b.gpu)
      : { ...a.gpu, count: a.gpu.count + b.gpu.count }
  return { cpu: a.cpu + b.cpu, memoryBytes: a.memoryBytes + b.memoryBytes, gpu }
}

function fillPool(seed: number, pool: PoolId, members: readonly NodeSpec[]): readonly Placement[] {
  const random = new Random(seed, `pool/${pool}/workloads`)
  const used = members.map(() => NO_NEEDS)
  const isGpu = pool === 'gpu'
  const total = members.reduce((sum, { capacity }) => sum + sizeOf(capacity, isGpu), 0)
  const placements: Placement[] = []
  // A workload that fits nowhere is left out; the limit ends the search in a pool that is full.
  const triesMax = 40 * members.length
  for (let tries = 0, taken = 0; taken < FILL_RATIO * total && tries < triesMax; tries++) {
    const needs = drawNeeds(random, isGpu ? random.pick(members).capacity.gpu : null)
    const at = findRoom(random, members, used, needs)
    if (at === undefined) continue
    taken += sizeOf(needs, isGpu)
    used[at] = addNeeds(used[at], needs)
    placements.push({
      workload: `${pool}-w${String(placements.length).padStart(4, '0')}` as WorkloadId,
      node: members[at].id,
      pool,
      priority: random.weighted(PRIORITIES).name,
      needs,
      stateBytes: Math.round(random.logBetween([0.5 * GIB, 24 * GIB])),
      dependsOn: [],
    })
  }
  return placements
}

function sizeOf(needs: Needs | Capacity, isGpu: boolean): number {
  return isGpu ? (needs.gpu?.count ?? 0) : needs.cpu
}

function drawNeeds(random: Random, gpu: Gpu | null): Needs {
  const cpu = random.pick([1, 2, 2, 4, 4, 8])
  const memoryBytes = Math.round(cpu * random.logBetween([1.5, 6])) * GIB
  if (gpu === null) return { cpu, memoryBytes, gpu: null }
  const count = random.pick([1, 1, 2, 4])
  // Only work that spans GPUs cares how they are joined.
  return {
    cpu,
    memoryBytes,
    gpu: { ...gpu, count, interconnect: count > 1 ? gpu.interconnect : null },
  }
}

function findRoom(
  random: Random,
  members: readonly NodeSpec[],
  used: readonly Needs[],
  needs: Needs,
): number | undefined {
  const from = random.index(members.length)
  for (let i = 0; i < members.length; i++) {
    const at = (from + i) % members.length
    if (fits(members[at].capacity, used[at], needs)) return at
  }
  return undefined
}
