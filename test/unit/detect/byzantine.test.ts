import { expect, test } from 'vitest'
import type { Claim } from '../../../src/core/evidence.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { byzantine } from '../../../src/detect/byzantine.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

function claim(feed: DetectorFeed, node: string, about: string, what: Claim['claim']) {
  feed.nowMs += 1
  return feed.evidence({ kind: 'claim', node, about: about, claim: what })
}

/** Telemetry a minute after what was claimed. */
function seen(feed: DetectorFeed, ...nodes: readonly string[]): readonly string[] {
  feed.nowMs += 60_000
  return nodes.flatMap((node) => feed.row(node, {}))
}

function reputation(feed: DetectorFeed, node: string): number {
  return feed.set.reputationOf(node as NodeId, feed.nowMs)
}

test('who calls live nodes dead loses its reputation, node by node', () => {
  const feed = new DetectorFeed(byzantine)
  const told: string[] = []
  for (let i = 0; i < 6; i++) {
    claim(feed, 'liar', `n${i}`, 'dead')
    told.push(...seen(feed, `n${i}`))
  }
  expect(told).toEqual(['raised liar error'])
  expect(reputation(feed, 'liar')).toBeLessThan(0.3)
  expect(reputation(feed, 'n0')).toBe(1)
})

test('the same lie said again costs nothing more', () => {
  const feed = new DetectorFeed(byzantine)
  for (let i = 0; i < 20; i++) {
    claim(feed, 'liar', 'n0', 'dead')
    seen(feed, 'n0')
  }
  expect(reputation(feed, 'liar')).toBeGreaterThan(0.84)
})

test('a lie that is said again before telemetry can contradict it counts from its first time', () => {
  const feed = new DetectorFeed(byzantine)
  for (let i = 0; i < 5; i++) {
    claim(feed, 'liar', 'n0', 'dead')
    feed.nowMs += 10_000
  }
  feed.row('n0', {})
  expect(reputation(feed, 'liar')).toBeCloseTo(0.85)
})

test('who changed its word in between is held to the newest', () => {
  const feed = new DetectorFeed(byzantine)
  for (const what of ['dead', 'alive', 'dead'] as const) {
    claim(feed, 'a', 'n0', what)
    feed.nowMs += 20_000
  }
  feed.row('n0', {})
  expect(reputation(feed, 'a')).toBe(1)
})

test('who calls a node dead while it is silent, until it is back, has not lied', () => {
  const feed = new DetectorFeed(byzantine)
  claim(feed, 'honest', 'n0', 'dead')
  feed.nowMs += 20_000
  feed.row('n0', { liveness: 'silent', lastSeenAtMs: feed.nowMs - 20_000 })
  for (let i = 0; i < 5; i++) {
    feed.nowMs += 20_000
    claim(feed, 'honest', 'n0', 'dead')
  }
  feed.nowMs += 5_000
  feed.row('n0', {})
  expect(reputation(feed, 'honest')).toBe(1)
})

test('what several say is a network partition and no lie', () => {
  const feed = new DetectorFeed(byzantine)
  for (let i = 0; i < 6; i++) for (const node of ['a', 'b', 'c']) claim(feed, node, `n${i}`, 'dead')
  expect(seen(feed, 'n0', 'n1', 'n2', 'n3', 'n4', 'n5')).toEqual([])
  expect(feed.figure('disputed')).toBe(18)
})

test('who calls a node alive that has been silent for long lies as well', () => {
  const feed = new DetectorFeed(byzantine)
  claim(feed, 'liar', 'n0', 'alive')
  feed.row('n0', { liveness: 'silent', lastSeenAtMs: feed.nowMs - 60_000 })
  expect(reputation(feed, 'liar')).toBeCloseTo(0.85)
})

test('while our own view is late nobody lies', () => {
  const feed = new DetectorFeed(byzantine)
  claim(feed, 'a', 'n0', 'dead')
  feed.nowMs += 60_000
  feed.row('n0', { liveness: 'unknown' })
  expect(reputation(feed, 'a')).toBe(1)
})

test('a third of the witnesses cannot ruin an honest node, and more than that can', () => {
  const feed = new DetectorFeed(byzantine)
  for (let i = 0; i < 6; i++) claim(feed, `honest${i}`, 'other', 'alive')
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 3; i++) claim(feed, `liar${i}`, 'victim', 'misbehaving')
    feed.wait(61_000)
    for (let i = 0; i < 6; i++) claim(feed, `honest${i}`, 'other', 'alive')
  }
  expect(reputation(feed, 'victim')).toBe(1)
  const told: string[] = []
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 6; i++) told.push(...claim(feed, `honest${i}`, 'liar0', 'misbehaving'))
    feed.wait(61_000)
  }
  expect(told).toEqual(['raised liar0 error'])
})

test('a penalty wears off, and faster with each verified recovery', () => {
  const feed = new DetectorFeed(byzantine)
  for (let i = 0; i < 6; i++) {
    claim(feed, 'liar', `n${i}`, 'dead')
    seen(feed, `n${i}`)
  }
  const worst = reputation(feed, 'liar')
  expect(feed.take({ kind: 'recovery', node: 'liar' as NodeId })).toEqual(['cleared liar error'])
  expect(reputation(feed, 'liar')).toBeCloseTo((1 + worst) / 2)
  feed.nowMs += 24 * 3_600_000
  expect(reputation(feed, 'liar')).toBeGreaterThan(0.99)
})
