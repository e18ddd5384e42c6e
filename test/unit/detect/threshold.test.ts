import { expect, test } from 'vitest'
import { threshold, turningPoints } from '../../../src/detect/threshold.ts'
import { valuesOf } from '../../../src/detect/settings.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

const ONCE = { persistence: 1 }

test.each([
  { ms: 499, found: [], because: 'it is under both limits' },
  { ms: 500, found: ['raised n/network-latency warning'], because: 'it is at the warning' },
  {
    ms: 1_000,
    found: ['raised n/network-latency critical'],
    because: 'it is at the critical limit',
  },
])('network latency $ms ms gives $found, because $because', ({ ms, found }) => {
  expect(new DetectorFeed(threshold, ONCE).latency('n', ms)).toEqual(found)
})

test.each([
  { health: 0.51, found: [], because: 'it is over both limits' },
  { health: 0.5, found: ['raised n/node-health warning'], because: 'it is at the warning' },
  { health: 0.3, found: ['raised n/node-health critical'], because: 'it is at the critical limit' },
  { health: null, found: [], because: 'there is no sample yet' },
])('health $health gives $found, because $because', ({ health, found }) => {
  expect(new DetectorFeed(threshold, ONCE).row('n', { health })).toEqual(found)
})

test.each([
  { ratio: 0.79, found: [], because: 'it is under both limits' },
  { ratio: 0.8, found: ['raised n/resource-usage warning'], because: '80 % is the warning' },
  { ratio: 0.95, found: ['raised n/resource-usage critical'], because: '95 % is critical' },
])('usage $ratio gives $found, because $because', ({ ratio, found }) => {
  expect(new DetectorFeed(threshold, ONCE).usage('n', 'memory_utilization', ratio)).toEqual(found)
})

test('a single reading over the limit is a spike; the second in a row is a fault', () => {
  const feed = new DetectorFeed(threshold)
  expect([feed.latency('n', 700), feed.latency('n', 20), feed.latency('n', 700)].flat()).toEqual([])
  expect(feed.latency('n', 700)).toEqual(['raised n/network-latency warning'])
})

test('a level is left only beyond its hysteresis, step by step', () => {
  const feed = new DetectorFeed(threshold, ONCE)
  const told = [1_100, 950, 899, 460, 449].map((ms) => feed.latency('n', ms))
  expect(told).toEqual([
    ['raised n/network-latency critical'],
    [],
    ['raised n/network-latency warning'],
    [],
    ['cleared n/network-latency warning'],
  ])
})

test('a node that leaves takes its faults and its memory with it', () => {
  const feed = new DetectorFeed(threshold, ONCE)
  feed.latency('n', 700)
  expect(feed.depart('n')).toEqual(['cleared n/network-latency warning'])
  expect(feed.figure('latched')).toBe(0)
})

test('limits that contradict each other are refused by name', () => {
  const values = valuesOf(threshold, { threshold: { nodeHealthCritical: 0.6 } })
  expect(threshold.check?.(values)).toBe(
    'node-health: the critical limit (0.6) must lie under the warning (0.5)',
  )
})

test('where something begins or ends are the limits and the ends of their hysteresis', () => {
  const points = turningPoints(valuesOf(threshold, {}), 'network-latency')
  expect(points).toEqual([500, 450, 1_000, 900])
})
