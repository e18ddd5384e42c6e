/** Made-up rows of a fleet for benches of training: many features that say a little, failures rare. */
import { findBounds, toBinnedRows, type BinnedRows, type Bounds } from '../../training/bins.ts'
import { randomFrom } from '../../training/boost.ts'

/** Missing values have a bin of their own, which LightGBM counts to its 255. */
export const BINS_MAX = 254
const BOUNDS_FROM_ROWS = 100_000
/** Log odds of a row that nothing speaks for. */
const BASE_MARGIN = -5

export interface MadeRows {
  readonly bounds: Bounds
  readonly train: BinnedRows
  readonly test: BinnedRows
}

export function makeRows(
  trainCount: number,
  testCount: number,
  featureCount: number,
  missingRatio: number,
): MadeRows {
  const random = randomFrom(11)
  const count = trainCount + testCount
  const matrix = new Float32Array(count * featureCount)
  const labels = new Uint8Array(count)
  for (let row = 0; row < count; row++) {
    const values = matrix.subarray(row * featureCount, (row + 1) * featureCount)
    const margin = BASE_MARGIN + fillRow(values, random, missingRatio)
    labels[row] = random() < 1 / (1 + Math.exp(-margin)) ? 1 : 0
  }
  const sampled = Math.min(BOUNDS_FROM_ROWS, trainCount) * featureCount
  const bounds = findBounds(matrix.subarray(0, sampled), featureCount, BINS_MAX)
  const cut = trainCount * featureCount
  return {
    bounds,
    train: toBinnedRows(matrix.subarray(0, cut), labels.subarray(0, trainCount), bounds),
    test: toBinnedRows(matrix.subarray(cut), labels.subarray(trainCount), bounds),
  }
}

/** A third of the features are counts, mostly zero; a third speak only together with the one before. */
function fillRow(values: Float32Array, random: () => number, missingRatio: number): number {
  let margin = 0
  for (let f = 0; f < values.length; f++) {
    const smooth = random() + random() + random() - 1.5
    const value = f % 3 === 1 ? Math.max(0, Math.floor(smooth * 20)) / 10 : smooth
    const weight = 1 / (1 + (f % 16))
    const before = f === 0 ? 1 : values[f - 1]
    const speaks = f % 3 === 2 && !Number.isNaN(before) ? value * before * 2 : value
    margin += weight * speaks
    values[f] = random() < missingRatio ? NaN : value
  }
  return margin
}
