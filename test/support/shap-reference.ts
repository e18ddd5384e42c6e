/** Random trees with covers and a Shapley computation over all subsets, which the kernel must equal. */
import type { EnsembleTree, TreeEnsemble } from '../../src/predict/onnx-trees.ts'
import { randomFrom } from '../../training/boost.ts'

export interface CoveredShape {
  readonly treeCount: number
  readonly leafCount: number
  readonly featureCount: number
  /** `chain`: as deep as there are leaves. */
  readonly growth: 'random' | 'chain'
  /** Share of the leaves to which no row of training came. */
  readonly emptyRatio: number
}

export function makeCovered(shape: CoveredShape, seed: number): TreeEnsemble {
  const random = randomFrom(seed)
  const trees = Array.from({ length: shape.treeCount }, () => makeTree(shape, random))
  return {
    base: Math.fround(random() - 0.5),
    trees,
    calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
  }
}

function makeTree(
  { leafCount, featureCount, growth, emptyRatio }: CoveredShape,
  random: () => number,
): EnsembleTree {
  const nodeCount = leafCount * 2 - 1
  const numbers = () => Array.from({ length: nodeCount }, () => 0)
  const feature = numbers().fill(-1)
  const [left, right, cover] = [numbers(), numbers(), numbers()]
  const leaves = [0]
  for (let next = 1; next < nodeCount; next += 2) {
    const at = growth === 'chain' ? leaves.length - 1 : Math.floor(leaves.length * random())
    const [node] = leaves.splice(at, 1)
    feature[node] = Math.floor(random() * featureCount)
    left[node] = next
    right[node] = next + 1
    leaves.push(...(random() < 0.5 ? [next, next + 1] : [next + 1, next]))
  }
  // Some row came to one of them at least.
  for (const [i, leaf] of leaves.entries()) {
    cover[leaf] = i > 0 && random() < emptyRatio ? 0 : 1 + Math.floor(random() * 1_000)
  }
  for (let node = nodeCount - 1; node >= 0; node--) {
    if (feature[node] >= 0) cover[node] = cover[left[node]] + cover[right[node]]
  }
  return {
    feature,
    threshold: feature.map(() => Math.round(random() * 8 - 4) / 2),
    missingLeft: feature.map(() => random() < 0.5),
    left,
    right,
    value: feature.map((split) => (split < 0 ? Math.fround(random() * 4 - 2) : NaN)),
    cover,
  }
}

/** A third of the values are missing; many lie on a threshold. */
export function makeValues(count: number, seed: number): Float32Array {
  const random = randomFrom(seed)
  return Float32Array.from({ length: count }, () =>
    random() < 0.3 ? NaN : Math.round(random() * 12 - 6) / 2,
  )
}

/** Margin of the row in float64, as the trees say it. */
export function marginOf({ base, trees }: TreeEnsemble, row: Float32Array): number {
  const all = (): boolean => true
  return trees.reduce((sum, tree) => sum + expected(tree, row, all), base)
}

/** Shapley values by their definition: the mean over all orders of what each feature adds. */
export function bruteForce(ensemble: TreeEnsemble, row: Float32Array): readonly number[] {
  const { length } = row
  const known = Array.from({ length: 2 ** length }, (_, subset) =>
    ensemble.trees.reduce(
      (sum, tree) => sum + expected(tree, row, (f) => ((subset >> f) & 1) === 1),
      0,
    ),
  )
  return Array.from(row, (_, feature) => {
    let sum = 0
    for (let subset = 0; subset < known.length; subset++) {
      if (((subset >> feature) & 1) === 1) continue
      const gain = known[subset | (1 << feature)] - known[subset]
      sum += gain * orderShare(bitsOf(subset), length)
    }
    return sum
  })
}

/** Share of all orders in which just these `before` come before a feature: b! (n - b - 1)! / n!. */
function orderShare(before: number, count: number): number {
  let share = 1 / count
  for (let i = 1; i <= before; i++) share *= i / (count - i)
  return share
}

function bitsOf(subset: number): number {
  let count = 0
  for (let rest = subset; rest !== 0; rest >>= 1) count += rest & 1
  return count
}

/** A known feature decides a split; an unknown one goes both ways, by the covers. */
function expected(
  tree: EnsembleTree,
  row: Float32Array,
  isKnown: (feature: number) => boolean,
  node = 0,
): number {
  const { feature, threshold, missingLeft, left, right, value, cover } = tree
  const split = feature[node]
  if (split < 0) return value[node]
  const sides = [left[node], right[node]]
  const [toLeft, toRight] = sides.map((side) => expected(tree, row, isKnown, side))
  if (isKnown(split)) {
    const isLeft = Number.isNaN(row[split]) ? missingLeft[node] : row[split] <= threshold[node]
    return isLeft ? toLeft : toRight
  }
  const total = cover![sides[0]] + cover![sides[1]]
  const share = total === 0 ? 0.5 : cover![sides[0]] / total
  return share * toLeft + (1 - share) * toRight
}
