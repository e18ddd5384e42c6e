/** What is said before the first tree, f32 so that every runtime starts from the same number. */
import { never } from '../src/core/errors.ts'
import type { BinnedRows } from './bins.ts'
import type { BoostParams } from './boost-params.ts'

const RATE_MIN = 1e-6

/** One per output: log odds of the rate of failures, logarithm of each class's rate, or the mean. */
export function baseMargins(rows: BinnedRows, params: BoostParams): readonly number[] {
  switch (params.objective) {
    case 'logistic': {
      const rate = rateOf(rows, 1)
      return [Math.fround(Math.log(rate / (1 - rate)))]
    }
    case 'softmax':
      return Array.from({ length: params.classCount }, (_, number) =>
        Math.fround(Math.log(rateOf(rows, number))),
      )
    case 'squared':
      return [Math.fround(meanOf(rows))]
    default:
      return never(params.objective)
  }
}

/** Weighted share of the rows with this label, neither 0 nor 1. */
function rateOf({ labels, weights, rowCount }: BinnedRows, label: number): number {
  let its = 0
  let total = 0
  for (let i = 0; i < rowCount; i++) {
    total += weights[i]
    if (labels[i] === label) its += weights[i]
  }
  return Math.min(Math.max(its / total, RATE_MIN), 1 - RATE_MIN)
}

function meanOf({ targets, weights, rowCount }: BinnedRows): number {
  let sum = 0
  let total = 0
  for (let i = 0; i < rowCount; i++) {
    sum += weights[i] * (targets?.[i] ?? 0)
    total += weights[i]
  }
  return sum / total
}
