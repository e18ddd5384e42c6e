/**
 * Platt scaling: probability = sigmoid(slope × margin + intercept), fitted by maximum likelihood on
 * rows that were not sampled, so that 0.01 means one in a hundred of the fleet.
 */
import { sigmoid } from './booster.ts'

export interface Calibration {
  /** f32. */
  readonly slope: number
  readonly intercept: number
}

const ROUNDS_MAX = 50
const STEP_MIN = 1e-9
/** Keeps the curvature regular where labels are all alike. */
const RIDGE = 1e-6

/** Newton's method on the log likelihood, which is concave in both parameters. */
export function fitCalibration(
  margins: Float32Array | Float64Array,
  labels: Uint8Array,
): Calibration {
  let [slope, intercept] = [1, 0]
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const step = newtonStep(margins, labels, slope, intercept)
    slope += step.slope
    intercept += step.intercept
    if (Math.abs(step.slope) + Math.abs(step.intercept) < STEP_MIN) break
  }
  return { slope: Math.fround(slope), intercept: Math.fround(intercept) }
}

function newtonStep(
  margins: Float32Array | Float64Array,
  labels: Uint8Array,
  slope: number,
  intercept: number,
): Calibration {
  let [gs, gi, ss, si, ii] = [-RIDGE * (slope - 1), -RIDGE * intercept, RIDGE, 0, RIDGE]
  for (let i = 0; i < labels.length; i++) {
    const margin = margins[i]
    const p = sigmoid(slope * margin + intercept)
    const miss = labels[i] - p
    const curve = p * (1 - p)
    gs += miss * margin
    gi += miss
    ss += curve * margin * margin
    si += curve * margin
    ii += curve
  }
  const determinant = ss * ii - si * si
  return { slope: (ii * gs - si * gi) / determinant, intercept: (ss * gi - si * gs) / determinant }
}

export function calibrate({ slope, intercept }: Calibration, margin: number): number {
  return sigmoid(slope * margin + intercept)
}
