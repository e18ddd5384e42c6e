// Goal: a node that returns in part holds that part of its shards, and all of its share once it is whole.
// Method: a node of a random pool is cordoned by a prediction, returns, and stays well or relapses.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { Command } from '../../../src/core/command.ts'
import type { ShardRules } from '../../../src/core/shard.ts'
import { asText, CoordinatorWorld } from '../../support/coordinator-world.ts'

const WATCH_MS = 600_000
const CPUS_PER_WEIGHT = 8

const pools = fc.record<Pool>({
  cpus: fc.array(fc.constantFrom(4, 8, 8, 16), { minLength: 4, maxLength: 8 }),
  share: fc.constantFrom(0.1, 0.25, 0.5, 0.75),
  shardCount: fc.constantFrom(40, 150, 400),
  boundRatio: fc.constantFrom(1, 1.25, 1.5),
})

interface Pool {
  readonly cpus: readonly number[]
  readonly share: number
  readonly shardCount: number
  readonly boundRatio: number
}

function returnedInPart({ cpus, share, shardCount, boundRatio }: Pool) {
  const shards: ShardRules = { shardCount, replicaCount: 1, boundRatio, movesMax: null }
  const world = new CoordinatorWorld({ policy: { shards, returnRatio: share } })
  for (const [i, cpu] of cpus.entries()) {
    world.join(`n${i}`, { capacity: { cpu, memoryBytes: 1e9, gpu: null } })
  }
  world.after(1_000)
  world.risky('n0')
  carryOutLast(world, 'cordon')
  world.risky('n0', 0.1)
  carryOutLast(world, 'uncordon')
  world.after(2_000)
  return world
}

function carryOutLast(world: CoordinatorWorld, action: Command['action']): void {
  const command = world.commands(action).at(-1)
  expect(command, `a command ${action} was sent`).toBeDefined()
  world.carryOut(command!)
}

const heldBy = (world: CoordinatorWorld, node: string): number =>
  [...world.map().values()].filter(({ owner }) => owner === node).length

/** What the bound lets n0 hold where it counts with a part of its weight. */
function boundOf({ cpus, shardCount, boundRatio }: Pool, share: number) {
  const weights = cpus.map((cpu, i) => (cpu / CPUS_PER_WEIGHT) * (i === 0 ? share : 1))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return Math.ceil((boundRatio * shardCount * weights[0]) / total)
}

test.prop([pools], { numRuns: 40 })(
  'its shards are bounded by the share with which it returns, and by its whole weight later',
  (pool) => {
    const world = returnedInPart(pool)
    expect(heldBy(world, 'n0')).toBeLessThanOrEqual(boundOf(pool, pool.share))
    expect(world.figures()).toMatchObject({ withoutOwner: 0, nodesOverBound: 0 })
    const inPart = heldBy(world, 'n0')
    world.after(WATCH_MS)
    carryOutLast(world, 'uncordon')
    world.after(2_000)
    expect(heldBy(world, 'n0')).toBeLessThanOrEqual(boundOf(pool, 1))
    expect(heldBy(world, 'n0')).toBeGreaterThanOrEqual(inPart)
    expect(world.figures()).toMatchObject({ withoutOwner: 0, nodesOverBound: 0 })
    expect(asText(world.refold())).toEqual(asText(world.outputs))
  },
)

test.prop([pools], { numRuns: 20 })('a relapse takes nothing new on', (pool) => {
  const world = returnedInPart(pool)
  // Its cooldown keeps it from being cordoned again at once.
  const before = heldBy(world, 'n0')
  world.risky('n0')
  world.after(2_000)
  expect(heldBy(world, 'n0')).toBeLessThanOrEqual(before)
})

test('a quarter of the capacity is about a quarter of the shards, until the watch is over', () => {
  const pool = { cpus: [16, 16, 16, 16], share: 0.25, shardCount: 400, boundRatio: 1 }
  const world = returnedInPart(pool)
  // 400 shards over 3 1/4 nodes.
  expect(heldBy(world, 'n0')).toBeGreaterThan(15)
  expect(heldBy(world, 'n0')).toBeLessThanOrEqual(31)
  world.after(WATCH_MS)
  carryOutLast(world, 'uncordon')
  world.after(2_000)
  expect(heldBy(world, 'n0')).toBeGreaterThan(60)
})
