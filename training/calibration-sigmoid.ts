/** Platt scaling, fitted by maximum likelihood. Source: J. Platt, Probabilistic outputs for SVMs, 1999. */
import type { SigmoidCalibration } from '../src/core/calibration.ts'
import { fitLogistic } from './logistic.ts'

/**
 * Where margins part the labels cleanly the likelihood rises with the slope for ever, and rounding in a
 * margin would become a gap between runtimes: then the targets are those of Platt, which leave room for
 * what these few rows did not show.
 */
export function fitSigmoid(
  margins: Float32Array | Float64Array,
  labels: Uint8Array,
): SigmoidCalibration {
  const parted = arePartedBy(margins, labels)
  const [slope, intercept] = fitLogistic({
    columns: [Float64Array.from(margins), new Float64Array(margins.length).fill(1)],
    targets: parted ? smoothed(labels) : labels,
    start: [1, 0],
  })
  return { kind: 'sigmoid', slope: Math.fround(slope), intercept: Math.fround(intercept) }
}

/** Every positive is above every negative, and there are both. */
export function arePartedBy(margins: Float32Array | Float64Array, labels: Uint8Array): boolean {
  let [highest, lowest] = [-Infinity, Infinity]
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) lowest = Math.min(lowest, margins[i])
    else highest = Math.max(highest, margins[i])
  }
  return Number.isFinite(highest) && Number.isFinite(lowest) && highest < lowest
}

export function smoothed(labels: Uint8Array): Float64Array {
  const positives = labels.reduce((sum, label) => sum + label, 0)
  const high = (positives + 1) / (positives + 2)
  const low = 1 / (labels.length - positives + 2)
  return Float64Array.from(labels, (label) => (label === 1 ? high : low))
}
