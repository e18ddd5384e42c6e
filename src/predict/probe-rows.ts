/** Rows on which two runtimes of one model are compared when it is loaded. */
import type { EnsembleTree } from './onnx-trees.ts'

export const PROBE_ROWS = 512

/**
 * The same rows for the same model: values on a threshold of their feature, a step beside it or
 * between two, missing, infinite or zero.
 * @returns [PROBE_ROWS, width], row-major.
 */
export function probeRows(trees: readonly EnsembleTree[], width: number): Float32Array {
  const thresholds: number[][] = Array.from({ length: width }, () => [0])
  for (const { feature, threshold } of trees) {
    for (const [node, of] of feature.entries()) {
      if (of >= 0) thresholds[of].push(threshold[node])
    }
  }
  const next = sequence()
  const among = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)]
  const rows = new Float32Array(PROBE_ROWS * width)
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
