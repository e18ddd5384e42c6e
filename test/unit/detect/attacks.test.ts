import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import { challengeResponse, nodeKey } from '../../../src/detect/challenge-response.ts'
import { flooding } from '../../../src/detect/flooding.ts'
import { DETECTORS } from '../../../src/detect/registry.ts'
import { sybil } from '../../../src/detect/sybil.ts'
import { timingAnomaly } from '../../../src/detect/timing-anomaly.ts'
import { voteManipulation } from '../../../src/detect/vote-manipulation.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

test('the detectors of attacks are off unless a policy switches them on', () => {
  const off = DETECTORS.filter(({ enabled }) => !enabled).map(({ name }) => name)
  expect(off).toEqual([
    'sybil',
    'flooding',
    'vote-manipulation',
    'timing-anomaly',
    'challenge-response',
  ])
})

/** Ten nodes that have been there for long. */
function settled(): DetectorFeed {
  const feed = new DetectorFeed(sybil)
  for (let i = 0; i < 10; i++) feed.arrive(`old${i}`, `old${i}`)
  feed.wait(601_000)
  return feed
}

test('new nodes that look alike and reach only each other are one adversary, told within 5 s', () => {
  const feed = settled()
  const names = Array.from({ length: 6 }, (_, i) => `s${i}`)
  for (const name of names) feed.arrive(name, 'same')
  for (const name of names)
    feed.reach(
      name,
      names.filter((other) => other !== name),
    )
  const fromMs = feed.nowMs
  expect(feed.wait(5_000)).toEqual(['raised same critical'])
  expect(feed.told[0].fault.confidenceRatio).toBeGreaterThanOrEqual(0.7)
  expect(feed.told[0].fault.atMs - fromMs).toBeLessThan(5_000)
  expect(feed.told[0].fault.others).toEqual(names)
})

test.each([
  {
    reach: () => ['old0', 'old1', 'old2', 's0'],
    because: 'an autoscaler’s nodes reach the old ones',
  },
  { reach: () => [], because: 'nothing is known of whom they reach' },
])('new nodes that look alike are well: $because', ({ reach }) => {
  const feed = settled()
  for (let i = 0; i < 6; i++) feed.arrive(`s${i}`, 'same')
  for (let i = 0; i < 6; i++) feed.reach(`s${i}`, reach())
  expect(feed.wait(5_000)).toEqual([])
})

test('where everybody is new nobody is an intruder', () => {
  const feed = new DetectorFeed(sybil)
  const names = Array.from({ length: 20 }, (_, i) => `n${i}`)
  for (const name of names) feed.arrive(name, 'same')
  for (const name of names) feed.reach(name, names)
  expect(feed.wait(5_000)).toEqual([])
})

function send(feed: DetectorFeed, node: string, atMs = feed.nowMs): readonly string[] {
  const body = { kind: 'reachability', reachable: [], unreachable: [] } as const
  return feed.evidence({ ...body, node, atMs })
}

test('a node that sends many times more than its peers floods, until it stops', () => {
  const feed = new DetectorFeed(flooding)
  const told: string[] = []
  for (let second = 0; second < 4; second++) {
    for (let i = 0; i < 5; i++) for (let n = 0; n < 15; n++) send(feed, `n${i}`)
    told.push(...feed.wait(1_000))
  }
  expect(told).toEqual([])
  for (let n = 0; n < 400; n++) told.push(...send(feed, 'n0'))
  expect(told).toEqual(['raised n0 critical'])
  expect(feed.wait(6_000)).toEqual(['cleared n0 critical'])
})

test('when all send more, nobody floods', () => {
  const feed = new DetectorFeed(flooding, { recordsMin: 20 })
  const told: string[] = []
  for (let second = 0; second < 20; second++) {
    for (let i = 0; i < 5; i++) for (let n = 0; n < 5 + second; n++) send(feed, `n${i}`)
    told.push(...feed.wait(1_000))
  }
  expect(told).toEqual([])
})

test('a clock that is far from all others is told, and delay that all share is not', () => {
  const feed = new DetectorFeed(timingAnomaly)
  const told: string[] = []
  for (let second = 0; second < 8; second++) {
    for (let i = 0; i < 6; i++) {
      for (let n = 0; n < 3; n++) send(feed, `n${i}`, feed.nowMs - 40_000 - (i === 2 ? 90_000 : 0))
    }
    told.push(...feed.wait(1_000))
  }
  expect(told).toEqual(['raised n2 critical'])
})

