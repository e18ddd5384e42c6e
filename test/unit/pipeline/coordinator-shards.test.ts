// Goal: the published map follows what becomes of the nodes, only where it may, and says why.
import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { Policy } from '../../../src/core/policy.ts'
import type { Assignment, ShardRules } from '../../../src/core/shard.ts'
import { asText, CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'
import { reach, SPLIT_BRAIN } from '../../support/split-network.ts'

const RULES: ShardRules = { shardCount: 120, replicaCount: 2, boundRatio: 1.25, movesMax: null }

/** Six nodes in three zones, and their first placement. */
function fleet(rules: Partial<ShardRules> = {}, policy: Partial<Policy> = {}): CoordinatorWorld {
  const world = new CoordinatorWorld({ policy: { shards: { ...RULES, ...rules }, ...policy } })
  for (let i = 0; i < 6; i++) world.join(`n${i}`, { zone: `z${i % 3}` })
  world.after(1_000)
  return world
}

const holders = ({ owner, replicas }: Assignment): readonly (string | null)[] => [
  owner,
  ...replicas,
]
const held = (world: CoordinatorWorld, node: string): readonly Assignment[] =>
  [...world.map().values()].filter((each) => each.pool === POOL && holders(each).includes(node))

test('a pool without shards has no map, and nothing is written', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  world.after(5_000)
  expect(world.assignments()).toEqual([])
  expect(world.outputs.filter(({ topic }) => topic === 't.pool-log')).toEqual([])
})

test('the first placement gives every shard an owner and a replica in another zone', () => {
  const world = fleet()
  expect(world.assignments()).toHaveLength(120)
  for (const [key, assignment] of world.map()) {
    const { pool, shard, shardCount, previousOwner, reason, replicas } = assignment
    expect(key).toBe(`${POOL}/${shard}`)
    expect({ pool, shardCount, previousOwner, reason }).toEqual({
      pool: POOL,
      shardCount: 120,
      previousOwner: null,
      reason: 'first-placement',
    })
    expect(replicas).toHaveLength(1)
    const zones = holders(assignment).map((node) => Number(node!.slice(1)) % 3)
    expect(new Set(zones).size).toBe(2)
  }
  expect(world.journal('assignment')[0].reasons[0]).toBe('120 of 120 shards have other nodes now.')
})

test('a record is a CloudEvent under the key of its shard', () => {
  const world = fleet()
  const output = world.outputs.find(({ topic }) => topic === 't.assignments')!
  expect(output.headers).toMatchObject({
    ce_type: 'foreshock.assignment.changed',
    ce_subject: output.key,
    ce_source: 'foreshock/test',
  })
})

test('a failed node gives up its shards at once: replicas become owners, nobody else is moved', () => {
  const world = fleet()
  const before = world.map()
  const lost = held(world, 'n1')
  world.after(2_000)
  world.fail('n1')
  const changed = world.assignments(world.last)
  expect(new Set(changed.map(({ shard }) => shard))).toEqual(
    new Set(lost.map(({ shard }) => shard)),
  )
  for (const { shard, owner, replicas, previousOwner, reason } of changed) {
    const old = before.get(`${POOL}/${shard}`)!
    expect(reason).toBe('node-failed')
    expect(previousOwner).toBe(old.owner)
    expect(owner).toBe(old.owner === 'n1' ? old.replicas[0] : old.owner)
    expect(replicas).toHaveLength(1)
    expect(holders({ ...old, owner, replicas })).not.toContain('n1')
  }
  expect(world.journal('assignment', world.last)[0].reasons).toEqual([
    `${lost.length} of 120 shards have other nodes now.`,
    `${lost.length} replicas moved: their node has failed.`,
    'Node n1 holds shards no longer.',
  ])
})

