import { expect, test } from 'vitest'
import { randomFrom } from '../../../training/boost.ts'
import { sigmoid } from '../../../training/booster.ts'
import { calibrate } from '../../../training/calibration.ts'
import { fitSigmoid } from '../../../training/calibration-sigmoid.ts'

test('the slope and intercept that made the labels are found again', () => {
  const random = randomFrom(3)
  const margins = Float64Array.from({ length: 50_000 }, () => random() * 8 - 6)
  const labels = Uint8Array.from(margins, (m) => (random() < sigmoid(0.6 * m - 0.4) ? 1 : 0))
  const { slope, intercept } = fitSigmoid(margins, labels)
  expect(slope).toBeCloseTo(0.6, 1)
  expect(intercept).toBeCloseTo(-0.4, 1)
})

test('after calibration the mean probability is the share of failures', () => {
  const random = randomFrom(4)
  const margins = Float64Array.from({ length: 5_000 }, () => random() * 4 - 1)
  const labels = Uint8Array.from(margins, () => (random() < 0.02 ? 1 : 0))
  const calibration = fitSigmoid(margins, labels)
  const mean = margins.reduce((sum, m) => sum + calibrate(calibration, m), 0) / margins.length
  expect(mean).toBeCloseTo(labels.reduce((sum, l) => sum + l, 0) / labels.length, 5)
})

test('labels of one kind leave it finite', () => {
  const { slope, intercept } = fitSigmoid(Float64Array.of(-1, 0, 1), new Uint8Array(3))
  expect(Number.isFinite(slope) && Number.isFinite(intercept)).toBe(true)
})

test('margins that part the labels cleanly leave room for what was not seen', () => {
  const margins = Float64Array.from({ length: 1_000 }, (_, i) =>
    i < 10 ? 4 + i / 10 : -6 + i / 500,
  )
  const labels = Uint8Array.from(margins, (margin) => (margin > 0 ? 1 : 0))
  const calibration = fitSigmoid(margins, labels)
  expect(calibration.slope).toBeLessThan(5)
  // 11 of 12 where all 10 were, and 1 in 992 where none of 990 was.
  expect(calibrate(calibration, 4.5)).toBeCloseTo(11 / 12, 1)
  expect(calibrate(calibration, -5)).toBeLessThan(0.003)
})

test('labels that hang on the sign of the margin alone do not carry it away', () => {
  // Whole Newton steps from a slope of 1 overshoot further each time here.
  const random = randomFrom(5)
  const margins = Float64Array.from({ length: 9_000 }, () => random() * 8 - 4)
  const labels = Uint8Array.from(margins, (m) => (random() < (m < 0 ? 0.03 : 0.4) ? 1 : 0))
  const { slope, intercept } = fitSigmoid(margins, labels)
  expect(slope).toBeCloseTo(0.5, 1)
  expect(intercept).toBeGreaterThan(-3)
})

test('margins far apart do not carry it away', () => {
  const margins = Float64Array.from({ length: 20_000 }, (_, i) =>
    i < 24 ? 5 + i / 8 : -14 - (i % 100) / 33,
  )
  const labels = Uint8Array.from(margins, (margin) => (margin > 0 ? 1 : 0))
  const { slope } = fitSigmoid(margins, labels)
  expect(slope).toBeGreaterThan(0)
  expect(slope).toBeLessThan(2)
})
