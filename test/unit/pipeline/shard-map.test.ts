import { expect, test } from 'vitest'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { ShardRules } from '../../../src/core/shard.ts'
import { type NodeChange, ShardMap } from '../../../src/pipeline/shard-map.ts'
import { foreshockWasm } from '../../support/node-class.ts'

const RULES: ShardRules = { shardCount: 60, replicaCount: 2, boundRatio: 1.25, movesMax: null }
const kernel = foreshockWasm()

const comes = (name: string, weight = 1, zone: string | null = null): NodeChange => {
  const node = name as NodeId
  return { node, member: { node, weight, zone } }
}
const goes = (name: string): NodeChange => {
  return { node: name as NodeId, member: null, reason: 'node-left' }
}

function mapOf(rules: Partial<ShardRules> = {}, count = 5): ShardMap {
  const map = new ShardMap(kernel, 'web' as PoolId, { ...RULES, ...rules })
  map.apply(Array.from({ length: count }, (_, i) => comes(`n${i}`)))
  return map
}

const all = (map: ShardMap): readonly (readonly (string | null)[])[] =>
  Array.from({ length: map.rules.shardCount }, (_, shard) => map.owners(shard))

test('after thousands have come and gone the ring is made anew, and no shard moves for it', () => {
  const map = mapOf()
  for (let i = 0; i < 1_100; i++) {
    map.apply([comes(`guest-${i}`)])
    const before = all(map)
    const { changed } = map.apply([goes(`guest-${i}`)])
    const had = before.filter((owners) => owners.includes(`guest-${i}`)).length
    expect(changed.size).toBe(had)
  }
  for (const owners of all(map)) {
    expect(new Set(owners).size).toBe(2)
    for (const owner of owners) expect(owner).toMatch(/^n\d$/)
  }
  expect(map.apply([]).changed.size).toBe(0)
})

test('a change of nothing changes nothing, and one for a node that is not there neither', () => {
  const map = mapOf()
  const before = all(map)
  expect(map.apply([]).changed.size).toBe(0)
  expect(map.apply([goes('nobody')]).moves.size).toBe(0)
  expect(all(map)).toEqual(before)
})

test('an owner that is lost is followed by its replica, in the same place where it was', () => {
  const map = mapOf()
  const before = all(map)
  const { changed } = map.apply([goes('n3')])
  for (const [shard, { previousOwner, reason }] of changed) {
    const [owner, replica] = before[shard]
    expect([reason, previousOwner]).toEqual(['node-left', owner])
    expect(map.owners(shard)[0]).toBe(owner === 'n3' ? replica : owner)
  }
  expect(changed.size).toBe(before.filter((owners) => owners.includes('n3')).length)
})

test('fewer replicas are cut off without a move, and more are placed beside those there are', () => {
  const wide = { ...RULES, boundRatio: 64 }
  const map = mapOf(wide)
  const before = all(map)
  const fewer = map.apply([], { ...wide, replicaCount: 1 })
  expect([fewer.moves.size, fewer.changed.size]).toEqual([0, 60])
  expect(all(map)).toEqual(before.map(([owner]) => [owner]))
  const more = map.apply([], { ...wide, replicaCount: 3 })
  expect([...more.moves.values()].reduce((a, b) => a + b, 0)).toBe(120)
  for (const [shard, owners] of all(map).entries()) {
    expect(owners[0]).toBe(before[shard][0])
    expect(new Set(owners).size).toBe(3)
  }
})

test('nodes for which the ring has no points left get no shards, until others have gone', () => {
  const map = mapOf({ replicaCount: 1 }, 0)
  const big = Array.from({ length: 256 }, (_, i) => comes(`big-${String(i).padStart(3, '0')}`, 64))
  expect(map.apply(big).leftOut).toEqual([])
  expect(map.apply([comes('one-too-many')]).leftOut).toEqual(['one-too-many'])
  expect(map.member('one-too-many' as NodeId)).toBeUndefined()
  expect(map.apply([goes('big-000'), comes('one-too-many')]).leftOut).toEqual([])
  expect(map.member('one-too-many' as NodeId)).toBeDefined()
})
