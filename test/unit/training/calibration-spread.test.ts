// Goal: the interval beside a probability holds the true share of failures about as often as it says.
import { expect, test } from 'vitest'
import { probabilityInterval } from '../../../src/core/probability-interval.ts'
import { sigmoid } from '../../../training/booster.ts'
import { calibrationSpread } from '../../../training/calibration-spread.ts'
import { calibrate, fitCalibration } from '../../../training/calibration.ts'
import { SeededRandom } from '../../../training/seeded-random.ts'

const NODES = 400
const ROWS_PER_NODE = 5
const TRUE_SLOPE = 0.8
const TRUE_INTERCEPT = -1

/** Rows of one node have the same margin and the same end: five rows are one observation. */
function drawInterval(seed: number, margin: number): readonly [number, number] {
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
  const calibration = fitCalibration(margins, labels)
  const probabilities = margins.map((m) => calibrate(calibration, m))
  const spread = calibrationSpread(probabilities, labels, node)!
  return probabilityInterval(calibrate(calibration, margin), spread)
}

test.each([-3, -1, 1.5])('at margin %d it holds the truth in 80 to 98 of 100 draws', (margin) => {
  const truth = sigmoid(TRUE_SLOPE * margin + TRUE_INTERCEPT)
  let held = 0
  for (let seed = 1; seed <= 100; seed++) {
    const [low, high] = drawInterval(seed, margin)
    expect(low).toBeLessThan(high)
    if (low <= truth && truth <= high) held++
  }
  expect(held).toBeGreaterThanOrEqual(80)
  expect(held).toBeLessThanOrEqual(98)
})

test('rows that are all alike say nothing', () => {
  const probabilities = Float64Array.of(0.5, 0.5)
  expect(calibrationSpread(probabilities, Uint8Array.of(0, 1), Uint32Array.of(0, 1))).toBeNull()
})

test('certainty has an interval of numbers', () => {
  const spread = { constant: 0.1, linear: 0, quadratic: 0.01 }
  for (const p of [0, 1]) {
    for (const end of probabilityInterval(p, spread)) expect(Number.isFinite(end)).toBe(true)
  }
})