test('a silent node keeps its shards until it is fenced, and has its share again when it is back', () => {
  const world = fleet()
  const before = world.map()
  world.after(2_000)
  world.silent('n1')
  world.after(60_000)
  expect(world.map()).toEqual(before)
  world.result(world.commands('fence')[0], 'succeeded')
  expect(held(world, 'n1')).toEqual([])
  expect(world.assignments(world.last)[0].reason).toBe('node-fenced')
  world.after(2_000)
  world.live('n1')
  world.after(2_000)
  expect(held(world, 'n1'), 'still cordoned').toEqual([])
  const [inPart] = world.commands('uncordon')
  world.carryOut(inPart)
  world.after(2_000)
  expect(held(world, 'n1').length, 'a part of it').toBeLessThan(20)
  expect(held(world, 'n1').length).toBeGreaterThan(0)
  world.after(600_000)
  world.result(world.commands('uncordon')[1], 'succeeded')
  world.after(2_000)
  expect(held(world, 'n1').length).toBeGreaterThan(20)
})

test('a dry run fences nobody, so the map stands', () => {
  const world = fleet({}, { dryRun: true })
  const before = world.map()
  world.silent('n1')
  world.result(world.commands('fence')[0], 'accepted')
  world.after(5_000)
  expect(world.map()).toEqual(before)
})

test('a cordoned node keeps what it has and takes nothing new', () => {
  const world = fleet()
  world.risky('n2')
  world.carryOut(world.commands('cordon')[0])
  world.after(2_000)
  const before = held(world, 'n2').map(({ shard }) => shard)
  expect(before.length).toBeGreaterThan(20)
  world.fact({ kind: 'leave', node: 'n0' as NodeId, atMs: world.nowMs })
  world.after(2_000)
  expect(held(world, 'n0')).toEqual([])
  expect(held(world, 'n2').map(({ shard }) => shard)).toEqual(before)
  expect(world.figures()).toMatchObject({ nodeCount: 4, withoutOwner: 0, nodesOverBound: 0 })
})

test('a vetoed node that fails keeps its shards: nobody may act on it', () => {
  const world = fleet()
  world.control({ kind: 'veto', node: 'n1' as NodeId, veto: true })
  world.after(2_000)
  const before = world.map()
  world.fail('n1')
  world.after(2_000)
  expect(world.map()).toEqual(before)
  world.control({ kind: 'veto', node: 'n1' as NodeId, veto: false })
  world.after(2_000)
  expect(held(world, 'n1')).toEqual([])
})

test('changes gather for a second, and one plan follows them all', () => {
  const world = fleet()
  world.after(5_000)
  for (const node of ['m0', 'm1', 'm2']) world.join(node, { zone: 'z0' })
  expect(world.journal('assignment')).toHaveLength(1)
  world.after(1_000)
  expect(world.journal('assignment')).toHaveLength(2)
  expect(world.journal('assignment')[1].reasons).toContain(
    'Nodes m0, m1, m2 take their share of shards.',
  )
})

test('losses in a row wait for the second after the plan before', () => {
  const world = fleet()
  world.after(5_000)
  world.fail('n0')
  world.fail('n1')
  expect(held(world, 'n0')).toEqual([])
  expect(held(world, 'n1')).not.toEqual([])
  world.after(1_000)
  expect(held(world, 'n1')).toEqual([])
})

test.each(['observe', 'approve'] as const)('mode %s places once, and then only says', (mode) => {
  const world = fleet({}, { mode })
  expect(world.map().size).toBe(120)
  const before = world.map()
  world.after(2_000)
  world.fail('n1')
  world.join('new')
  world.after(30_000)
  expect(world.map()).toEqual(before)
  const said = world.journal('refusal').filter(({ incidentId }) => incidentId === null)
  expect(said.map(({ rail, reasons }) => [rail, ...reasons])).toEqual([
    ['mode', `Not done: the mode is ${mode}.`, 'It would be: Node n1 holds shards no longer.'],
    [
      'mode',
      `Not done: the mode is ${mode}.`,
      'It would be: Node n1 holds shards no longer.',
      'It would be: Node new takes its share of shards.',
    ],
  ])
  expect(world.figures().waitingNodes).toBe(2)
  world.control({ kind: 'mode', mode: 'enforce' })
  world.after(1_000)
  expect(held(world, 'n1')).toEqual([])
  expect(held(world, 'new')).not.toEqual([])
})

