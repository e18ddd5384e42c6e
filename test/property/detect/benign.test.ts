// Goal: benign noise raises no fault, whatever its seed, and the same inputs give the same findings.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { failSlow } from '../../../src/detect/fail-slow.ts'
import { peerSight } from '../../../src/detect/peer-sight.ts'
import { phiAccrual } from '../../../src/detect/phi-accrual.ts'
import { resourceExhaustion } from '../../../src/detect/resource-exhaustion.ts'
import { threshold } from '../../../src/detect/threshold.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'
import { seededRandom } from '../../support/seeded-random.ts'

const NODES = 12
const seeds = fc.integer({ min: 1, max: 1_000_000 })

/** Log-normal latencies around a level of each node's own, with one single spike in fifty. */
function benignLatency(random: () => number, node: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const spike = random() < 0.02 ? 1 + 4 * random() : 1
  return (1 + node / 3) * Math.exp(0.12 * normal) * spike
}

test.prop([seeds], { numRuns: 25 })(
  'fail-slow: latencies that wobble and spike are well',
  (seed) => {
    const feed = new DetectorFeed(failSlow)
    const random = seededRandom(seed)
    for (let step = 0; step < 200; step++) {
      feed.nowMs += 60_000
      for (let node = 0; node < NODES; node++) feed.latency(`n${node}`, benignLatency(random, node))
    }
    expect(feed.told).toEqual([])
  },
)

test.prop([seeds], { numRuns: 25 })(
  'fail-slow: a node that gets 2.5 to 8 times slower is told within 15 readings, and no other',
  (seed) => {
    const feed = new DetectorFeed(failSlow)
    const random = seededRandom(seed)
    const [ill, times] = [Math.floor(random() * NODES), 2.5 + 5.5 * random()]
    for (let step = 0; step < 95; step++) {
      feed.nowMs += 60_000
      for (let node = 0; node < NODES; node++) {
        const slower = step >= 80 && node === ill ? times : 1
        feed.latency(`n${node}`, benignLatency(random, node) * slower)
      }
    }
    expect(new Set(feed.told.map(({ fault }) => fault.node))).toEqual(new Set([`n${ill}`]))
  },
)

test.prop([seeds, fc.double({ min: 0.5, max: 0.92, noNaN: true })], { numRuns: 50 })(
  'resource exhaustion: a level that only wobbles never ends',
  (seed, level) => {
    const feed = new DetectorFeed(resourceExhaustion)
    const random = seededRandom(seed)
    for (let step = 0; step < 200; step++) {
      feed.nowMs += 60_000
      feed.usage('n', 'memory_utilization', level + 0.05 * (random() - 0.5))
    }
    expect(feed.told).toEqual([])
  },
)

test.prop([seeds, fc.double({ min: 0.001, max: 0.01, noNaN: true })], { numRuns: 50 })(
  'resource exhaustion: of what fills up the time left is right within a fifth, in spite of noise',
  (seed, perMinute) => {
    const feed = new DetectorFeed(resourceExhaustion)
    const random = seededRandom(seed)
    const told: number[] = []
    for (let step = 0; 0.55 + perMinute * step < 0.9; step++) {
      feed.nowMs += 60_000
      const before = feed.told.length
      const value = 0.55 + perMinute * step
      feed.usage('n', 'disk_utilization', value + perMinute * (random() - 0.5))
      if (feed.told.length === before) continue
      const { evidence } = feed.told[before].fault
      const leftMs = Number(evidence.find(({ what }) => what === 'timeLeftMs')!.value)
      told.push(leftMs / (((1 - value) / perMinute) * 60_000))
    }
    expect(told.length).toBeGreaterThan(0)
    for (const share of told) expect(Math.abs(share - 1)).toBeLessThan(0.2)
  },
)

test.prop([seeds], { numRuns: 25 })(
  'peer sight: probes that get lost, one in twenty, are no node that is missed',
  (seed) => {
    const feed = new DetectorFeed(peerSight)
    const random = seededRandom(seed)
    const names = Array.from({ length: NODES }, (_, i) => `n${i}`)
    for (let round = 0; round < 120; round++) {
      for (const [i, name] of names.entries()) {
        const peers = [...names, ...names].slice(i + 1, i + 7)
        const lost = new Set(peers.filter(() => random() < 0.05))
        feed.reach(
          name,
          peers.filter((peer) => !lost.has(peer)),
          [...lost],
        )
      }
      feed.wait(5_000)
    }
    expect(feed.told).toEqual([])
  },
)

test.prop([fc.array(fc.double({ min: 0, max: 449, noNaN: true }), { maxLength: 100 })])(
  'threshold: below the warning nothing is ever found',
  (values) => {
    const feed = new DetectorFeed(threshold)
    for (const value of values) feed.latency('n', value)
    expect(feed.told).toEqual([])
  },
)

test.prop([fc.array(fc.double({ min: 0, max: 3_000, noNaN: true }), { maxLength: 200 })])(
  'threshold: a fault is cleared as often as it begins, or stands, and repeats exactly',
  (values) => {
    const feeds = [new DetectorFeed(threshold), new DetectorFeed(threshold)]
    for (const feed of feeds) for (const value of values) feed.latency('n', value)
    expect(feeds[0].told).toEqual(feeds[1].told)
    const levels = feeds[0].told.map(({ state, fault }) =>
      state === 'cleared' ? 'well' : fault.severity,
    )
    for (const [i, level] of levels.entries()) expect(level).not.toBe(levels[i - 1])
    expect(feeds[0].set.standing()).toHaveLength(
      ['well', undefined].includes(levels.at(-1)) ? 0 : 1,
    )
  },
)

test.prop([fc.array(fc.double({ min: 0, max: 16, noNaN: true }), { maxLength: 50 })])(
  'phi accrual: suspicion follows phi alone, and confidence is within 0 and 1',
  (values) => {
    const feed = new DetectorFeed(phiAccrual)
    for (const phi of values) {
      feed.row('n', { phi })
      expect(feed.set.standing().length === 1).toBe(phi >= 8)
    }
    for (const { fault } of feed.told) {
      expect(fault.confidenceRatio).toBeGreaterThanOrEqual(0)
      expect(fault.confidenceRatio).toBeLessThanOrEqual(1)
    }
  },
)
