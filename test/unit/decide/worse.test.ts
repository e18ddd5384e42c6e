// Goal: what is clearly worse is found, and chance alone takes nothing back.
import { describe, expect, test } from 'vitest'
import { DEFAULT_WATCH } from '../../../src/core/runtime-config.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { type Measure, NOTHING, type Seen, sumOf, worseMeasure } from '../../../src/decide/worse.ts'
import { seededRandom } from '../../support/seeded-random.ts'

const seen = (nodeDays: number, counts: Partial<Record<Measure, number>>): Seen => {
  return { counts: { ...NOTHING.counts, ...counts }, nodeMs: nodeDays * DAY_MS }
}

test.each([
  { because: 'nothing came', before: seen(100, {}), after: seen(10, {}), worse: null },
  {
    because: 'twenty times as many is clear',
    before: seen(1_000, { refusals: 10 }),
    after: seen(100, { refusals: 20 }),
    worse: 'refusals',
  },
  {
    because: 'twice as many of few may be chance',
    before: seen(1_000, { refusals: 30 }),
    after: seen(100, { refusals: 6 }),
    worse: null,
  },
  {
    because: 'nine are too few to say anything',
    before: seen(1_000, {}),
    after: seen(1, { failedCommands: 9 }),
    worse: null,
  },
  {
    because: 'before there were none at all',
    before: seen(1_000, {}),
    after: seen(10, { falseMigrations: 10 }),
    worse: 'falseMigrations',
  },
  {
    because: 'what was before was hardly looked at',
    before: seen(2, {}),
    after: seen(10, { falseMigrations: 50 }),
    worse: null,
  },
])('$because', ({ before, after, worse }) => {
  expect(worseMeasure(before, after, DEFAULT_WATCH)?.measure ?? null).toBe(worse)
})

test('what is seen in several hours adds up', () => {
  expect(sumOf([seen(1, { refusals: 2 }), seen(2, { refusals: 3, failedCommands: 1 })])).toEqual(
    seen(3, { refusals: 5, failedCommands: 1 }),
  )
})

describe('over pools of which nothing changed', () => {
  /** A Poisson number, by Knuth's product of uniforms. */
  function drawn(mean: number, random: () => number): number {
    let [count, product] = [0, random()]
    const limit = Math.exp(-mean)
    while (product > limit) {
      count++
      product *= random()
    }
    return count
  }

  test.each([0.05, 0.5, 5])('%f events per node and day: few of 2,000 are taken back', (rate) => {
    const random = seededRandom(7)
    let takenBack = 0
    for (let pool = 0; pool < 2_000; pool++) {
      const nodes = 100
      let before = seen(0, {})
      for (let hour = 0; hour < 24; hour++) {
        before = sumOf([before, seen(nodes / 24, { refusals: drawn((rate * nodes) / 24, random) })])
      }
      let after = seen(0, {})
      for (let minute = 0; minute < 60; minute++) {
        const share = nodes / 24 / 60
        after = sumOf([after, seen(share, { refusals: drawn(rate * share, random) })])
        if (worseMeasure(before, after, DEFAULT_WATCH) === null) continue
        takenBack++
        break
      }
    }
    expect(takenBack / 2_000).toBeLessThan(0.001)
  })
})
