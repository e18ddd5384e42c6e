/** Random ensembles and rows for the tree kernel, and the plain walk that it must equal. */
import type { Calibration } from '../../../src/core/calibration.ts'
import { randomFrom } from '../../../training/boost.ts'
import type { Booster, Tree } from '../../../training/booster.ts'
import { toOnnx } from '../../../training/onnx.ts'

export interface Shape {
  readonly treeCount: number
  readonly leafCount: number
  readonly featureCount: number
  /** `chain`: each split cuts one leaf off, alternately on either side. */
  readonly growth: 'random' | 'chain'
}

export function makeBooster(
  { treeCount, leafCount, featureCount, growth }: Shape,
  seed: number,
): Booster {
  const random = randomFrom(seed)
  const trees = Array.from({ length: treeCount }, () =>
    makeTree(leafCount, featureCount, growth, random),
  )
  return {
    featureCount,
    base: Math.fround(-2.3),
    trees,
    importance: new Float64Array(featureCount),
  }
}

function makeTree(
  leafCount: number,
  featureCount: number,
  growth: Shape['growth'],
  random: () => number,
): Tree {
  const nodeCount = leafCount * 2 - 1
  const tree: Tree = {
    feature: new Int32Array(nodeCount).fill(-1),
    threshold: new Float32Array(nodeCount),
    bin: new Uint8Array(nodeCount),
    missingLeft: new Uint8Array(nodeCount),
    left: new Int32Array(nodeCount),
    right: new Int32Array(nodeCount),
    value: Float32Array.from({ length: nodeCount }, () => random() - 0.5),
  }
  const leaves = [0]
  for (let next = 1; next < nodeCount; next += 2) {
    const at =
      growth === 'chain' ? leaves.length - 1 - (random() < 0.5 ? 1 : 0) : leaves.length * random()
    const [node] = leaves.splice(Math.max(0, Math.floor(at)), 1)
    tree.feature[node] = Math.floor(random() * featureCount)
    tree.threshold[node] = threshold(random)
    tree.missingLeft[node] = random() < 0.5 ? 1 : 0
    tree.left[node] = next
    tree.right[node] = next + 1
    leaves.push(next, next + 1)
  }
  return tree
}

/** Few enough values that rows lie on them; now and then an edge of the floats. */
function threshold(random: () => number): number {
  const edges = [0, -0, Infinity, -Infinity, 3.4028234663852886e38, 1e-45, -1e-45]
  if (random() < 0.05) return edges[Math.floor(random() * edges.length)]
  return Math.round(random() * 40 - 20) / 8
}

export function makeRows(rowCount: number, featureCount: number, seed: number): Float32Array {
  const random = randomFrom(seed)
  const special = [NaN, NaN, NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 3.4028234663852886e38]
  return Float32Array.from({ length: rowCount * featureCount }, () => {
    if (random() < 0.2) return special[Math.floor(random() * special.length)]
    const onThreshold = Math.round(random() * 40 - 20) / 8
    return onThreshold + (random() < 0.5 ? 0 : random() - 0.5)
  })
}

export const CALIBRATION = {
  kind: 'sigmoid',
  slope: Math.fround(0.8),
  intercept: Math.fround(-0.3),
} as const

export const CALIBRATIONS = [
  CALIBRATION,
  {
    kind: 'beta',
    a: Math.fround(0.45),
    b: Math.fround(1.7),
    intercept: Math.fround(-0.6),
  },
  {
    kind: 'isotonic',
    knots: [-3.1, -2.4, -2.3, -0.7].map(Math.fround),
    rises: [0.9, 0.75, 2.3].map(Math.fround),
    intercept: Math.fround(-4.2),
    slope: Math.fround(0.8),
  },
] as const satisfies readonly Calibration[]

export function onnxOf(booster: Booster, calibration: Calibration = CALIBRATION): Uint8Array {
  return toOnnx({
    booster,
    calibration,
    featureNames: Array.from({ length: booster.featureCount }, (_, i) => `f${i}`),
    featureHash: 'hash',
    horizonMs: 1_000,
    version: '1',
  })
}

/** Margins by walking each tree, summed in float32 in the order of the trees, the base last. */
export function reference(booster: Booster, rows: Float32Array): Float32Array {
  const { featureCount, base, trees } = booster
  return Float32Array.from({ length: rows.length / featureCount }, (_, row) => {
    let sum = 0
    for (const tree of trees) sum = Math.fround(sum + leafValue(tree, rows, row * featureCount))
    return sum + base
  })
}

function leafValue(tree: Tree, rows: Float32Array, from: number): number {
  let node = 0
  while (tree.feature[node] >= 0) {
    const value = rows[from + tree.feature[node]]
    const toLeft = Number.isNaN(value)
      ? tree.missingLeft[node] === 1
      : value <= tree.threshold[node]
    node = toLeft ? tree.left[node] : tree.right[node]
  }
  return tree.value[node]
}
