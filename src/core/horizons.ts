/** Probabilities of one row for several horizons: who fails within a day fails within a week. */

/** A failure probability within a horizon. */
export interface HorizonProbability {
  readonly horizonMs: number
  readonly probability: number
}

/**
 * Lowers, in place, what a shorter horizon says over the longer one. From the longest down this is a running
 * minimum, which leaves the longest as it is: policies act on that one, also between grid times, when
 * nobody asks the others. Pooling the two would move it.
 */
export function capByLonger<Column extends Float32Array | Float64Array>(
  shorter: Column,
  longer: Float32Array | Float64Array,
): Column {
  for (let row = 0; row < shorter.length; row++) {
    shorter[row] = Math.min(shorter[row], longer[row])
  }
  return shorter
}