test('a node that sends its old records again is told', () => {
  const feed = new DetectorFeed(timingAnomaly)
  send(feed, 'n0')
  for (let n = 0; n < 5; n++) send(feed, 'n0', feed.nowMs - 3_600_000)
  expect(feed.wait(3_000)).toEqual(['raised n0 critical'])
})

function vote(feed: DetectorFeed, node: string, choice: string): readonly string[] {
  return feed.evidence({ kind: 'ballot', node, ballot: 'b1', choice })
}

test('who votes for two things is told at once, and who says the same twice is not', () => {
  const feed = new DetectorFeed(voteManipulation)
  expect([...vote(feed, 'n0', 'yes'), ...vote(feed, 'n0', 'yes')]).toEqual([])
  expect(vote(feed, 'n0', 'no')).toEqual(['raised b1/n0 critical'])
})

test('voices of nodes that came after the ballot was opened are told from a third on', () => {
  const feed = new DetectorFeed(voteManipulation)
  for (let i = 0; i < 6; i++) feed.arrive(`n${i}`, '')
  feed.wait(1_000)
  for (let i = 0; i < 6; i++) expect(vote(feed, `n${i}`, 'no')).toEqual([])
  for (let i = 0; i < 3; i++) {
    feed.arrive(`late${i}`, '')
    expect(vote(feed, `late${i}`, 'yes')).toEqual([])
  }
  feed.arrive('late3', '')
  expect(vote(feed, 'late3', 'yes')).toEqual(['raised b1 critical'])
})

const keyOf = (node: NodeId) => nodeKey('secret', node)

function answer(
  feed: DetectorFeed,
  node: string,
  challengeId: string,
  key: string | null,
): readonly string[] {
  const hmac = createHmac('sha256', Buffer.from(key ?? '', 'hex'))
  const mac = hmac.update(`${challengeId}.nonce-${challengeId}`).digest('hex')
  return feed.evidence({ kind: 'challenge-response', node, challengeId, mac })
}

function challenge(feed: DetectorFeed, about: string, challengeId: string): void {
  const nonce = `nonce-${challengeId}`
  feed.evidence({ kind: 'challenge', node: 'asker', challengeId, about: about, nonce })
}

test('the right answer proves a node, and a wrong one is an impostor at once', () => {
  const feed = new DetectorFeed(challengeResponse, {}, keyOf)
  challenge(feed, 'n0', 'c1')
  expect(answer(feed, 'n0', 'c1', keyOf('n0' as NodeId))).toEqual([])
  challenge(feed, 'n0', 'c2')
  expect(answer(feed, 'n0', 'c2', keyOf('n1' as NodeId))).toEqual(['raised n0 critical'])
  expect(answer(feed, 'n0', 'c2', keyOf('n0' as NodeId))).toEqual(['cleared n0 critical'])
  expect(feed.figure('participation')).toBe(1)
})

test('a challenge is open for two minutes, and three without an answer tell', () => {
  const feed = new DetectorFeed(challengeResponse, {}, keyOf)
  for (const id of ['c1', 'c2', 'c3']) challenge(feed, 'n0', id)
  expect(feed.wait(120_000)).toEqual([])
  expect(feed.wait(1_000)).toEqual(['raised n0 critical'])
  expect(feed.figure('participation')).toBe(0)
})

test('an answer to another node’s challenge, or to none, counts for nothing', () => {
  const feed = new DetectorFeed(challengeResponse, {}, keyOf)
  challenge(feed, 'n0', 'c1')
  expect(answer(feed, 'n1', 'c1', keyOf('n1' as NodeId))).toEqual([])
  expect(answer(feed, 'n0', 'c9', keyOf('n0' as NodeId))).toEqual([])
  expect(feed.figure('unasked')).toBe(2)
})

test('without a key nothing is held against a node', () => {
  const feed = new DetectorFeed(challengeResponse)
  for (const id of ['c1', 'c2', 'c3']) challenge(feed, 'n0', id)
  expect([...answer(feed, 'n0', 'c1', null), ...feed.wait(130_000)]).toEqual([])
  expect(feed.figure('unverifiable')).toBe(1)
})
