// Goal: whether a pool has room for a workload counts what is left on its nodes that are up, put together.
import { expect, test } from 'vitest'
import type { NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { Cluster } from '../../../src/fleet/cluster.ts'
import { createInventory } from '../../../src/fleet/inventory.ts'

const POOL = 'p' as PoolId
const A100 = { model: 'A100', interconnect: null }

/** Three nodes of 16 processors and 4 GPUs; `down` is on the first, which is down. */
function cluster(loads: readonly number[], down: number, gpus = 0): Cluster {
  const [spec] = createInventory(1, 1).nodes
  const nodes = loads.map((_, i) => ({
    ...spec,
    id: `n${i}` as NodeId,
    pool: POOL,
    capacity: { cpu: 16, memoryBytes: 64e9, gpu: { ...A100, count: 4 } },
  }))
  const place = (name: string, node: number, cpu: number, count: number): Placement => ({
    workload: name as WorkloadId,
    node: nodes[node].id,
    pool: POOL,
    priority: 'NORMAL',
    needs: { cpu, memoryBytes: 1e9, gpu: count === 0 ? null : { ...A100, count } },
    stateBytes: 0,
    dependsOn: [],
  })
  const placements = loads.map((cpu, i) => place(`w${i}`, i, cpu, 3))
  const made = new Cluster({ nodes, placements: [...placements, place('down', 0, down, gpus)] })
  made.node(nodes[0].id)!.up = false
  return made
}

test.each([
  { what: 'it fits on one node', loads: [0, 8, 16], down: 8, room: true },
  { what: 'moves would bring together what it needs', loads: [0, 12, 12], down: 8, room: true },
  { what: 'all that is left is too little', loads: [0, 12, 13], down: 8, room: false },
  { what: 'no node is large enough', loads: [0, 0, 0], down: 17, room: false },
  { what: 'GPUs are left here and there', loads: [0, 1, 1], down: 1, gpus: 2, room: true },
  { what: 'GPUs are not left', loads: [0, 1, 1], down: 1, gpus: 3, room: false },
])('$what: $room', ({ loads, down, gpus, room }) => {
  expect(cluster(loads, down, gpus).hasRoom('down' as WorkloadId)).toBe(room)
})
