/**
 * Phi accrual (Hayashibara et al., 2004): how surprising a silence is, given how regularly the node
 * spoke before. phi = -log10 P(a gap longer than this).
 */

const LINEAR = 1.5976
const CUBIC = 0.070566
/** Regular senders would otherwise be suspected after a hair's delay. */
const DEVIATION_RATIO_MIN = 0.25

/**
 * The normal distribution's tail by a logistic curve, good to 1e-4 in probability
 * (https://doi.org/10.22237/jmasm/1080793920). `NaN` when nothing is known.
 */
export function phiOf(silentForMs: number, meanMs: number, variance: number): number {
  if (Number.isNaN(silentForMs)) return Number.NaN
  const deviation = Math.max(Math.sqrt(variance), meanMs * DEVIATION_RATIO_MIN, 1)
  const y = (silentForMs - meanMs) / deviation
  const odds = y * (LINEAR + CUBIC * y * y)
  // log10(1 + e^odds), in the form that neither overflows nor loses the small end.
  return (Math.max(odds, 0) + Math.log1p(Math.exp(-Math.abs(odds)))) / Math.LN10
}

/** How many deviations beyond its mean a gap has when it becomes as surprising as `phi`, over 0. */
export function deviationsAt(phi: number): number {
  // The inverse of log10(1 + e^odds); beyond 1e15 the one is lost, and is nothing.
  const odds = phi < 15 ? Math.log(10 ** phi - 1) : phi * Math.LN10
  let y = 0
  // The cubic rises everywhere, so Newton's steps come in from above after the first.
  for (let step = 0; step < NEWTON_STEPS; step++) {
    y -= (y * (LINEAR + CUBIC * y * y) - odds) / (LINEAR + 3 * CUBIC * y * y)
  }
  return y
}
const NEWTON_STEPS = 40