test('a stopped pool keeps its map until it goes on', () => {
  const world = fleet()
  world.control({ kind: 'stop', stopped: true })
  world.fail('n1')
  world.after(2_000)
  expect(held(world, 'n1')).not.toEqual([])
  expect(world.rails()).toContain('stop')
  world.control({ kind: 'stop', stopped: false })
  world.after(2_000)
  expect(held(world, 'n1')).toEqual([])
})

test('a budget puts off what a healthy node gives, never a shard without a node', () => {
  const world = fleet({ movesMax: 5 })
  world.after(2_000)
  world.join('new', { zone: 'z1' })
  world.after(1_000)
  expect(held(world, 'new')).toHaveLength(5)
  expect(world.figures().deferred).toBeGreaterThan(5)
  const lost = held(world, 'n0').length
  world.fail('n0')
  world.after(1_000)
  expect(lost).toBeGreaterThan(20)
  expect(held(world, 'n0')).toEqual([])
  for (let i = 0; i < 30; i++) world.after(10_000)
  expect(world.figures().deferred).toBe(0)
  expect(held(world, 'new').length).toBeGreaterThan(25)
})

test('replicas that fit nowhere leave nothing of their part of the budget to others', () => {
  const world = new CoordinatorWorld({
    policy: { shards: { ...RULES, replicaCount: 3, movesMax: 4 } },
  })
  for (const node of ['n0', 'n1']) world.join(node)
  world.after(1_000)
  expect(world.figures()).toMatchObject({ unplaced: 120, withoutOwner: 0 })
  world.join('big', { capacity: { cpu: 8, memoryBytes: 1e9, gpu: null } })
  world.after(1_000)
  expect(held(world, 'big').length, 'the third replica of every shard').toBe(120)
  world.after(20_000)
  world.fact({ kind: 'leave', node: 'n0' as NodeId, atMs: world.nowMs })
  world.after(1_000)
  const moves = Object.values(world.figures().moves).reduce((sum, count) => sum + count, 0)
  world.join('n9', { zone: 'z9' })
  world.after(1_000)
  const after = Object.values(world.figures().moves).reduce((sum, count) => sum + count, 0)
  expect(after - moves).toBeLessThanOrEqual(120 + 4)
})

test('nodes count by their CPUs', () => {
  const world = fleet()
  world.after(2_000)
  world.join('big', { zone: 'z9', capacity: { cpu: 64, memoryBytes: 1e9, gpu: null } })
  world.after(2_000)
  const [big, small] = [held(world, 'big').length, held(world, 'n0').length]
  expect(big).toBeGreaterThan(2 * small)
  expect(world.figures().nodesOverBound).toBe(0)
})

test('when no node is left the shards have none, and the next node takes them all', () => {
  const world = fleet({ replicaCount: 1 })
  for (let i = 0; i < 6; i++) world.fact({ kind: 'leave', node: `n${i}` as NodeId, atMs: 0 })
  world.after(2_000)
  expect(world.figures()).toMatchObject({ nodeCount: 0, withoutOwner: 120, unplaced: 120 })
  for (const { owner, previousOwner } of world.map().values()) {
    expect([owner, typeof previousOwner]).toEqual([null, 'string'])
  }
  world.join('new')
  world.after(2_000)
  expect(held(world, 'new')).toHaveLength(120)
})

test('a node that is labelled into another pool leaves the map of this one', () => {
  const world = fleet()
  world.fact({ kind: 'labels', node: 'n3' as NodeId, atMs: 0, labels: { pool: 'other' } })
  world.after(2_000)
  expect(held(world, 'n3')).toEqual([])
})

