/**
 * Phi accrual (Hayashibara et al., 2004): how surprising a silence is, given how regularly the node
 * spoke before. phi = -log10 P(a gap longer than this).
 */

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
  const odds = y * (1.5976 + 0.070566 * y * y)
  // log10(1 + e^odds), in the form that neither overflows nor loses the small end.
  return (Math.max(odds, 0) + Math.log1p(Math.exp(-Math.abs(odds)))) / Math.LN10
}
