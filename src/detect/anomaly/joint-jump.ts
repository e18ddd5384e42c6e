/**
 * How far how many metrics jump at once: over all metrics, the logarithm of what the newest sample is
 * off the mean of those just before it, beyond what noise does. One metric that spikes is often noise of its
 * own; where several leave their way in the same sample, something has happened to the node, though
 * none of them may stand out alone.
 */

/** In standard deviations of the residual: nearer is noise. */
const NOISE = 2

/**
 * Over all metrics, the sum of log(1 + (|residual| / deviation - 2)) where that is over 0. The order of the
 * metrics does not matter, and one more that jumps never lowers it.
 */
export function jointJump(residual: Float64Array, deviation: Float64Array): number {
  let sum = 0
  for (let m = 0; m < residual.length; m++) {
    const beyond = Math.abs(residual[m]) / deviation[m] - NOISE
    if (beyond > 0) sum += Math.log1p(beyond)
  }
  return sum
}
