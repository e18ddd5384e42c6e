/** Where a feature usually lies, from how the rows of training lay in the bins of the reference. */
import type { ExpectedRange } from '../core/assessment.ts'
import type { Distribution } from '../core/model.ts'

const QUANTILES = [0.1, 0.9] as const
/** Shares are rounded, and a tenth of them adds up to a hair less. */
const SHARE_GAP = 1e-6

/**
 * The bounds nearest at or above the quantiles, of the rows that had a value. Null where none had, or all
 * of them lie in one bin that has no bound.
 */
export function expectedRange({ bounds, shares }: Distribution): ExpectedRange | null {
  const known = 1 - (shares.at(-1) ?? 1)
  if (known <= SHARE_GAP || bounds.length === 0) return null
  const at = QUANTILES.map((quantile) => boundAt(bounds, shares, quantile * known - SHARE_GAP))
  return { low: at[0] ?? bounds[bounds.length - 1], high: at[1], quantiles: QUANTILES }
}

/** Null beyond the last bound. */
function boundAt(
  bounds: readonly number[],
  shares: readonly number[],
  wanted: number,
): number | null {
  let below = 0
  for (const [bin, bound] of bounds.entries()) {
    below += shares[bin]
    if (below >= wanted) return bound
  }
  return null
}
