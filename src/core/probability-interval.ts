/**
 * How well the share of failures behind a probability is known: the calibration of a model is fitted on
 * the nodes of one slice, and other nodes would have given another one.
 */

/** Variance of the calibrated log odds x, as constant + linear x + quadratic x². */
export interface CalibrationSpread {
  readonly constant: number
  readonly linear: number
  readonly quadratic: number
}

/** Standard deviations on either side that hold 90 % of a normal distribution. */
const DEVIATIONS = 1.645
/** Probabilities of 0 and 1 have no log odds. */
const PROBABILITY_MIN = 1e-9

/** 90 % interval of the share of nodes with this score that fail within the horizon. */
export function probabilityInterval(
  probability: number,
  { constant, linear, quadratic }: CalibrationSpread,
): readonly [low: number, high: number] {
  const p = Math.min(Math.max(probability, PROBABILITY_MIN), 1 - PROBABILITY_MIN)
  const x = Math.log(p / (1 - p))
  const away = DEVIATIONS * Math.sqrt(Math.max(0, constant + linear * x + quadratic * x * x))
  return [1 / (1 + Math.exp(away - x)), 1 / (1 + Math.exp(-x - away))]
}
