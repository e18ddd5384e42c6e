// Goal: a workload that executors placed on both sides of a split network is found, one placement holds by
// the policy, and the other is not forgotten.
import { expect, test } from 'vitest'
import type { AlertRecord } from '../../../src/core/alert.ts'
import type { MergePolicy } from '../../../src/core/split-brain.ts'
import { asText, bodies, CoordinatorWorld } from '../../support/coordinator-world.ts'
import { reach, SPLIT_BRAIN } from '../../support/split-network.ts'

const NODES = 9

/** The first three nodes are apart for a while, and come back. */
function createWorld(merge: MergePolicy): CoordinatorWorld {
  const world = new CoordinatorWorld({ policy: { splitBrain: { ...SPLIT_BRAIN, merge } } })
  world.joinMany(NODES)
  world.place('w', 'n0', { versions: { east: 1 } })
  reach(world, () => 0, 2, NODES)
  reach(world, (node) => (node < 3 ? 1 : 0), 25, NODES)
  reach(world, () => 0, 60, NODES)
  return world
}

/** Where the work is that moves when its node is expected to fail. */
function isOn(world: CoordinatorWorld, node: string): boolean {
  const before = world.commands('migrate').length
  world.risky(node)
  return world
    .commands('migrate')
    .slice(before)
    .some(({ workload }) => workload === 'w')
}

test.each([
  { merge: 'majority', first: 'n5', second: 'n1', kept: 'n5', because: 'its side went on' },
  { merge: 'majority', first: 'n1', second: 'n5', kept: 'n5', because: 'its side went on' },
  { merge: 'majority', first: 'n5', second: 'n6', kept: 'n6', because: 'both were there' },
  { merge: 'last-writer', first: 'n5', second: 'n1', kept: 'n1', because: 'it came last' },
] as const)(
  '$merge of $first and $second keeps $kept: $because',
  ({ merge, first, second, kept }) => {
    const world = createWorld(merge)
    world.place('w', first, { versions: { east: 1, north: 1 } })
    world.place('w', second, { versions: { east: 2 } })
    const lost = kept === first ? second : first
    expect(world.journal('merge')).toMatchObject([{ workload: 'w', node: lost }])
    expect(world.journal('merge')[0].reasons[0]).toContain(
      `${kept} is kept (${merge}), ${lost} is not`,
    )
    const alerts = bodies<AlertRecord>(world.outputs, 't.alerts')
    expect(alerts.filter(({ kind }) => kind === 'placement-conflict')).toMatchObject([
      { severity: 'error', cause: 'workload:w', node: lost },
    ])
    expect(isOn(world, kept)).toBe(true)
    // Whoever knows of both may place it anew without a conflict.
    world.place('w', 'n7', { versions: { east: 3, north: 1 } })
    expect(world.journal('merge')).toHaveLength(1)
    expect(world.stats()).toMatchObject({ placementConflictCount: 1, stalePlacementCount: 0 })
    expect(asText(world.refold())).toEqual(asText(world.outputs))
  },
)

test('an old record that comes late moves nothing back', () => {
  const world = createWorld('last-writer')
  world.place('w', 'n5', { versions: { east: 2 } })
  world.place('w', 'n0', { versions: { east: 1 } })
  expect(world.stats()).toMatchObject({ placementConflictCount: 0, stalePlacementCount: 1 })
  expect(isOn(world, 'n5')).toBe(true)
})

test('without versions the newest record holds, as ever', () => {
  const world = createWorld('majority')
  world.place('w', 'n5')
  world.place('w', 'n1')
  expect(world.journal('merge')).toEqual([])
  expect(isOn(world, 'n1')).toBe(true)
})

test('at equal versions nowhere holds: a repeated record does not bring back what was said to be gone', () => {
  const world = createWorld('last-writer')
  world.place('w', null, { versions: { east: 1 } })
  world.place('w', 'n0', { versions: { east: 1 } })
  expect(world.stats()).toMatchObject({ stalePlacementCount: 1 })
  expect(isOn(world, 'n0')).toBe(false)
})
