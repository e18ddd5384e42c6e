// Goal: a node that is let back returns in part, is watched, and returns whole only if it stays well.
import { expect, test } from 'vitest'
import type { Command } from '../../../src/core/command.ts'
import { KIND } from '../../../src/core/log.ts'
import {
  asText,
  CoordinatorWorld,
  POOL,
  type WorldOptions,
} from '../../support/coordinator-world.ts'

const WATCH_MS = 600_000

/** A node that was cordoned by a prediction and is clear again: it has returned in part. */
function returned(options?: WorldOptions): CoordinatorWorld {
  const world = new CoordinatorWorld(options)
  world.joinMany(4)
  world.risky('n0')
  world.carryOut(world.commands('cordon')[0])
  world.risky('n0', 0.1)
  world.carryOut(world.commands('uncordon')[0])
  return world
}

const shares = (world: CoordinatorWorld) =>
  world.commands('uncordon').map(({ capacityRatio }) => capacityRatio)
const told = (world: CoordinatorWorld) =>
  world
    .journal('plan')
    .flatMap(({ evidence }) => evidence.find(({ what }) => what === 'return')?.value ?? [])

test('a node returns with a part, then whole once it was watched long enough', () => {
  const world = returned()
  expect(shares(world)).toEqual([0.25])
  expect(world.node('n0')).toMatchObject({ cordoned: false })
  world.after(WATCH_MS - 1)
  expect(shares(world)).toEqual([0.25])
  world.after(1)
  expect(shares(world)).toEqual([0.25, 1])
  world.carryOut(world.commands('uncordon')[1])
  world.after(2 * WATCH_MS)
  expect(shares(world)).toEqual([0.25, 1])
  expect(told(world)).toEqual(['in-part', 'whole'])
  const [first, second] = world.commands('uncordon')
  expect(first.idempotencyKey).not.toBe(second.idempotencyKey)
  expect(first.incidentId).toBe(second.incidentId)
  expect(world.stats()['openIncidentCount']).toBe(0)
})

test('meanwhile it is a target for so much, and no more', () => {
  const world = returned()
  for (const node of ['n1', 'n2']) world.fail(node)
  const needs = (cpu: number) => ({ needs: { cpu, memoryBytes: 0, gpu: null } })
  world.place('large', 'n3', needs(5))
  world.place('small', 'n3', needs(3))
  world.fail('n3')
  for (const fence of world.commands('fence')) world.carryOut(fence)
  const targets = (workload: string) =>
    world.commands('recover').filter((command) => command.workload === workload)
  // More than a quarter of 16 processors.
  expect(targets('large')).toEqual([])
  expect(targets('small').map(({ target }) => target)).toEqual(['n0'])
})

test.each<{ what: string; relapse: (world: CoordinatorWorld) => void; answer: Command['action'] }>([
  { what: 'alarms again', relapse: (world) => world.risky('n0'), answer: 'cordon' },
  { what: 'falls silent', relapse: (world) => world.silent('n0'), answer: 'fence' },
  {
    what: 'fails',
    relapse: (world) => {
      world.place('w', 'n0')
      world.fail('n0')
    },
    answer: 'fence',
  },
])('a node that $what while it is watched does not return', ({ relapse, answer }) => {
  const world = returned({ policy: { cooldownMs: 60_000 } })
  world.after(WATCH_MS / 2)
  relapse(world)
  expect(told(world)).toEqual(['in-part', 'withdrawn'])
  expect(world.commands().at(-1)).toMatchObject({ action: answer, node: 'n0' })
  world.after(WATCH_MS)
  expect(shares(world)).toEqual([0.25])
})

