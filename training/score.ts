/** Margins of binned rows under a finished booster. */
import type { BinnedRows } from './bins.ts'
import type { Booster } from './booster.ts'
import { RowScorer } from './row-scorer.ts'

export function scoreRows(
  module: WebAssembly.Module,
  booster: Booster,
  rows: BinnedRows,
): Float64Array {
  const scorer = new RowScorer(module, rows, [booster.base])
  scorer.add(booster.trees, 0)
  return scorer.margins(0).slice()
}
