// Goal: whatever the margins and labels, a calibration never falls, says a number of each, and
// comes back out of its graph as it went in.
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import {
  CALIBRATION_KINDS,
  type IsotonicCalibration,
  logOddsOf,
} from '../../../src/core/calibration.ts'
import { calibrationGraph, readCalibration } from '../../../src/predict/calibration-graph.ts'
import { decodeOnnx, encodeOnnx } from '../../../src/predict/onnx-schema.ts'
import { calibrate, fitKind } from '../../../training/calibration.ts'
import { SLOPE_MAX } from '../../../training/calibration-beta.ts'
import { POSITIVES_PER_STEP_MIN, STEPS_MAX } from '../../../training/calibration-isotonic.ts'

/** Each run fits a few times. */
const RUNS = { numRuns: 30, endOnFailure: true }

/** Few margins tie often and many tie never; labels may follow them, be against them or be all alike. */
const rows = fc
  .record({
    margins: fc.array(
      fc.oneof(
        fc.float({ min: -20, max: 20, noNaN: true }),
        fc.integer({ min: -3, max: 3 }),
        fc.constant(0.5),
      ),
      { minLength: 120, maxLength: 250 },
    ),
    from: fc.float({ min: -25, max: 25, noNaN: true }),
    flip: fc.array(fc.boolean(), { minLength: 250, maxLength: 250 }),
    isTurned: fc.boolean(),
  })
  .map(({ margins, from, flip, isTurned }) => ({
    margins: Float64Array.from(margins),
    labels: Uint8Array.from(margins, (margin, i) => {
      const isOver = margin > from !== isTurned
      return (i % 3 === 0 ? flip[i] : isOver) ? 1 : 0
    }),
  }))

describe.each(CALIBRATION_KINDS.filter((kind) => kind !== 'sigmoid'))('%s', (kind) => {
  test.prop([rows], RUNS)(
    'never falls, in float64 and in steps of float32',
    ({ margins, labels }) => {
      const calibration = fitKind(kind, { margins, labels })
      if (calibration === null) return
      for (const round of [Math.fround, undefined]) {
        let before = -Infinity
        for (let margin = -25; margin <= 25; margin += 0.125) {
          const here = logOddsOf(calibration, margin, round)
          expect(here).toBeGreaterThanOrEqual(before - 1e-5)
          before = here
        }
      }
    },
  )

  test.prop([rows], RUNS)('has log odds for each of its rows', ({ margins, labels }) => {
    const calibration = fitKind(kind, { margins, labels })
    if (calibration === null) return
    for (const margin of margins) {
      expect(Number.isFinite(logOddsOf(calibration, margin, Math.fround))).toBe(true)
    }
  })

  test.prop([rows], RUNS)('is read from its graph as it was written', ({ margins, labels }) => {
    const calibration = fitKind(kind, { margins, labels })
    if (calibration === null) return
    const written = calibrationGraph(calibration)
    const { graph } = decodeOnnx(encodeOnnx({ graph: written }))!
    expect(readCalibration(graph, graph.node)).toEqual(calibration)
  })
})

test.prop([rows], RUNS)(
  'isotonic: steps are few and inside 0..1, rise, are none too steep',
  ({ margins, labels }) => {
    const calibration = fitKind('isotonic', { margins, labels })
    if (calibration?.kind !== 'isotonic') return
    const { knots, rises, slope } = calibration
    const positives = labels.reduce((sum, label) => sum + label, 0)
    expect(knots.length).toBeLessThanOrEqual(
      Math.min(STEPS_MAX, Math.floor(positives / POSITIVES_PER_STEP_MIN)),
    )
    expect(rises.length).toBe(knots.length - 1)
    expect(slope > 0 && slope <= SLOPE_MAX).toBe(true)
    for (const knot of knots) {
      const p = calibrate(calibration, knot)
      expect(p > 0 && p < 1).toBe(true)
    }
    for (const [k, rise] of rises.entries()) {
      expect(rise).toBeGreaterThan(0)
      expect(rise / (knots[k + 1] - knots[k])).toBeLessThanOrEqual(SLOPE_MAX * 1.001)
    }
  },
)

test.prop([rows], RUNS)('isotonic: margins that differ have log odds that differ', (made) => {
  const calibration = fitKind('isotonic', made)
  if (calibration === null) return
  const { knots } = calibration as IsotonicCalibration
  const sorted = [...new Set(made.margins)].sort((a, b) => a - b)
  // One over a stretch's width is a float32, and ends the stretch up to 2^-24 of it early.
  const tie = Math.max(1e-9, (knots[knots.length - 1] - knots[0]) * 2 ** -24)
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i] - sorted[i - 1] < tie) continue
    expect(logOddsOf(calibration, sorted[i])).toBeGreaterThan(logOddsOf(calibration, sorted[i - 1]))
  }
})
