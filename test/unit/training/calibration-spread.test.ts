// Goal: the interval beside a probability holds the true share of failures about as often as it says.
import { expect, test } from 'vitest'
import type { CalibrationKind } from '../../../src/core/calibration.ts'
import { probabilityInterval } from '../../../src/core/probability-interval.ts'
import { sigmoid } from '../../../training/booster.ts'
import { calibrationSpread, sigmoidSpread } from '../../../training/calibration-spread.ts'
import { calibrate, fitKind } from '../../../training/calibration.ts'
import { SeededRandom } from '../../../training/seeded-random.ts'

const NODES = 400
const ROWS_PER_NODE = 5
const TRUE_SLOPE = 0.8
const TRUE_INTERCEPT = -1

const MARGINS = [-3, -1, 1.5]

/** Rows of one node have the same margin and the same end: five rows are one observation. */
function drawIntervals(kind: CalibrationKind, seed: number): readonly (readonly number[])[] {
  const random = SeededRandom.fromSeed(seed)
  const margins = new Float64Array(NODES * ROWS_PER_NODE)
  const labels = new Uint8Array(margins.length)
  const node = new Uint32Array(margins.length)
  for (let n = 0; n < NODES; n++) {
    const its = random.next() * 6 - 4
    const fails = random.next() < sigmoid(TRUE_SLOPE * its + TRUE_INTERCEPT)
    for (let row = n * ROWS_PER_NODE; row < (n + 1) * ROWS_PER_NODE; row++) {
      margins[row] = its
      labels[row] = fails ? 1 : 0
      node[row] = n
    }
  }
  const calibration = fitKind(kind, { margins, labels })!
  const spread = calibrationSpread(calibration, { margins, labels, node })!
  return MARGINS.map((margin) => probabilityInterval(calibrate(calibration, margin), spread))
}

// Kinds whose spread takes refits are drawn less often, with room for chance.
test.each([
  { kind: 'sigmoid', draws: 100, least: 80, most: 98 },
  { kind: 'beta', draws: 40, least: 30, most: 40 },
  { kind: 'isotonic', draws: 40, least: 30, most: 40 },
] as const)(
  '$kind: it holds the truth in $least of $draws draws at least, and not always',
  ({ kind, draws, least, most }) => {
    const held = MARGINS.map(() => 0)
    for (let seed = 1; seed <= draws; seed++) {
      for (const [i, [low, high]] of drawIntervals(kind, seed).entries()) {
        const truth = sigmoid(TRUE_SLOPE * MARGINS[i] + TRUE_INTERCEPT)
        expect(low).toBeLessThan(high)
        if (low <= truth && truth <= high) held[i]++
      }
    }
    for (const count of held) {
      expect(count).toBeGreaterThanOrEqual(least)
      expect(count).toBeLessThanOrEqual(most)
    }
    const all = held.reduce((sum, count) => sum + count, 0)
    expect(all / (draws * MARGINS.length)).toBeLessThanOrEqual(0.98)
  },
  60_000,
)

test('rows that are all alike say nothing', () => {
  const probabilities = Float64Array.of(0.5, 0.5)
  expect(sigmoidSpread(probabilities, Uint8Array.of(0, 1), Uint32Array.of(0, 1))).toBeNull()
})

test('certainty has an interval of numbers', () => {
  const spread = { constant: 0.1, linear: 0, quadratic: 0.01 }
  for (const p of [0, 1]) {
    for (const end of probabilityInterval(p, spread)) expect(Number.isFinite(end)).toBe(true)
  }
})
