// Goal: whatever both sides of a split network did, and whatever becomes of the blocks on their way, every node
// holds in the end what the log says, and no block is taken for verified before.
// Method: the coordinator's fold and the agents' books in one world; a seed replays a failure.
import { describe, expect, test } from 'vitest'
import { type ResyncWorldOptions, seeResync } from '../../src/simulate/resync-world.ts'
import { foreshockWasm } from '../support/node-class.ts'

const OPTIONS: ResyncWorldOptions = {
  kernel: foreshockWasm(),
  seed: 1,
  nodeCount: 40,
  workloadsPerNode: 20,
  apartRatio: 0.3,
  changedRatio: 0.3,
  merge: 'last-writer',
  faults: { lostRatio: 0, damagedRatio: 0, repeatedRatio: 0, lateRatio: 0, killedAfter: [] },
}
const FAULTS = { lostRatio: 0.1, damagedRatio: 0.1, repeatedRatio: 0.2, lateRatio: 0.3 }
const SEEDS = Array.from({ length: 4 }, (_, i) => i + 1)

describe.each(['last-writer', 'majority'] as const)('%s', (merge) => {
  test.each(SEEDS)('seed %i: all blocks are verified, through every fault and kill', (seed) => {
    const faults = { ...FAULTS, killedAfter: [1, 3, 8] }
    const seen = seeResync({ ...OPTIONS, merge, seed, faults }, () => 0)
    expect(seen).toMatchObject({ apartFromLog: [], refoldedEqual: true })
    expect(seen.figures.unverifiedCount).toBe(0)
    expect(seen.figures.verifiedCount).toBe(seen.figures.blockCount)
    expect(seen.figures.repairedCount).toBeGreaterThan(0)
    expect(seen.damagedCount).toBeGreaterThan(0)
    expect(seen.lostCount, 'losers are kept').toBeGreaterThan(0)
  })
})

test('where nothing was changed every block is verified by its digest alone', () => {
  const { figures, apartFromLog } = seeResync({ ...OPTIONS, changedRatio: 0 }, () => 0)
  const blocks = { blockCount: 12, verifiedCount: 12, repairedCount: 0, unverifiedCount: 0 }
  expect(figures).toEqual({ running: false, ...blocks })
  expect(apartFromLog).toEqual([])
})

test('a node with many workloads is compared in several blocks', () => {
  const { figures, apartFromLog } = seeResync({ ...OPTIONS, workloadsPerNode: 200 }, () => 0)
  expect(figures.blockCount).toBeGreaterThanOrEqual(12 * 3)
  expect(figures.unverifiedCount).toBe(0)
  expect(apartFromLog).toEqual([])
})

test('blocks that nobody answers are given up, and said to be unverified', () => {
  const faults = { ...OPTIONS.faults, lostRatio: 1 }
  const { figures, apartFromLog } = seeResync({ ...OPTIONS, faults }, () => 0)
  expect(figures).toMatchObject({ running: false, verifiedCount: 0, unverifiedCount: 12 })
  expect(apartFromLog).not.toEqual([])
})

test('eight hundred blocks are through at 100 blocks a second of the log, and more', () => {
  const more = { nodeCount: 1_000, workloadsPerNode: 80, apartRatio: 0.4, changedRatio: 0.05 }
  const { figures, lastedS, apartFromLog } = seeResync({ ...OPTIONS, ...more }, () => 0)
  expect(figures.verifiedCount).toBe(figures.blockCount)
  expect(figures.verifiedCount / lastedS).toBeGreaterThan(100)
  expect(apartFromLog).toEqual([])
})
