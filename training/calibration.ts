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
const HALVINGS_MAX = 60
/** Keeps the curvature regular where labels are all alike. */
const RIDGE = 1e-6

/**
 * Newton's method on the log likelihood, which is concave in both parameters. Where margins part the labels
 * cleanly it rises with the slope for ever, and rounding in a margin would become a gap between runtimes:
 * then the targets are those of Platt (1999), which leave room for what these few rows did not show.
 */
export function fitCalibration(
  margins: Float32Array | Float64Array,
  labels: Uint8Array,
): Calibration {
  const parted = arePartedBy(margins, labels)
  const targets = parted ? smoothed(labels) : labels
  const halvingsMax = parted ? HALVINGS_MAX : 0
  let [slope, intercept] = [1, 0]
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let step = newtonStep(margins, targets, slope, intercept)
    // Far out the curvature is next to nothing, and a whole step goes too far.
    const before = parted ? lossOf(margins, targets, slope, intercept) : Infinity
    for (let halved = 0; halved < halvingsMax; halved++) {
      if (lossOf(margins, targets, slope + step.slope, intercept + step.intercept) <= before) break
      step = { slope: step.slope / 2, intercept: step.intercept / 2 }
    }
    slope += step.slope
    intercept += step.intercept
    if (Math.abs(step.slope) + Math.abs(step.intercept) < STEP_MIN) break
  }
  return { slope: Math.fround(slope), intercept: Math.fround(intercept) }
}

/** Every positive is above every negative, and there are both. */
function arePartedBy(margins: Float32Array | Float64Array, labels: Uint8Array): boolean {
  let [highest, lowest] = [-Infinity, Infinity]
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) lowest = Math.min(lowest, margins[i])
    else highest = Math.max(highest, margins[i])
  }
  return Number.isFinite(highest) && Number.isFinite(lowest) && highest < lowest
}

function smoothed(labels: Uint8Array): Float64Array {
  const positives = labels.reduce((sum, label) => sum + label, 0)
  const high = (positives + 1) / (positives + 2)
  const low = 1 / (labels.length - positives + 2)
  return Float64Array.from(labels, (label) => (label === 1 ? high : low))
}

/** Less the log likelihood; log(1 + e^x) without an overflow. */
function lossOf(
  margins: Float32Array | Float64Array,
  targets: Uint8Array | Float64Array,
  slope: number,
  intercept: number,
): number {
  let loss = 0
  for (let i = 0; i < targets.length; i++) {
    const x = slope * margins[i] + intercept
    loss += Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) - targets[i] * x
  }
  return loss
}

function newtonStep(
  margins: Float32Array | Float64Array,
  targets: Uint8Array | Float64Array,
  slope: number,
  intercept: number,
): Calibration {
  let [gs, gi, ss, si, ii] = [-RIDGE * (slope - 1), -RIDGE * intercept, RIDGE, 0, RIDGE]
  for (let i = 0; i < targets.length; i++) {
    const margin = margins[i]
    const p = sigmoid(slope * margin + intercept)
    const miss = targets[i] - p
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
