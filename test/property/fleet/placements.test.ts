// Goal: whatever is commanded and whatever fails, every workload is on exactly one node, which has
// the room and the GPUs for it. Method: random commands at random nodes, for an hour of fleet time.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { CommandAction } from '../../../src/core/command.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { addNeeds, createInventory, fits, NO_NEEDS } from '../../../src/fleet/inventory.ts'
import { FleetWorld, published } from '../../support/fleet-world.ts'

const SEED = 11
const NODES = 30

const order = fc.record({
  action: fc.constantFrom<CommandAction>(
    'migrate',
    'migrate',
    'recover',
    'promote',
    'promote',
    'fence',
    'restart',
    'cordon',
    'uncordon',
    'cancel',
  ),
  workload: fc.nat(),
  node: fc.nat(),
  target: fc.nat(),
  misaddressed: fc.boolean(),
  steps: fc.integer({ min: 0, max: 30 }),
})

function expectSound(world: FleetWorld, expectedCount: number): void {
  const placements = world.fleet.placements()
  expect(new Set(placements.map(({ workload }) => workload)).size).toBe(expectedCount)
  const nodes = createInventory(SEED, NODES).nodes
  const byNode = new Map(nodes.map((node) => [node.id as string, [] as Placement[]]))
  for (const placement of placements) byNode.get(placement.node!)!.push(placement)
  for (const { id, pool, capacity } of nodes) {
    let used = NO_NEEDS
    for (const placement of byNode.get(id)!) {
      expect(placement.pool).toBe(pool)
      expect(fits(capacity, used, placement.needs)).toBe(true)
      used = addNeeds(used, placement.needs)
    }
  }
  const latest = published(world.outputs)
  for (const placement of placements) expect(latest.get(placement.workload)).toEqual(placement)
}

test.prop([fc.array(order, { maxLength: 30 })], { numRuns: 20 })(
  'no workload is lost, doubled or squeezed in, and the last published placement is the truth',
  (orders) => {
    const world = new FleetWorld({
      seed: SEED,
      nodeCount: NODES,
      failureRateFactor: 20,
      standbys: true,
    })
    const nodes = createInventory(SEED, NODES).nodes
    const count = world.fleet.truth().workloadCount
    for (const { action, workload, node, target, misaddressed, steps } of orders) {
      const placements = world.fleet.placements()
      const kept = placements.filter(({ standby = null }) => standby !== null)
      const among = action === 'promote' && !misaddressed ? kept : placements
      const placement = among[workload % among.length]
      const anyNode = nodes[node % nodes.length].id
      const needsOwnNode = action === 'migrate' || action === 'recover' || action === 'promote'
      const isPromotion = action === 'promote' && !misaddressed
      world.send(action, {
        node: needsOwnNode && !misaddressed ? placement.node! : anyNode,
        workload: placement.workload,
        target: isPromotion ? placement.standby! : nodes[target % nodes.length].id,
      })
      world.steps(steps)
      expectSound(world, count)
    }
  },
)
