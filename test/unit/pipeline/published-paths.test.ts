// Goal: topic `paths` says where to go from each node, is written where that has changed and not otherwise, follows
// failures within seconds, and forgets who has left.
import { describe, expect, test } from 'vitest'
import { HOPS_MAX } from '../../../src/core/evidence.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import { pathsKey, type PublishedPaths } from '../../../src/core/route-paths.ts'
import { PATH_NODES_MAX } from '../../../src/pipeline/coordinator-paths.ts'
import { CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'
import { measured } from '../../support/measured.ts'
import { textOf } from '../../support/output.ts'

const WORLD = { policy: { budgetRatio: 1, sharedCauseNodesMin: 1_000 } }
/** A round, at a pace of one node a second, of a pool of ten. */
const ROUND_S = 70

/** a - b - d is fastest, a - c - d the way around. */
function square(): CoordinatorWorld {
  const world = new CoordinatorWorld(WORLD)
  for (const node of ['a', 'b', 'c', 'd']) world.join(node)
  measureSquare(world)
  pass(world, 5)
  return world
}

function measureSquare(world: CoordinatorWorld, factor = 1): void {
  measured(world, 'a', { b: factor, c: 2 * factor })
  measured(world, 'd', { b: factor, c: 2 * factor })
}

function pass(world: CoordinatorWorld, seconds: number): void {
  for (let i = 0; i < seconds; i++) world.after(1_000)
}

const records = (world: CoordinatorWorld) =>
  world.outputs.filter(({ topic }) => topic === 't.paths')
const told = (world: CoordinatorWorld) =>
  records(world).flatMap(({ value }) =>
    value === null ? [] : [JSON.parse(textOf(value)) as PublishedPaths],
  )
/** What a reader of the compacted topic has. */
function kept(world: CoordinatorWorld): ReadonlyMap<string, PublishedPaths> {
  const newest = new Map<string, PublishedPaths>()
  for (const { key, value } of records(world)) {
    if (value === null) newest.delete(String(key))
    else newest.set(String(key), JSON.parse(textOf(value)) as PublishedPaths)
  }
  return newest
}

test('each node has a record with its ways to the others, as the question for one pair finds them', () => {
  const world = square()
  expect([...kept(world).keys()].sort()).toEqual(['web/a', 'web/b', 'web/c', 'web/d'])
  const { routes, ...rest } = kept(world).get('web/a')!
  expect(rest).toMatchObject({ pool: POOL, from: 'a', epoch: 0 })
  expect(routes.map(({ to }) => to)).toEqual(['b', 'c', 'd'])
  const { shortest, pair } = world.paths('a', 'd')!
  expect(routes[2]).toEqual({ to: 'd', shortest, pair })
  expect(world.stats()).toMatchObject({ pathRecordCount: 4, pathNodesLeftOut: 0 })
})

describe('what is the same is not told again', () => {
  test.each([
    { factor: 1, records: 4, because: 'nothing has changed' },
    { factor: 1.2, records: 4, because: 'a little slower is no news' },
    { factor: 3, records: 8, because: 'three times as slow is' },
  ])('$records records where $because', ({ factor, records: count }) => {
    const world = square()
    for (let i = 0; i < 40; i++) {
      world.nowMs++
      measureSquare(world, factor)
    }
    pass(world, ROUND_S)
    expect(records(world)).toHaveLength(count)
  })
})

test('a node that fails is out of all ways within seconds, and back in them when it is heard of', () => {
  const world = square()
  world.silent('b')
  pass(world, 3)
  const after = kept(world)
  expect(after.get('web/a')!.routes.map(({ to }) => to)).toEqual(['c', 'd'])
  expect(after.get('web/a')!.routes[1]).toMatchObject({ shortest: { nodes: ['a', 'c', 'd'] } })
  expect(after.get('web/b')!.routes).toEqual([])
  world.live('b')
  pass(world, ROUND_S)
  expect(kept(world).get('web/a')!.routes[2]).toMatchObject({
    shortest: { nodes: ['a', 'b', 'd'] },
  })
  expect(kept(world).get('web/b')!.routes).toHaveLength(3)
})

test('while our own view is late nobody is taken for failed', () => {
  const world = square()
  const before = records(world).length
  for (const node of ['a', 'b', 'c', 'd']) {
    world.assess(node, { liveness: 'unknown', trigger: 'liveness' })
  }
  pass(world, ROUND_S)
  expect(records(world)).toHaveLength(before)
})

test('a node that leaves is forgotten, and no way leads over it', () => {
  const world = square()
  world.fact({ kind: 'leave', node: 'b' as NodeId, atMs: world.nowMs })
  expect(world.last).toContainEqual(expect.objectContaining({ key: 'web/b', value: null }))
  pass(world, 3)
  expect([...kept(world).keys()].sort()).toEqual(['web/a', 'web/c', 'web/d'])
  const all = [...kept(world).values()].flatMap(({ routes }) => routes)
  expect(JSON.stringify(all)).not.toContain('"b"')
})

test('measurements that are too old say nothing any more', () => {
  const world = square()
  for (let i = 0; i < 7; i++) pass(world, ROUND_S)
  expect([...kept(world).values()].map(({ routes }) => routes)).toEqual([[], [], [], []])
})

test('a way with more relays than an observation is passed on is none', () => {
  const world = new CoordinatorWorld(WORLD)
  const names = Array.from({ length: HOPS_MAX + 3 }, (_, i) => `n${String(i).padStart(2, '0')}`)
  for (const node of names) world.join(node)
  for (const [i, node] of names.slice(1).entries()) measured(world, node, { [names[i]]: 1 })
  pass(world, ROUND_S)
  const { routes } = kept(world).get('web/n00')!
  expect(routes.map(({ to }) => to)).toEqual(names.slice(1, -1))
})

test('of a large pool the first nodes by name are followed, and the others counted', () => {
  const world = new CoordinatorWorld(WORLD)
  const names = Array.from({ length: PATH_NODES_MAX + 5 }, (_, i) => `n${1_000 + i}`)
  for (const node of names) world.join(node)
  for (const [i, node] of names.entries()) {
    measured(world, node, {
      [names[(i + 1) % names.length]]: 1,
      [names[(i + 2) % names.length]]: 1,
    })
  }
  pass(world, 2 * ROUND_S)
  expect([...kept(world).keys()].sort()).toEqual(
    names.slice(0, PATH_NODES_MAX).map((node) => `web/${node}`),
  )
  expect(world.stats()).toMatchObject({ pathNodesLeftOut: 5 })
})

test('an owner that folds the log again says the same', () => {
  const world = square()
  world.fail('b')
  pass(world, 10)
  const again = world.createFold()
  const outputs = world.records.flatMap((record) => again.fold(record))
  expect(JSON.stringify(outputs)).toBe(JSON.stringify(world.outputs))
  expect(told(world).length).toBeGreaterThan(4)
})

test.each([
  { pool: 'web', node: 'n1', key: 'web/n1' },
  { pool: 'a/b', node: 'c', key: 'a%2Fb/c' },
  { pool: 'a', node: 'b/c', key: 'a/b/c' },
  { pool: 'a%2Fb', node: 'c', key: 'a%252Fb/c' },
])('the key of $node in $pool is $key', ({ pool, node, key }) => {
  expect(pathsKey(pool as PoolId, node as NodeId)).toBe(key)
})
