import { expect, test } from 'vitest'
import {
  averagePrecision,
  brierScore,
  brierSkill,
  calibrationError,
  recallAtPrecision,
  rocArea,
} from '../../../training/quality.ts'

const scores = (...values: number[]) => Float64Array.from(values)
const labels = (...values: number[]) => Uint8Array.from(values)

test.each([
  {
    s: scores(0.9, 0.8, 0.7, 0.6),
    l: labels(1, 1, 0, 0),
    ap: 1,
    roc: 1,
    because: 'it ranks perfectly',
  },
  {
    s: scores(0.9, 0.8, 0.7, 0.6),
    l: labels(0, 0, 1, 1),
    ap: (1 / 3 + 2 / 4) / 2,
    roc: 0,
    because: 'it ranks backwards',
  },
  {
    s: scores(0.9, 0.8, 0.7, 0.6),
    l: labels(1, 0, 1, 0),
    ap: (1 + 2 / 3) / 2,
    roc: 0.75,
    because: 'one pair of four is wrong',
  },
  {
    s: scores(0.5, 0.5, 0.5, 0.5),
    l: labels(1, 0, 0, 0),
    ap: 0.25,
    roc: 0.5,
    because: 'a constant is the base rate',
  },
  {
    s: scores(0.9, 0.5, 0.5, 0.1),
    l: labels(1, 1, 0, 0),
    ap: (1 + 2 / 3) / 2,
    roc: 0.875,
    because: 'a tie counts half',
  },
])('average precision $ap and ROC area $roc when $because', ({ s, l, ap, roc }) => {
  expect(averagePrecision(s, l)).toBeCloseTo(ap, 12)
  expect(rocArea(s, l)).toBeCloseTo(roc, 12)
})

test('without any failure there is nothing to rank', () => {
  expect(averagePrecision(scores(0.1, 0.2), labels(0, 0))).toBe(0)
  expect(rocArea(scores(0.1, 0.2), labels(0, 0))).toBe(0.5)
})

test('Brier score is the mean squared error', () => {
  expect(brierScore(scores(1, 0.5, 0), labels(1, 1, 1))).toBeCloseTo((0 + 0.25 + 1) / 3, 12)
})

test('calibration error weighs each bin by its rows', () => {
  // Bin 0.1: mean 0.12, no failure, 2 rows. Bin 0.9: mean 0.92, one failure of two.
  const error = calibrationError(scores(0.12, 0.12, 0.92, 0.92), labels(0, 0, 1, 0), 10)
  expect(error).toBeCloseTo((2 * 0.12 + 2 * (0.92 - 0.5)) / 4, 12)
})

test('a probability of one falls into the last bin', () => {
  expect(calibrationError(scores(1, 1), labels(1, 1))).toBe(0)
})

test('recall at a precision is that of the lowest score which still keeps it', () => {
  const s = scores(0.9, 0.8, 0.7, 0.6, 0.5)
  const l = labels(1, 0, 0, 1, 1)
  expect(recallAtPrecision(s, l, 1)).toBeCloseTo(1 / 3, 12)
  expect(recallAtPrecision(s, l, 0.5)).toBe(1)
  expect(recallAtPrecision(s, labels(0, 0, 0, 0, 1), 0.5)).toBe(0)
})

test('Brier skill is 0 for the base rate and 1 for certainty', () => {
  const l = labels(1, 0, 0, 0)
  expect(brierSkill(scores(0.25, 0.25, 0.25, 0.25), l)).toBeCloseTo(0, 12)
  expect(brierSkill(scores(1, 0, 0, 0), l)).toBe(1)
})
