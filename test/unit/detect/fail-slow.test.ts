import { expect, test } from 'vitest'
import { failSlow } from '../../../src/detect/fail-slow.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

const NODES = Array.from({ length: 8 }, (_, i) => `n${i}`)

/** Benign: each node has a level of its own, and wobbles by a tenth. */
function usual(node: number, step: number): number {
  return (2 + node / 4) * (1 + 0.1 * Math.sin(step * 1.7 + node))
}

function history(steps: number): DetectorFeed {
  const feed = new DetectorFeed(failSlow)
  for (let step = 0; step < steps; step++) minute(feed, step, () => 1)
  return feed
}

function minute(
  feed: DetectorFeed,
  step: number,
  times: (node: number) => number,
): readonly string[] {
  feed.nowMs += 60_000
  return NODES.flatMap((name, node) => feed.latency(name, usual(node, step) * times(node)))
}

test('nodes that wobble around their own level are well', () => {
  expect(history(200).told).toEqual([])
})

test('a node three times slower than before and than its peers is told within minutes, and gravely if it stays', () => {
  const feed = history(60)
  const told: string[] = []
  for (let step = 60; step < 70; step++) told.push(...minute(feed, step, (n) => (n === 3 ? 3 : 1)))
  expect(told).toEqual(['raised n3/network_latency warning', 'raised n3/network_latency error'])
  const { fault } = feed.told[0]
  expect(fault.kind).toBe('network')
  expect(fault.evidence.map(({ what }) => what)).toEqual([
    'network_latency',
    'peersTimesSlower',
    'timesSlower',
    'score',
  ])
})

test('it is well again when it is as fast as before', () => {
  const feed = history(60)
  for (let step = 60; step < 70; step++) minute(feed, step, (n) => (n === 3 ? 3 : 1))
  const told: string[] = []
  for (let step = 70; step < 80; step++) told.push(...minute(feed, step, () => 1))
  expect(told.at(-1)).toMatch(/^cleared n3/)
  expect(feed.set.standing()).toEqual([])
})

test('when all slow down together it is no single node', () => {
  const feed = history(60)
  for (let step = 60; step < 90; step++) minute(feed, step, () => 3)
  expect(feed.told).toEqual([])
})

test('one spike is forgotten', () => {
  const feed = history(60)
  minute(feed, 60, (n) => (n === 3 ? 20 : 1))
  for (let step = 61; step < 70; step++) minute(feed, step, () => 1)
  expect(feed.told).toEqual([])
})

test('values in quick succession are one reading', () => {
  const feed = history(60)
  for (let i = 0; i < 20; i++) {
    feed.nowMs += 1_000
    feed.latency('n3', 30)
  }
  expect(feed.told).toEqual([])
})

test('a node that has always been slow is a slow node, and no fault', () => {
  const feed = new DetectorFeed(failSlow)
  for (let step = 0; step < 100; step++) minute(feed, step, (n) => (n === 3 ? 4 : 1))
  expect(feed.told).toEqual([])
})

test('what is kept of a node goes with it', () => {
  const feed = history(30)
  expect(feed.figure('histories')).toBe(8)
  feed.depart('n3')
  expect(feed.figure('histories')).toBe(7)
})
