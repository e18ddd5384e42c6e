import { expect, test } from 'vitest'
import { peerSight } from '../../../src/detect/peer-sight.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

const NODES = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const ROUND_MS = 5_000

/** A round of reports: all of all, but for those whose word does not come, and what is not reached. */
function round(
  feed: DetectorFeed,
  { lost = [], mute = [] }: { lost?: readonly string[]; mute?: readonly string[] } = {},
): readonly string[] {
  for (const node of NODES) {
    if (mute.includes(node)) continue
    const cut = (peer: string) => lost.includes(node) !== lost.includes(peer)
    const peers = NODES.filter((peer) => peer !== node)
    feed.reach(
      node,
      peers.filter((peer) => !cut(peer)),
      peers.filter(cut),
    )
  }
  return feed.wait(ROUND_MS)
}

function rounds(feed: DetectorFeed, count: number, what: Parameters<typeof round>[1] = {}) {
  return Array.from({ length: count }, () => round(feed, what)).flat()
}

test('a node that its peers miss and that is silent is suspected, and well when they reach it', () => {
  const feed = new DetectorFeed(peerSight)
  expect(rounds(feed, 5)).toEqual([])
  expect(rounds(feed, 3, { lost: ['c'], mute: ['c'] })).toEqual(['raised c warning'])
  expect(feed.told[0].fault.kind).toBe('service-unavailability')
  expect(rounds(feed, 2)).toEqual(['cleared c warning'])
})

test('a node that its peers miss while it reports itself has trouble with its network', () => {
  const feed = new DetectorFeed(peerSight)
  rounds(feed, 5)
  expect(rounds(feed, 4, { lost: ['c'] })).toEqual(['raised c warning', 'raised c error'])
  expect(feed.told.at(-1)!.fault.kind).toBe('network')
})

test('where many are missed and report themselves, the network is partitioned', () => {
  const feed = new DetectorFeed(peerSight)
  rounds(feed, 5)
  const told = rounds(feed, 6, { lost: ['c', 'd'] })
  expect(told.filter((line) => line.endsWith('error'))).toEqual([])
})

test('one round that fails, and another, says nothing; a third within minutes is a link that flaps', () => {
  const feed = new DetectorFeed(peerSight)
  rounds(feed, 5)
  for (let i = 0; i < 3; i++) {
    const told = i < 2 ? [] : ['raised c error']
    expect(rounds(feed, 1, { lost: ['c'], mute: ['c'] })).toEqual(told)
    expect(rounds(feed, 4)).toEqual([])
  }
})

test('a link that is lost a third time within minutes flaps', () => {
  const feed = new DetectorFeed(peerSight)
  rounds(feed, 5)
  for (let i = 0; i < 3; i++) {
    rounds(feed, 3, { lost: ['c'], mute: ['c'] })
    rounds(feed, 3)
  }
  const flapping = feed.told.filter(({ fault }) => fault.kind === 'network')
  expect(flapping).toHaveLength(1)
  expect(flapping[0].fault).toMatchObject({ subject: 'c', severity: 'error' })
  expect(feed.wait(600_000)).toEqual([])
  expect(rounds(feed, 1)).toEqual(['cleared c error'])
})

test('two liars of five peers say nothing', () => {
  const feed = new DetectorFeed(peerSight)
  for (let i = 0; i < 20; i++) {
    for (const node of NODES) {
      const peers = NODES.filter((peer) => peer !== node)
      const lies = node === 'a' || node === 'b'
      feed.reach(node, lies ? peers.filter((peer) => peer !== 'c') : peers, lies ? ['c'] : [])
    }
    expect(feed.wait(ROUND_MS)).toEqual([])
  }
})

test('reports that come late or twice are no news', () => {
  const feed = new DetectorFeed(peerSight)
  rounds(feed, 5)
  for (let again = 0; again < 5; again++) {
    for (const node of ['a', 'b', 'd', 'e', 'f']) {
      const record = { kind: 'reachability', node, reachable: [], unreachable: ['c'] } as const
      feed.evidence({ ...record, atMs: feed.nowMs - 60_000 } as never)
    }
    expect(feed.wait(1_000)).toEqual([])
  }
})

test('names that have neither joined nor reported take no room', () => {
  const feed = new DetectorFeed(peerSight)
  feed.reach('a', [], ['ghost', 'b'])
  expect(feed.figure('nodes')).toBe(1)
  feed.arrive('b', 'alike')
  expect(feed.figure('nodes')).toBe(2)
  feed.depart('b')
  expect(feed.figure('nodes')).toBe(1)
})
