/** Beta calibration, fitted by maximum likelihood with both exponents held to what they may be. */
import type { BetaCalibration } from '../src/core/calibration.ts'
import { logOnePlusExp } from './booster.ts'
import { arePartedBy, smoothed } from './calibration-sigmoid.ts'
import { fitLogistic } from './logistic.ts'

/** Steeper, and rounding in a margin would become a gap between runtimes. */
export const SLOPE_MAX = 8

/** Null where only falling exponents would fit: higher margins then say nothing of failing. */
export function fitBeta(
  margins: Float32Array | Float64Array,
  labels: Uint8Array,
): BetaCalibration | null {
  // ln p and -ln(1 - p) of p = sigmoid(margin); both rise with the margin.
  const columns = [
    Float64Array.from(margins, (margin) => -logOnePlusExp(-margin)),
    Float64Array.from(margins, logOnePlusExp),
  ]
  const targets = arePartedBy(margins, labels) ? smoothed(labels) : labels
  const held: (number | null)[] = [null, null]
  // Each round holds an exponent that has left its range at the limit it passed, until none has.
  for (;;) {
    const { exponents, intercept } = fitHeld(columns, targets, held)
    const out = exponents.findIndex((value, k) => held[k] === null && outside(value))
    if (out === -1) {
      const [a, b] = exponents.map(Math.fround)
      return a + b > 0 ? { kind: 'beta', a, b, intercept: Math.fround(intercept) } : null
    }
    held[out] = exponents[out] < 0 ? 0 : SLOPE_MAX
  }
}

function outside(exponent: number): boolean {
  return exponent < 0 || exponent > SLOPE_MAX
}

function fitHeld(
  columns: readonly Float64Array[],
  targets: Uint8Array | Float64Array,
  held: readonly (number | null)[],
): { readonly exponents: readonly number[]; readonly intercept: number } {
  const free = columns.filter((_, k) => held[k] === null)
  const offset = Float64Array.from(targets, (_, row) =>
    held.reduce<number>((sum, value, k) => sum + (value ?? 0) * columns[k][row], 0),
  )
  const found = [
    ...fitLogistic({
      columns: [...free, new Float64Array(targets.length).fill(1)],
      targets,
      start: [...free.map(() => 1), 0],
      offset,
    }),
  ]
  const intercept = found.pop()!
  return { exponents: held.map((value) => value ?? found.shift()!), intercept }
}
