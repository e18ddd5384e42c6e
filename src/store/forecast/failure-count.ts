/** How many nodes are expected to fail, from the calibrated probability of each. */

/** Beyond so many standard deviations over the mean counts are left out. */
const DEVIATIONS_MAX = 10

export interface FailureCount {
  readonly expected: number
  /** Nine counts of ten lie from `low` to `high`, if nodes fail each by itself. */
  readonly low: number
  readonly high: number
}

/**
 * Probability within `aheadMs`, from that within the model's horizon. Beyond the horizon nothing is known
 * of this node, and it fails as often as nodes of its pool do on average.
 */
export function probabilityAhead(
  probability: number,
  poolProbability: number,
  horizonMs: number,
  aheadMs: number,
): number {
  if (aheadMs <= horizonMs) return 1 - (1 - probability) ** (aheadMs / horizonMs)
  const later = (1 - poolProbability) ** (aheadMs / horizonMs - 1)
  return 1 - (1 - probability) * later
}

/** The distribution of a sum of independent yes or no (Poisson binomial), by adding one after the other. */
export function countFailures(probabilities: Float64Array): FailureCount {
  const expected = probabilities.reduce((sum, each) => sum + each, 0)
  const variance = probabilities.reduce((sum, each) => sum + each * (1 - each), 0)
  const most = Math.ceil(expected + DEVIATIONS_MAX * Math.sqrt(variance) + DEVIATIONS_MAX)
  const size = Math.min(probabilities.length, most) + 1
  const chances = new Float64Array(size)
  chances[0] = 1
  for (const probability of probabilities) {
    for (let count = size - 1; count > 0; count--) {
      chances[count] += probability * (chances[count - 1] - chances[count])
    }
    chances[0] *= 1 - probability
  }
  return { expected, low: quantile(chances, 0.05), high: quantile(chances, 0.95) }
}

/** The least count that so large a share does not pass. */
function quantile(chances: Float64Array, share: number): number {
  let sum = 0
  for (const [count, chance] of chances.entries()) {
    sum += chance
    if (sum >= share) return count
  }
  return chances.length - 1
}
