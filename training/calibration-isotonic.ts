/**
 * Isotonic calibration in a few steps: rows by margin in steps of as many positives each, the shares of
 * positives made to rise by pooling adjacent violators (Ayer et al. 1955), and straight lines of log odds
 * between them. A step's knot is the margin at which the sigmoid says what it says of the step on average,
 * so where the sigmoid is right the knots lie on it; beyond the ends the log odds go on as the sigmoid's,
 * so margins that differ have probabilities that differ.
 */
import type { IsotonicCalibration, SigmoidCalibration } from '../src/core/calibration.ts'
import { sigmoid } from './booster.ts'
import { SLOPE_MAX } from './calibration-beta.ts'
import { fitSigmoid } from './calibration-sigmoid.ts'

/** A share of fewer is off by a fifth and more by chance alone. */
export const POSITIVES_PER_STEP_MIN = 25
export const STEPS_MAX = 12
export const STEPS_MIN = 2
/** Of the log odds; less is no step, and float32 would lose it. */
export const RISE_MIN = 1e-2

interface Step {
  readonly rowCount: number
  readonly positiveCount: number
  /** Of the sigmoid's probabilities. */
  readonly sigmoidSum: number
}

/** Null where there are too few positives for two steps, or margins say nothing. */
export function fitIsotonic(
  margins: Float32Array | Float64Array,
  labels: Uint8Array,
): IsotonicCalibration | null {
  const platt = fitSigmoid(margins, labels)
  if (!(platt.slope > 0)) return null
  const pooled: Step[] = []
  for (const step of stepsOf(margins, labels, platt)) {
    pooled.push(step)
    while (pooled.length > 1 && !doesRise(pooled.at(-2)!, pooled.at(-1)!, platt)) {
      const [last, before] = [pooled.pop()!, pooled.pop()!]
      pooled.push(join(before, last))
    }
  }
  if (pooled.length < STEPS_MIN) return null
  const logOdds = pooled.map(logOddsOfStep)
  return {
    kind: 'isotonic',
    knots: pooled.map((step) => knotOf(step, platt)),
    rises: logOdds.slice(1).map((value, k) => Math.fround(value - logOdds[k])),
    intercept: Math.fround(logOdds[0]),
    slope: Math.fround(Math.min(platt.slope, SLOPE_MAX)),
  }
}

/** Rows of the same margin are of the same step. */
function stepsOf(
  margins: Float32Array | Float64Array,
  labels: Uint8Array,
  platt: SigmoidCalibration,
): readonly Step[] {
  const order = Uint32Array.from(labels.keys()).sort((a, b) => margins[a] - margins[b])
  const positives = labels.reduce((sum, label) => sum + label, 0)
  const wanted = Math.max(POSITIVES_PER_STEP_MIN, Math.ceil(positives / STEPS_MAX))
  const steps: Step[] = []
  let [rowCount, positiveCount, sigmoidSum] = [0, 0, 0]
  for (let i = 0; i < order.length; i++) {
    const margin = margins[order[i]]
    rowCount++
    positiveCount += labels[order[i]]
    sigmoidSum += sigmoid(platt.slope * margin + platt.intercept)
    if (positiveCount < wanted || margins[order[i + 1]] === margin) continue
    steps.push({ rowCount, positiveCount, sigmoidSum })
    ;[rowCount, positiveCount, sigmoidSum] = [0, 0, 0]
  }
  const rest = { rowCount, positiveCount, sigmoidSum }
  if (rowCount === 0) return steps
  const last = steps.pop()
  return last === undefined ? [rest] : [...steps, join(last, rest)]
}

function join(a: Step, b: Step): Step {
  return {
    rowCount: a.rowCount + b.rowCount,
    positiveCount: a.positiveCount + b.positiveCount,
    sigmoidSum: a.sigmoidSum + b.sigmoidSum,
  }
}

/** By something, and not too steeply. */
function doesRise(before: Step, after: Step, platt: SigmoidCalibration): boolean {
  const width = knotOf(after, platt) - knotOf(before, platt)
  const rise = logOddsOfStep(after) - logOddsOfStep(before)
  return rise >= RISE_MIN && width > 0 && rise <= SLOPE_MAX * width
}

/** A step of positives alone leaves room for what it did not show, as Platt's targets do. */
function logOddsOfStep({ rowCount, positiveCount }: Step): number {
  const share = Math.min(positiveCount / rowCount, (rowCount + 1) / (rowCount + 2))
  return Math.log(share / (1 - share))
}

function knotOf({ rowCount, sigmoidSum }: Step, { slope, intercept }: SigmoidCalibration): number {
  const share = sigmoidSum / rowCount
  return Math.fround((Math.log(share / (1 - share)) - intercept) / slope)
}
