/** Baseline rules of a manifest as scores of feature rows: what a model has to beat. */
import { ServiceError } from '../src/core/errors.ts'
import type { FoldedRow } from './fold.ts'
import type { Manifest } from './manifest.ts'

export type Rule = (row: Pick<FoldedRow, 'matrix' | 'from'>) => number

/** In the order of `manifest.baselines`. ServiceError HISTORY_INVALID for an unknown metric. */
export function baselineRules(
  manifest: Manifest,
  featureNames: readonly string[],
): readonly Rule[] {
  return manifest.baselines.map(({ name, countsOverZero }) => {
    const columns = countsOverZero.map((metric) => {
      const column = featureNames.indexOf(`${metric}.value`)
      if (column >= 0) return column
      throw new ServiceError(
        'HISTORY_INVALID',
        `history \`${manifest.name}\`: baseline \`${name}\` counts \`${metric}\`, which node class \`${manifest.nodeClass}\` does not have`,
      )
    })
    return ({ matrix, from }) => {
      let count = 0
      for (const column of columns) if (matrix[from + column] > 0) count++
      return count
    }
  })
}
