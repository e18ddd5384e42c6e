/**
 * What makes a probability of a margin: sigmoid(log odds), and the log odds rise with the margin in one of
 * three ways. Training fits them, graphs of models carry them, and all say the same.
 */

export const CALIBRATION_KINDS = ['sigmoid', 'beta', 'isotonic'] as const
export type CalibrationKind = (typeof CALIBRATION_KINDS)[number]

/** Numbers are float32. */
export type Calibration = SigmoidCalibration | BetaCalibration | IsotonicCalibration

/** Log odds = slope × margin + intercept (Platt 1999). */
export interface SigmoidCalibration {
  readonly kind: 'sigmoid'
  readonly slope: number
  readonly intercept: number
}

/**
 * Log odds = a ln p - b ln(1 - p) + intercept, where p = sigmoid(margin): both ends bend on their own.
 * Source: M. Kull, T. Silva Filho and P. Flach, Beta calibration, AISTATS 2017.
 */
export interface BetaCalibration {
  readonly kind: 'beta'
  /** At least 0, as b is. */
  readonly a: number
  readonly b: number
  readonly intercept: number
}

/** Log odds in straight lines between knots, so that a gap in a margin stays a small one in the probability. */
export interface IsotonicCalibration {
  readonly kind: 'isotonic'
  /** Margins, rising; two at least. */
  readonly knots: readonly number[]
  /** Of the log odds from each knot to the next, all over 0. */
  readonly rises: readonly number[]
  /** Log odds at the first knot. */
  readonly intercept: number
  /** Log odds per unit of margin below the first knot and above the last. */
  readonly slope: number
}

/** How a kind did on nodes that it was not fitted on. */
export interface CalibrationTrial {
  readonly kind: CalibrationKind
  /** Mean over rows, in nats. */
  readonly logLoss: number
  /** What each node's rows lose less than by the sigmoid, mean over nodes, and its standard error. */
  readonly gain: number
  readonly gainError: number
}

/** @param round to float32 after each step, as graphs of models do; by default not at all. */
export function logOddsOf(
  calibration: Calibration,
  margin: number,
  round: (value: number) => number = unrounded,
): number {
  switch (calibration.kind) {
    case 'sigmoid':
      return round(round(margin * calibration.slope) + calibration.intercept)
    case 'beta':
      return betaLogOdds(calibration, margin, round)
    case 'isotonic':
      return isotonicLogOdds(calibration, margin, round)
    default:
      return calibration satisfies never
  }
}

function unrounded(value: number): number {
  return value
}

/** ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), without an overflow. */
function betaLogOdds(
  { a, b, intercept }: BetaCalibration,
  margin: number,
  round: (value: number) => number,
): number {
  const near = round(Math.log(round(1 + round(Math.exp(-Math.abs(margin))))))
  const against = round(Math.max(margin, 0) + near)
  const for_ = round(Math.max(-margin, 0) + near)
  return round(round(round(against * b) - round(for_ * a)) + intercept)
}

function isotonicLogOdds(
  { knots, rises, intercept, slope }: IsotonicCalibration,
  margin: number,
  round: (value: number) => number,
): number {
  let climbed = 0
  for (let k = 0; k < rises.length; k++) {
    const share = round(round(margin - knots[k]) * perWidth(knots, k))
    climbed = round(climbed + round(Math.min(Math.max(share, 0), 1) * rises[k]))
  }
  const above = Math.max(round(margin - knots[knots.length - 1]), 0)
  const below = Math.max(round(knots[0] - margin), 0)
  return round(round(climbed + round(round(above - below) * slope)) + intercept)
}

/**
 * One over the width of the stretch that begins at a knot, float32: rounded up, it ends the stretch 2^-24 of
 * its width early, and margins as close as that to the next knot tie with it.
 */
export function perWidth(knots: readonly number[], knot: number): number {
  return Math.fround(1 / (knots[knot + 1] - knots[knot]))
}
