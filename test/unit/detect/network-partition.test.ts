import { expect, test } from 'vitest'
import { networkPartition } from '../../../src/detect/network-partition.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

const NODES = Array.from({ length: 10 }, (_, i) => `n${i}`)

/** Every node tries every other, and reaches those of its own side; the dead say nothing. */
function probe(feed: DetectorFeed, sideOf: (node: number) => number | 'dead'): void {
  feed.nowMs += 1_000
  for (const [i, node] of NODES.entries()) {
    if (sideOf(i) === 'dead') continue
    const others = NODES.filter((_, j) => j !== i)
    const reached = others.filter((other) => sideOf(NODES.indexOf(other)) === sideOf(i))
    feed.reach(
      node,
      reached,
      others.filter((other) => !reached.includes(other)),
    )
  }
}

function hold(
  feed: DetectorFeed,
  sideOf: (node: number) => number | 'dead',
  seconds: number,
): readonly string[] {
  const told: string[] = []
  for (let i = 0; i < seconds; i++) {
    probe(feed, sideOf)
    told.push(...feed.take({ kind: 'tick' }))
  }
  return told
}

const whole = () => 0
const threeApart = (node: number) => (node < 3 ? 1 : 0)

test('a partition is told when it has lasted, with the minority, and ends when the network stays whole', () => {
  const feed = new DetectorFeed(networkPartition)
  expect(hold(feed, whole, 10)).toEqual([])
  expect(hold(feed, threeApart, 4)).toEqual([])
  expect(feed.network().state).toBe('NORMAL')
  expect(hold(feed, threeApart, 4)).toEqual(['raised network error'])
  expect(feed.network()).toMatchObject({ state: 'PARTITIONED', hasMajority: true })
  expect(NODES.filter((node) => feed.network().isCutOff(node as never))).toEqual(['n0', 'n1', 'n2'])
  hold(feed, whole, 7)
  expect(feed.network().state).toBe('RECOVERING')
  expect(feed.network().isCutOff('n0' as never)).toBe(true)
  expect(hold(feed, whole, 30)).toEqual(['cleared network error'])
  expect(feed.network()).toMatchObject({ state: 'NORMAL', partitionCount: 1, partitionedMs: 8_000 })
  expect(feed.network().episodes).toMatchObject([{ sides: [7, 3], hasMajority: true }])
})

test('without a majority everybody is cut off, and it is graver', () => {
  const feed = new DetectorFeed(networkPartition)
  hold(feed, whole, 3)
  expect(hold(feed, (node) => node % 2, 8)).toEqual(['raised network critical'])
  expect(NODES.every((node) => feed.network().isCutOff(node as never))).toBe(true)
})

test.each([
  { sideOf: (node: number) => (node === 0 ? 1 : 0), because: 'one node alone is an island' },
  { sideOf: (node: number) => (node < 4 ? ('dead' as const) : 0), because: 'the dead are no side' },
])('no partition: $because', ({ sideOf }) => {
  const feed = new DetectorFeed(networkPartition)
  hold(feed, whole, 3)
  expect(hold(feed, sideOf, 90)).toEqual([])
  expect(feed.network().state).toBe('NORMAL')
})

test('a link that works one way only is no link', () => {
  const feed = new DetectorFeed(networkPartition)
  const told: string[] = []
  for (let second = 0; second < 8; second++) {
    feed.nowMs += 1
    feed.reach('a', ['b'])
    feed.reach('b', ['a', 'c', 'd'])
    feed.reach('c', ['d'], ['a', 'b'])
    feed.reach('d', ['c'], ['a', 'b'])
    told.push(...feed.wait(1_000))
  }
  expect(told).toEqual(['raised network critical'])
})

test('a liar that claims to reach everybody makes no bridge, and one that denies everybody cuts off itself alone', () => {
  const feed = new DetectorFeed(networkPartition)
  const others = (node: string) => NODES.filter((other) => other !== node)
  hold(feed, whole, 3)
  for (let i = 0; i < 10; i++) {
    probe(feed, threeApart)
    feed.nowMs += 1
    feed.reach('n0', others('n0'))
    feed.take({ kind: 'tick' })
  }
  expect(feed.network()).toMatchObject({ state: 'PARTITIONED', hasMajority: true })
  const denying = new DetectorFeed(networkPartition)
  for (let i = 0; i < 10; i++) {
    probe(denying, whole)
    denying.nowMs += 1
    denying.reach('n0', [], others('n0'))
    denying.take({ kind: 'tick' })
  }
  expect(denying.network().state).toBe('NORMAL')
})

test('an older report never replaces a newer one, and an old one counts no longer', () => {
  const feed = new DetectorFeed(networkPartition)
  hold(feed, threeApart, 8)
  expect(feed.network().state).toBe('PARTITIONED')
  feed.evidence({
    kind: 'reachability',
    node: 'n0',
    reachable: NODES.slice(1) as never,
    unreachable: [],
    atMs: 1,
  })
  feed.wait(3_000)
  expect(feed.network().state).toBe('PARTITIONED')
  feed.wait(70_000)
  expect(feed.network().state).toBe('RECOVERING')
})
