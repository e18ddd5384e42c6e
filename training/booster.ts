/** A trained ensemble of trees, and the reference prediction that kernels and ONNX must equal. */

/** One tree, nodes by index, the root at 0. At a leaf `feature` is -1. */
export interface Tree {
  readonly feature: Int32Array
  /** f32: a value at or below goes left. */
  readonly threshold: Float32Array
  /** The same split in bins. */
  readonly bin: Uint8Array
  readonly missingLeft: Uint8Array
  readonly left: Int32Array
  readonly right: Int32Array
  /** Of a leaf: added to the margin, f32. */
  readonly value: Float32Array
  /** See tree-cover.ts. Absent in trees of models that were exported without. */
  readonly cover?: Float32Array
}

export interface Booster {
  readonly featureCount: number
  /** Margin before the first tree: the log odds of the base rate. */
  readonly base: number
  readonly trees: readonly Tree[]
  /** Sum of the split gains of each feature. */
  readonly importance: Float64Array
}

/** Margin (log odds) of row `row` of a float32 row-major matrix. */
export function predictMargin(booster: Booster, matrix: Float32Array, row: number): number {
  let margin = booster.base
  for (const tree of booster.trees) margin += leafValue(tree, matrix, row * booster.featureCount)
  return margin
}

function leafValue(tree: Tree, matrix: Float32Array, from: number): number {
  let node = 0
  while (tree.feature[node] >= 0) {
    const value = matrix[from + tree.feature[node]]
    const toLeft = Number.isNaN(value)
      ? tree.missingLeft[node] === 1
      : value <= tree.threshold[node]
    node = toLeft ? tree.left[node] : tree.right[node]
  }
  return tree.value[node]
}

export function sigmoid(margin: number): number {
  return 1 / (1 + Math.exp(-margin))
}

/** ln(1 + e^x), without an overflow. */
export function logOnePlusExp(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
}

/** Probabilities of the classes of one row, from a booster per class: softmax over their margins. */
export function classProbabilities(
  boosters: readonly Booster[],
  matrix: Float32Array,
  row: number,
): readonly number[] {
  const margins = boosters.map((booster) => predictMargin(booster, matrix, row))
  const highest = Math.max(...margins)
  const powers = margins.map((margin) => Math.exp(margin - highest))
  const total = powers.reduce((sum, power) => sum + power, 0)
  return powers.map((power) => power / total)
}
