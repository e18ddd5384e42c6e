/** Rows on which two runtimes of one model are compared when it is loaded. */
export const PROBE_ROWS = 512

/** Of each node, with -1 for the feature of a leaf. */
export interface SplitTree {
  readonly feature: ArrayLike<number>
  readonly threshold: ArrayLike<number>
}

/**
 * The same rows for the same model: values on a threshold of their feature, a step beside it or
 * between two, missing, infinite or zero.
 * @returns [rows, width], row-major.
 */
export function probeRows(
  trees: readonly SplitTree[],
  width: number,
  rowCount = PROBE_ROWS,
): Float32Array {
  const thresholds: number[][] = Array.from({ length: width }, () => [0])
  for (const { feature, threshold } of trees) {
    for (let node = 0; node < feature.length; node++) {
      if (feature[node] >= 0) thresholds[feature[node]].push(threshold[node])
    }
  }
  const next = sequence()
  const among = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)]
  const rows = new Float32Array(rowCount * width)
  for (let i = 0; i < rows.length; i++) {
    const near = thresholds[i % width]
    const value = among(near)
    rows[i] = among([
      value,
      value + Math.abs(value) * 2e-7,
      value - Math.abs(value) * 2e-7,
      (value + among(near)) / 2,
      NaN,
      among([Infinity, -Infinity, -0, 1e-42, value]),
    ])
  }
  return rows
}

/** Numbers 0..1 that look random: a linear congruence, seeded so that every start probes alike. */
function sequence(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** For a model without trees: ordinary values, of many sizes. */
export function plainRows(width: number): Float32Array {
  const next = sequence()
  return Float32Array.from({ length: PROBE_ROWS * width }, () => (next() - 0.5) * 8 ** next())
}