test('a return that is withdrawn before it is carried out gives way to what answers the relapse', () => {
  const world = new CoordinatorWorld({ policy: { cooldownMs: 0 } })
  world.joinMany(4)
  world.risky('n0')
  world.carryOut(world.commands('cordon')[0])
  world.risky('n0', 0.1)
  world.risky('n0')
  const ends = world.journal('plan').flatMap(({ evidence }) => {
    const said = new Map(evidence.map(({ what, value }) => [what, value]))
    return said.get('plan') === 'ended' ? [`${said.get('strategy')} ${said.get('outcome')}`] : []
  })
  expect(ends).toEqual(['migrate done', 'return superseded'])
  expect(world.commands().map(({ action }) => action)).toEqual(['cordon', 'uncordon', 'cordon'])
})

test('with the whole capacity at once there is nothing to watch', () => {
  const world = returned({ policy: { returnRatio: 1 } })
  world.after(2 * WATCH_MS)
  expect(shares(world)).toEqual([1])
  expect(told(world)).toEqual([])
})

test('watchers hear once that the node was let back', () => {
  const world = returned()
  world.after(WATCH_MS)
  world.carryOut(world.commands('uncordon')[1])
  const said = world.outputs.filter(({ headers }) => headers?.[KIND] === 'intervention')
  expect(said).toHaveLength(2)
})

const digest = (world: CoordinatorWorld, node: string, root: string) =>
  world.feed('evidence', {
    kind: 'digest',
    pool: POOL,
    node,
    atMs: world.nowMs,
    object: 'o',
    version: '1',
    root,
    chunks: [],
  })

test('a node whose data is not verified is not let back before it is', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  world.risky('n0')
  world.carryOut(world.commands('cordon')[0])
  for (const [node, root] of Object.entries({ n1: 'good', n2: 'good', n0: 'bad' })) {
    digest(world, node, root)
  }
  world.risky('n0', 0.1)
  expect(world.commands('uncordon')).toEqual([])
  expect(told(world)).toEqual(['waits'])
  world.after(1_000)
  digest(world, 'n0', 'good')
  expect(shares(world)).toEqual([0.25])
})

test('data that turns out to be wrong while a node is watched begins the watch anew', () => {
  const world = returned()
  for (const [node, root] of Object.entries({ n1: 'good', n2: 'good', n0: 'bad' })) {
    digest(world, node, root)
  }
  world.after(WATCH_MS)
  expect(shares(world)).toEqual([0.25])
  digest(world, 'n0', 'good')
  world.after(WATCH_MS - 1)
  expect(shares(world)).toEqual([0.25])
  world.after(1)
  expect(shares(world)).toEqual([0.25, 1])
})

test('a node that leaves while it is watched is forgotten, and the log folds to the same bytes', () => {
  const world = returned()
  world.fact({ kind: 'leave', node: 'n0' as never, atMs: world.nowMs })
  world.after(WATCH_MS)
  expect(shares(world)).toEqual([0.25])
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('a return that is told late, of a node that is ill again by then, lets nothing back', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  world.risky('n0')
  world.carryOut(world.commands('cordon')[0])
  world.risky('n0', 0.1)
  const [late] = world.commands('uncordon')
  world.silent('n0')
  world.result(late, 'succeeded')
  expect(told(world)).toEqual(['in-part'])
  // The fence is on its way for longer than a watch lasts.
  world.after(WATCH_MS)
  expect(shares(world)).toEqual([0.25])
  world.carryOut(world.commands('fence').at(-1)!)
  expect(told(world)).toEqual(['in-part', 'withdrawn'])
  world.after(2 * WATCH_MS)
  expect(shares(world)).toEqual([0.25])
  world.live('n0')
  world.carryOut(world.commands('uncordon')[1])
  world.after(WATCH_MS)
  expect(shares(world)).toEqual([0.25, 0.25, 1])
})

test('a cordon that is carried out after the return that undoes it is undone by the whole one', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  world.risky('n0')
  world.risky('n0', 0.1)
  world.carryOut(world.commands('uncordon')[0])
  world.result(world.commands('cordon')[0], 'succeeded')
  expect(told(world)).toEqual(['in-part'])
  world.after(WATCH_MS)
  expect(shares(world)).toEqual([0.25, 1])
})
