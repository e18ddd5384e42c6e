// Goal: when a split network is whole again, nodes that were apart are asked for digests of what they hold, a block
// is verified by the digest of the log alone, and people see how far it is and how it ended.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import { holdingText, type Hold, type ResyncBlock } from '../../../src/core/resync.ts'
import type { WorkloadId } from '../../../src/core/ids.ts'
import { asText, bodies, CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'
import { reach, SPLIT_BRAIN } from '../../support/split-network.ts'

const NODES = 9
const SMALL_SIDE = (node: number) => (node < 3 ? 1 : 0)
const WHOLE = () => 0

/** The first three nodes are apart for `seconds`, and come back; `w` is on n0. */
function merged(seconds = 25, splitBrain: typeof SPLIT_BRAIN | null = SPLIT_BRAIN) {
  const world = new CoordinatorWorld({ policy: { splitBrain } })
  world.joinMany(NODES)
  world.place('w', 'n0', { versions: { east: 1 } })
  reach(world, WHOLE, 2, NODES)
  reach(world, SMALL_SIDE, seconds, NODES)
  reach(world, WHOLE, 7, NODES)
  return world
}

const asked = (world: CoordinatorWorld) => bodies<ResyncBlock>(world.outputs, 't.resync')
const figures = (world: CoordinatorWorld) => world.railFigures().resync
const lines = (world: CoordinatorWorld) =>
  world.journal('condition').filter(({ condition }) => condition?.name === 'resync')

function answer(world: CoordinatorWorld, { resync, node, block }: ResyncBlock, holds: Hold[]) {
  const digest = createHash('sha256').update(holdingText(holds)).digest('hex')
  const body = {
    kind: 'holding',
    pool: POOL,
    node,
    atMs: world.nowMs,
    resync,
    block,
    digest,
    holds,
  }
  world.feed('evidence', body)
}

function holdsOf(node: NodeId): Hold[] {
  return node === 'n0' ? [{ workload: 'w' as WorkloadId, versions: { east: 1 } }] : []
}

test.each([25, 10])(
  'nodes that were apart for %i s are asked, signed, and once they agree it is over',
  (seconds) => {
    const world = merged(seconds)
    expect(asked(world).map(({ node }) => node)).toEqual(['n0', 'n1', 'n2'])
    expect(asked(world)[0]).toMatchObject({ pool: POOL, block: 0, blocks: 1, entries: null })
    const [output] = world.outputs.filter(({ topic }) => topic === 't.resync')
    expect(output).toMatchObject({
      key: 'n0',
      headers: { signature: expect.stringMatching(/^signed-/) },
    })
    for (const block of asked(world)) answer(world, block, holdsOf(block.node))
    world.after(1_000)
    const counts = { blockCount: 3, verifiedCount: 3, repairedCount: 0, unverifiedCount: 0 }
    expect(figures(world)).toEqual({ running: false, ...counts })
    expect(lines(world).map(({ condition }) => condition?.state)).toEqual(['standing', 'over'])
    expect(lines(world)[1].reasons[0]).toContain('3 of 3 blocks agree with the log')
    expect(asText(world.refold())).toEqual(asText(world.outputs))
  },
)

test('what differs is sent as the log has it, and only that, until it agrees', () => {
  const world = merged()
  const [first] = asked(world)
  const foreign = { workload: 'x' as WorkloadId, versions: { east: 7 } }
  const before = asked(world).length
  answer(world, first, [...holdsOf(first.node), foreign])
  world.after(1_000)
  const again = asked(world).slice(before)
  expect(again).toMatchObject([{ node: 'n0', entries: [{ workload: 'x', placement: null }] }])
  answer(world, again[0], holdsOf(first.node))
  expect(figures(world)).toMatchObject({ verifiedCount: 1, repairedCount: 1 })
})

test('a placement that changes in a verified block has it compared once more', () => {
  const world = merged()
  const [first] = asked(world)
  answer(world, first, holdsOf(first.node))
  world.place('w', 'n0', { versions: { east: 2 } })
  expect(figures(world)).toMatchObject({ blockCount: 4, verifiedCount: 1 })
  const before = asked(world).length
  world.after(1_000)
  expect(asked(world).slice(before)).toMatchObject([{ node: 'n0' }])
})

test('answers to what is not asked, or no more, say nothing', () => {
  const world = merged()
  const [first] = asked(world)
  answer(world, { ...first, resync: 'another' }, holdsOf(first.node))
  answer(world, { ...first, node: 'n8' as NodeId }, [])
  answer(world, { ...first, block: 1 }, [])
  expect(figures(world)).toMatchObject({ verifiedCount: 0 })
})

test('nobody who answers, and nodes that leave, are said to be unverified', () => {
  const world = merged()
  world.fact({ kind: 'leave', node: 'n2' as NodeId, atMs: world.nowMs })
  for (let second = 0; second < 100; second++) world.after(1_000)
  expect(figures(world)).toMatchObject({ running: false, verifiedCount: 0, unverifiedCount: 3 })
  expect(asked(world).filter(({ node }) => node === 'n2')).toHaveLength(1)
  expect(lines(world).at(-1)?.reasons[0]).toContain('3 could not be verified')
  // Progress is told while it lasts.
  expect(lines(world).length).toBeGreaterThan(5)
})

test('another split breaks it off, and the next merge begins anew', () => {
  const world = merged()
  reach(world, SMALL_SIDE, 25, NODES)
  expect(figures(world)).toMatchObject({ running: false, unverifiedCount: 3 })
  expect(lines(world).at(-1)?.reasons[0]).toContain('broken off')
  const before = asked(world).length
  reach(world, WHOLE, 7, NODES)
  const anew = asked(world).slice(before)
  expect(anew.map(({ node }) => node)).toEqual(['n0', 'n1', 'n2'])
  expect(anew[0].resync).not.toBe(asked(world)[0].resync)
})

test('a pool without a split-brain policy asks nobody', () => {
  const world = merged(25, null)
  expect(asked(world)).toEqual([])
  expect(figures(world)).toBeNull()
})
