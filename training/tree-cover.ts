/**
 * Covers: the weight of the rows that a tree learned from, by node of the tree. They say in which shares
 * training went left and right, which is what an explanation compares a row with. Weights count and not
 * rows, because a history that keeps some of its quiet rows gives those the weight of all; hessians would
 * be cheaper still, but in late trees they are of the rows that the model was unsure of, and of no others.
 */
import type { Growth } from './boost-tree.ts'
import type { Tree } from './booster.ts'
import type { WrittenTree } from './tree-builder.ts'

const MISSING_BIN = 255

/** A grown leaf, and where its rows stand in the row list. */
export interface ListedLeaf {
  readonly node: number
  readonly from: number
  readonly count: number
}

/** While the row list still is by leaf. A leaf that was written several times has its rows walked. */
export function treeCover(
  growth: Growth,
  tree: Tree,
  leaves: readonly ListedLeaf[],
  copies: WrittenTree['copies'],
): Float32Array {
  const { kernels, layout } = growth.memory
  const cover = new Float64Array(tree.feature.length)
  for (const leaf of leaves) {
    const written = copies.get(leaf.node) ?? []
    const rows = layout.rows + leaf.from * 4
    if (written.length > 1) walkRows(growth, tree, leaf, cover)
    else if (written.length === 1) {
      cover[written[0]] = kernels.gbdtWeight(layout.weights, rows, leaf.count)
    }
  }
  // Nodes are written parents first.
  for (let node = cover.length - 1; node >= 0; node--) {
    if (tree.feature[node] >= 0) cover[node] = cover[tree.left[node]] + cover[tree.right[node]]
  }
  return Float32Array.from(cover)
}

function walkRows(
  { memory, data }: Growth,
  tree: Tree,
  { from, count }: ListedLeaf,
  cover: Float64Array,
): void {
  const { buffer, layout, bins } = memory
  const { stride, weights } = data.rows
  const all = new Uint8Array(buffer, bins)
  for (const row of new Uint32Array(buffer, layout.rows + from * 4, count)) {
    cover[leafOf(tree, all, row * stride)] += weights[row]
  }
}

function leafOf(tree: Tree, bins: Uint8Array, row: number): number {
  let node = 0
  while (tree.feature[node] >= 0) {
    const bin = bins[row + tree.feature[node]]
    const toLeft = bin === MISSING_BIN ? tree.missingLeft[node] === 1 : bin <= tree.bin[node]
    node = toLeft ? tree.left[node] : tree.right[node]
  }
  return node
}
