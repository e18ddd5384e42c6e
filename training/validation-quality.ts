/** By what a training is stopped: one number per objective, the higher the better. */
import { never } from '../src/core/errors.ts'
import type { BinnedRows } from './bins.ts'
import type { BoostParams } from './boost-params.ts'
import { averagePrecision } from './quality.ts'

/**
 * Average precision of `logistic`, which ignores weights; minus the mean log loss of `softmax` and minus
 * the root mean squared error of `squared`, which heed them. `margins`: a column per output.
 */
export function validationQuality(
  rows: BinnedRows,
  margins: readonly Float64Array[],
  { objective }: BoostParams,
): number {
  switch (objective) {
    case 'logistic':
      return averagePrecision(margins[0], rows.labels)
    case 'softmax':
      return -weightedMean(rows, (i) => logLoss(margins, rows.labels[i], i))
    case 'squared':
      return -Math.sqrt(weightedMean(rows, (i) => (margins[0][i] - (rows.targets?.[i] ?? 0)) ** 2))
    default:
      return never(objective)
  }
}

function logLoss(margins: readonly Float64Array[], label: number, row: number): number {
  let highest = -Infinity
  for (const column of margins) highest = Math.max(highest, column[row])
  let total = 0
  for (const column of margins) total += Math.exp(column[row] - highest)
  return Math.log(total) + highest - margins[label][row]
}

function weightedMean({ weights, rowCount }: BinnedRows, of: (row: number) => number): number {
  let sum = 0
  let total = 0
  for (let i = 0; i < rowCount; i++) {
    sum += weights[i] * of(i)
    total += weights[i]
  }
  return sum / total
}
