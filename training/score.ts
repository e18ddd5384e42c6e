/** Margins of binned rows through the kernel that walks trees: exact, and without the float rows. */
import type { BinnedRows } from './bins.ts'
import { openBoostMemory, writeTree } from './boost-memory.ts'
import type { Booster } from './booster.ts'

export function scoreRows(
  module: WebAssembly.Module,
  booster: Booster,
  rows: BinnedRows,
): Float64Array {
  const nodesMax = booster.trees.reduce((most, { feature }) => Math.max(most, feature.length), 2)
  const memory = openBoostMemory(module, rows, null, Math.ceil(nodesMax / 2))
  const { kernels, buffer, layout } = memory
  const margins = new Float64Array(buffer, layout.scores, rows.rowCount)
  margins.fill(booster.base)
  for (const tree of booster.trees) {
    writeTree(memory, tree)
    kernels.gbdtAddTree(layout.bins, rows.stride, rows.rowCount, layout.tree, layout.scores)
  }
  return margins.slice()
}
