/**
 * What another draw of nodes would have made of the calibration: the sandwich estimator of the variance
 * of slope and intercept, with the rows of one node as one observation, since they fail together.
 * Source: K.-Y. Liang and S. Zeger, Longitudinal data analysis using generalized linear models, 1986.
 */
import type { CalibrationSpread } from '../src/core/probability-interval.ts'

const PROBABILITY_MIN = 1e-9

/** @param node of each row, any numbers. @param probabilities calibrated on these very rows. */
export function calibrationSpread(
  probabilities: Float64Array,
  labels: Uint8Array,
  node: Uint32Array,
): CalibrationSpread | null {
  let [xx, x1, ones] = [0, 0, 0]
  const pulls = new Map<number, [slope: number, intercept: number]>()
  for (let i = 0; i < labels.length; i++) {
    const p = Math.min(Math.max(probabilities[i], PROBABILITY_MIN), 1 - PROBABILITY_MIN)
    const x = Math.log(p / (1 - p))
    const curve = p * (1 - p)
    xx += curve * x * x
    x1 += curve * x
    ones += curve
    const pull = pulls.get(node[i]) ?? [0, 0]
    pull[0] += (labels[i] - p) * x
    pull[1] += labels[i] - p
    pulls.set(node[i], pull)
  }
  const determinant = xx * ones - x1 * x1
  if (!(determinant > 0)) return null
  let [slope, both, intercept] = [0, 0, 0]
  for (const [onSlope, onIntercept] of pulls.values()) {
    const bySlope = (ones * onSlope - x1 * onIntercept) / determinant
    const byIntercept = (xx * onIntercept - x1 * onSlope) / determinant
    slope += bySlope * bySlope
    both += bySlope * byIntercept
    intercept += byIntercept * byIntercept
  }
  return { constant: intercept, linear: 2 * both, quadratic: slope }
}
