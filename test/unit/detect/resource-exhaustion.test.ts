import { expect, test } from 'vitest'
import { resourceExhaustion } from '../../../src/detect/resource-exhaustion.ts'
import { POINTS_MAX, steadyTrend } from '../../../src/detect/trend.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

function fill(
  feed: DetectorFeed,
  from: number,
  perMinute: number,
  minutes: number,
  what = 'disk_utilization',
): readonly string[] {
  const told: string[] = []
  for (let minute = 0; minute < minutes; minute++) {
    feed.nowMs += 60_000
    told.push(...feed.usage('n', what, Math.min(1, from + perMinute * minute)))
  }
  return told
}

function leftMs(feed: DetectorFeed, index: number): number {
  const evidence = feed.told[index].fault.evidence.find(({ what }) => what === 'timeLeftMs')
  return Number(evidence?.value)
}

test('a disk that fills up is told with the time that is left, and gravely when it is short', () => {
  const feed = new DetectorFeed(resourceExhaustion)
  expect(fill(feed, 0.6, 0.003, 130)).toEqual([
    'raised n/disk_utilization warning',
    'raised n/disk_utilization error',
  ])
  // Twelve readings make it certain: 0.633 is full, which leaves (1 - 0.633) / 0.003 minutes.
  expect(leftMs(feed, 0) / 60_000).toBeCloseTo(122.3, 0)
  expect(leftMs(feed, 1) / 60_000).toBeCloseTo(29.3, 0)
})

test.each([
  { from: 0.9, perMinute: 0, what: 'disk_utilization', because: 'it is full enough, but stays so' },
  { from: 0.9, perMinute: -0.002, what: 'disk_utilization', because: 'it empties' },
  { from: 0.1, perMinute: 0.003, what: 'disk_utilization', because: 'there is half of it left' },
  {
    from: 0.55,
    perMinute: 0.004,
    what: 'cpu_utilization',
    because: 'a load is nothing that fills',
  },
])('from $from by $perMinute of $what: nothing, because $because', (example) => {
  const feed = new DetectorFeed(resourceExhaustion)
  expect(fill(feed, example.from, example.perMinute, 100, example.what)).toEqual([])
})

test('wild readings, one in six, do not move the trend', () => {
  const points = new Float64Array(2 * POINTS_MAX)
  for (let i = 0; i < POINTS_MAX; i++) {
    points[2 * i] = i * 1_000
    points[2 * i + 1] = i % 6 === 3 ? 0.95 : 0.5 + 0.001 * i
  }
  expect(steadyTrend(points, 0.3)!.slope).toBeCloseTo(0.001 / 1_000, 6)
})

test('it is over when the resource is freed', () => {
  const feed = new DetectorFeed(resourceExhaustion)
  fill(feed, 0.6, 0.003, 40)
  feed.nowMs += 60_000
  expect(feed.usage('n', 'disk_utilization', 0.2)).toEqual(['cleared n/disk_utilization warning'])
  expect(feed.figure('series')).toBe(0)
})
