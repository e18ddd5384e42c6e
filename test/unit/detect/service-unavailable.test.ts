import { expect, test } from 'vitest'
import { serviceUnavailable } from '../../../src/detect/service-unavailable.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

function check(
  feed: DetectorFeed,
  observer: string,
  more: {
    about?: string
    probe?: 'tcp' | 'http' | 'container'
    ok?: boolean
    status?: number | null
  },
): readonly string[] {
  feed.nowMs += 1_000
  const { about = 'web', probe = 'tcp', ok = false, status = null } = more
  const body = { kind: 'service-check', service: 'api', latencyMs: null } as const
  return feed.evidence({ ...body, node: observer, about: about, probe, ok, status })
}

test('a service is unavailable after several failures in a row, and available after one answer', () => {
  const feed = new DetectorFeed(serviceUnavailable)
  check(feed, 'a', {})
  check(feed, 'a', {})
  expect(check(feed, 'a', { ok: true })).toEqual([])
  check(feed, 'a', {})
  check(feed, 'a', {})
  expect(check(feed, 'a', {})).toEqual(['raised web/api/answer error'])
  expect(check(feed, 'a', { ok: true })).toEqual(['cleared web/api/answer error'])
})

test.each([
  { status: 503, found: true, because: 'the server says that it cannot' },
  { status: 404, found: false, because: 'it answers, whatever it thinks of the question' },
  { status: 200, found: false, because: 'it answers' },
])('HTTP $status: unavailable $found, because $because', ({ status, found }) => {
  const feed = new DetectorFeed(serviceUnavailable)
  for (let i = 0; i < 3; i++) check(feed, 'a', { probe: 'http', ok: true, status })
  expect(feed.told.length > 0).toBe(found)
})

test('half of those that see must see it fail', () => {
  const feed = new DetectorFeed(serviceUnavailable)
  for (const observer of ['b', 'c']) check(feed, observer, { ok: true })
  for (let i = 0; i < 3; i++) expect(check(feed, 'a', {})).toEqual([])
  for (let i = 0; i < 2; i++) check(feed, 'b', {})
  expect(check(feed, 'b', {})).toEqual(['raised web/api/answer critical'])
})

test('an observer that sees everything fail, while others see it answer, is blind itself', () => {
  const feed = new DetectorFeed(serviceUnavailable, { observersRatio: 0.1 })
  for (const about of ['w1', 'w2', 'w3', 'w4', 'w5']) {
    check(feed, 'b', { about, ok: true })
    for (let i = 0; i < 2; i++) check(feed, 'a', { about })
  }
  for (const about of ['w1', 'w2', 'w3', 'w4', 'w5']) check(feed, 'a', { about })
  // It was believed until most of what it sees failed.
  expect(feed.told.map(({ fault }) => fault.node)).toEqual(['w1', 'w2'])
  expect(check(feed, 'b', { about: 'w1', ok: true })).toEqual(['cleared w1/api/answer critical'])
  expect(feed.figure('blindObservers')).toBeGreaterThan(0)
})

test.each([
  { status: 0, kind: null, because: 'the program ended well' },
  { status: 143, kind: null, because: 'it was asked to end' },
  { status: 1, kind: 'software', because: 'the program failed' },
  { status: 139, kind: 'software', because: 'it broke into memory' },
  { status: 137, kind: 'resource-exhaustion', because: 'its memory was taken back' },
])('exit code $status is $kind, because $because', ({ status, kind }) => {
  const feed = new DetectorFeed(serviceUnavailable)
  check(feed, 'web', { probe: 'container', status })
  expect(feed.told[0]?.fault.kind ?? null).toBe(kind)
})

test('a container that ends again and again is graver than one that ended once', () => {
  const feed = new DetectorFeed(serviceUnavailable)
  const told = [1, 1, 1].map((status) => check(feed, 'web', { probe: 'container', status }))
  expect(told).toEqual([
    ['raised web/api/container warning'],
    [],
    ['raised web/api/container error'],
  ])
  expect(check(feed, 'web', { probe: 'container', ok: true })).toEqual([])
  feed.nowMs += 600_000
  expect(check(feed, 'web', { probe: 'container', ok: true })).toEqual([
    'cleared web/api/container error',
  ])
})