test('more shards than a page holds are published page by page, each after the one before', () => {
  const world = new CoordinatorWorld({
    policy: { shards: { ...RULES, shardCount: 25_000, replicaCount: 1 } },
  })
  world.joinMany(3)
  world.after(1_000)
  const pages = world.records.flatMap(({ headers }, i) =>
    headers['kind'] === 'shard-page' ? i : [],
  )
  expect(pages).toHaveLength(2)
  expect(world.map().size).toBe(25_000)
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('the map does not depend on the configuration of whoever folds the log', () => {
  const world = fleet()
  world.after(2_000)
  world.fail('n1')
  world.after(2_000)
  const other = new CoordinatorWorld({ policy: { shards: { ...RULES, shardCount: 7 } } })
  const outputs = other.replay(world.records)
  expect(other.map(outputs)).toEqual(world.map())
})

test('an owner with other rules writes them to the log, and the map follows', () => {
  const world = fleet()
  world.after(2_000)
  const owner = world.successor({ shards: { ...RULES, shardCount: 30, replicaCount: 3 } })
  owner.after(1_000)
  expect(owner.map(owner.outputs).size).toBe(30)
  expect(held(owner, 'n0')[0]).toMatchObject({ shardCount: 30, reason: 'first-placement' })
  const third = owner.successor({ shards: { ...RULES, shardCount: 30, replicaCount: 1 } })
  third.after(1_000)
  for (const { owner: node, replicas } of third.map().values()) {
    expect(node).not.toBeNull()
    expect(replicas).toEqual([])
  }
  const none = third.successor({ shards: null })
  none.after(1_000)
  expect(none.map().size).toBe(0)
  const fourth = none.successor({ shards: RULES })
  fourth.after(1_000)
  expect(fourth.map().size).toBe(120)
})

test('figures say how the load is', () => {
  const world = fleet()
  const figures = world.figures()
  expect(figures).toMatchObject({
    pool: POOL,
    shardCount: 120,
    nodeCount: 6,
    perNodeMean: 40,
    boundRatio: 1.25,
    nodesOverBound: 0,
    withoutOwner: 0,
    waitingNodes: 0,
    moves: { 'first-placement': 240 },
  })
  expect(figures.loadRatioMax).toBeCloseTo(figures.perNodeMax / 40)
  expect(figures.loadRatioMax).toBeLessThanOrEqual(1.25)
  expect(figures.perNodeMin).toBeLessThan(40)
})

test('a late result of a node that has left brings it back nowhere', () => {
  const world = fleet()
  world.after(2_000)
  world.silent('n1')
  const [fence] = world.commands('fence')
  world.fact({ kind: 'leave', node: 'n1' as NodeId, atMs: world.nowMs })
  world.result(fence, 'succeeded')
  world.result(fence, 'verified')
  world.after(2_000)
  expect(held(world, 'n1')).toEqual([])
  const last = world.outputs.findLast(({ topic, key }) => topic === 't.nodes' && key === 'n1')!
  expect(last.value, 'a tombstone').toBeNull()
  expect(world.figures().nodeCount).toBe(5)
})

/** The two halves of the fleet do not reach each other, or do again. */
function meet(world: CoordinatorWorld, split: boolean, seconds: number): void {
  reach(world, (node) => (split ? node % 2 : 0), seconds, 6)
}

test('without a quorum the map stands as it is, and follows when a side goes on again', () => {
  const world = fleet({}, { splitBrain: SPLIT_BRAIN })
  meet(world, false, 2)
  meet(world, true, 25)
  const before = world.map()
  world.fail('n1')
  meet(world, true, 5)
  expect(world.map()).toEqual(before)
  const refusals = world.journal('refusal').filter(({ node }) => node === null)
  expect(refusals).toMatchObject([{ rail: 'no-quorum' }])
  meet(world, false, 45)
  expect(held(world, 'n1')).toEqual([])
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('an owner whose policy knows no quorum lets a map go on that another one froze', () => {
  const world = fleet({}, { splitBrain: SPLIT_BRAIN })
  meet(world, false, 2)
  meet(world, true, 25)
  world.fail('n1')
  const next = world.successor({ splitBrain: null })
  next.after(2_000)
  expect(held(next, 'n1')).toEqual([])
  // The map is a function of the log: whoever folds it gets the same one, whatever its own policy.
  const map = new CoordinatorWorld({ policy: { shards: RULES }, after: next }).map()
  expect(map).toEqual(next.map())
})
