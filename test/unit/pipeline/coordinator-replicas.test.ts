// Goal: data that is wrong on one node is fetched from those that have it right, where the policy says so, and
// only the node's own digests end it.
import { expect, test } from 'vitest'
import type { WrongReplica } from '../../../src/core/fault.ts'
import type { Policy } from '../../../src/core/policy.ts'
import { asText, CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'

const COOLDOWN_MS = 60_000

function digests(world: CoordinatorWorld, roots: Readonly<Record<string, string>>, object = 'o') {
  for (const [node, root] of Object.entries(roots)) {
    const report = { kind: 'digest', pool: POOL, node, atMs: world.nowMs, object, version: '1' }
    world.feed('evidence', { ...report, root, chunks: [] })
  }
}

/** Three nodes hold an object, and `n0` has it wrong. */
function corrupt(policy: Partial<Policy> = {}): CoordinatorWorld {
  const world = new CoordinatorWorld({
    policy: { replicates: true, cooldownMs: COOLDOWN_MS, ...policy },
  })
  world.joinMany(6)
  digests(world, { n1: 'good', n2: 'good', n0: 'bad' })
  world.after(1_000)
  return world
}

const closings = (world: CoordinatorWorld) =>
  world
    .journal('incident-closed')
    .filter(({ incidentId }) => incidentId === world.commands()[0].incidentId)
    .flatMap(({ reasons }) => reasons)

test('the node is told what it has wrong, and who has it right', () => {
  const world = corrupt()
  const [command, ...others] = world.commands()
  expect(others).toEqual([])
  expect(command).toMatchObject({ action: 'replicate', node: 'n0', workload: null, target: null })
  expect(command.replicas).toEqual([
    { object: 'o', version: '1', root: 'good', sources: ['n1', 'n2'] },
  ] satisfies readonly Record<keyof WrongReplica, unknown>[])
  expect(world.journal('incident-opened').at(-1)?.reasons).toEqual([
    'Node n0 has data that most of its holders have otherwise.',
  ])
  world.result(command, 'verified')
  expect(closings(world), 'whoever did it may be wrong').toEqual([])
  world.after(5_000)
  digests(world, { n0: 'good' })
  expect(closings(world)).toEqual(['The data of node n0 is as its other holders have it.'])
  expect(world.stats()).toMatchObject({ openIncidentCount: 0, inFlightCount: 0 })
  // Nothing was foreseen of the node, and it was never kept from work.
  expect(world.outputs.filter(({ headers }) => headers?.['kind'] === 'intervention')).toEqual([])
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('several objects are one command', () => {
  const world = new CoordinatorWorld({ policy: { replicates: true } })
  world.joinMany(6)
  for (const object of ['a', 'b']) digests(world, { n1: 'good', n2: 'good', n0: 'bad' }, object)
  world.after(1_000)
  expect(world.commands()).toHaveLength(1)
  expect(world.commands()[0].replicas?.map(({ object }) => object)).toEqual(['a', 'b'])
})

test('without the policy people are told, and nothing is done', () => {
  const world = corrupt({ replicates: false })
  expect(world.commands()).toEqual([])
  expect(world.stats()['openObservedCount']).toBe(1)
})

test('where nobody is known to have it right nothing is fetched', () => {
  const world = new CoordinatorWorld({ policy: { replicates: true } })
  world.joinMany(6)
  digests(world, { n0: 'one', n1: 'another' })
  world.after(10_000)
  expect(world.commands()).toEqual([])
})

test('what was done and did not help is done again, as often as it may, and then people are asked', () => {
  const world = corrupt({ attemptsMax: 2 })
  world.result(world.commands()[0], 'verified')
  for (let s = 0; s < 60; s++) world.after(1_000)
  expect(world.commands()).toHaveLength(1)
  world.after(1_000)
  expect(world.commands()).toHaveLength(2)
  expect(world.commands()[1].idempotencyKey).not.toBe(world.commands()[0].idempotencyKey)
  world.result(world.commands()[1], 'verified')
  for (let s = 0; s < 70; s++) world.after(1_000)
  expect(world.commands()).toHaveLength(2)
  expect(world.rails().at(-1)).toBe('attempts')
  digests(world, { n0: 'good' })
  expect(world.stats()['openIncidentCount']).toBe(0)
})

test('a node that goes silent meanwhile is failed over instead', () => {
  const world = corrupt()
  world.place('w', 'n0')
  // Until then its own reports vouch for it.
  world.after(11_000)
  world.silent('n0')
  expect(world.commands().map(({ action }) => action)).toEqual(['replicate', 'fence'])
  world.carryOut(world.commands('fence')[0])
  world.carryOut(world.commands('recover')[0])
  expect(world.journal('plan').map(({ evidence }) => evidence[2]?.value)).toContain('superseded')
})

test('a node that was kept from work gets its data right before it returns', () => {
  const world = new CoordinatorWorld({ policy: { replicates: true, cooldownMs: COOLDOWN_MS } })
  world.joinMany(6)
  world.risky('n0')
  world.carryOut(world.commands('cordon')[0])
  digests(world, { n1: 'good', n2: 'good', n0: 'bad' })
  world.risky('n0', 0.1)
  world.after(1_000)
  expect(world.commands('uncordon')).toEqual([])
  // It was acted on for its alarm just now.
  world.after(COOLDOWN_MS)
  world.result(world.commands('replicate')[0], 'verified')
  digests(world, { n0: 'good' })
  expect(world.commands('uncordon')).toHaveLength(1)
})

test('an operator decides where the mode asks for one', () => {
  const world = corrupt({ mode: 'approve' })
  expect(world.commands()).toEqual([])
  expect(world.rails()).toContain('mode')
})

test('an emergency that wrong data is part of does not keep it from being put right', () => {
  const world = new CoordinatorWorld({ policy: { replicates: true, budgetRatio: 1 } })
  world.joinMany(6)
  for (const node of ['n0', 'n1', 'n2']) {
    digests(world, { n3: 'good', n4: 'good', [node]: 'bad' }, `of-${node}`)
  }
  expect(world.railFigures().emergency).toBe(true)
  for (let s = 0; s < 5; s++) world.after(1_000)
  const told = world.commands('replicate')
  expect(told.map(({ node }) => node)).toEqual(['n0', 'n1', 'n2'])
})
