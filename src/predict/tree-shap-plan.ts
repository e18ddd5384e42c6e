/**
 * An ensemble with covers as the kernel of exact TreeSHAP wants it: trees, splits parents first, and the
 * points of each length, in the bytes that wasm/assembly/tree-shap.ts describes.
 */
import type { EnsembleTree, TreeEnsemble } from './onnx-trees.ts'
import { LEAVES_PER_TREE_MAX } from './tree-plan.ts'

/** 64 MiB of the kernel's memory; a larger ensemble is explained by occlusion. */
const SPLITS_MAX = 2 ** 20
const SPLIT_BYTES = 64
/**
 * Share of a side where no row of training went. Zero would be divided by where a later split asks for
 * the same feature; this is lost in rounding beside any share of real rows.
 */
const SHARE_MIN = 1e-30
/** How far covers, float32, may be off the sum of their children's, and still be covers. */
const COVER_GAP_MAX = 1e-3
const NEWTON_STEPS = 100

export interface ShapPlan {
  readonly treeCount: number
  readonly splitCount: number
  /** The most of any tree. */
  readonly treeSplits: number
  readonly treePoints: number
  readonly trees: Uint32Array
  readonly splits: Uint8Array
  readonly points: Float64Array
  /** Margin of a row of which nothing is known: the mean over the rows of training. */
  readonly base: number
}

/** Null without covers in every tree, and where a tree or the whole is larger than the kernel takes. */
export function planShap({ base, trees }: TreeEnsemble): ShapPlan | null {
  if (!trees.every(isTaken)) return null
  const laid = trees.map(layTree)
  const splitCount = laid.reduce((sum, tree) => sum + tree.splits.length, 0)
  if (splitCount > SPLITS_MAX) return null
  const treePoints = mostOf(laid, ({ pointCount }) => pointCount)
  const { points, offsets } = pointTables(treePoints)
  const splits = new Uint8Array(splitCount * SPLIT_BYTES)
  const view = new DataView(splits.buffer)
  let at = 0
  for (const tree of laid) {
    for (const split of tree.splits) writeSplit(view, at++ * SPLIT_BYTES, split)
  }
  return {
    treeCount: trees.length,
    splitCount,
    treeSplits: mostOf(laid, (tree) => tree.splits.length),
    treePoints,
    trees: Uint32Array.from(
      laid.flatMap(({ splits: { length }, pointCount }) => [
        length,
        pointCount,
        offsets.get(pointCount)!,
      ]),
    ),
    splits,
    points,
    base: laid.reduce((sum, { mean }) => sum + mean, base),
  }
}

function mostOf(laid: readonly LaidTree[], pick: (tree: LaidTree) => number): number {
  return laid.reduce((most, tree) => Math.max(most, pick(tree)), 1)
}

function isTaken(tree: EnsembleTree): boolean {
  return (tree.feature.length + 1) / 2 <= LEAVES_PER_TREE_MAX && isCovered(tree)
}

/** Other exporters write a 1 for every node, or nothing. */
function isCovered({ feature, left, right, cover }: EnsembleTree): boolean {
  if (cover === undefined || !(cover[0] > 0)) return false
  return feature.every((split, node) => {
    if (split < 0) return cover[node] >= 0
    const gap = Math.abs(cover[left[node]] + cover[right[node]] - cover[node])
    return gap <= COVER_GAP_MAX * cover[node]
  })
}

interface Edge {
  /** Share of all splits on this feature down to here: what reaches it of the rows it is unknown of. */
  readonly z: number
  readonly feature: number
  /** 2 × the split's number, + 1 to the right. */
  readonly number: number
  /** The edge before it on the way from the root. */
  readonly before: Edge | null
  /** How many features are asked for on the way, and the share of all rows that come. */
  readonly asked: number
  readonly reach: number
}

interface LaidSplit {
  readonly left: Edge
  readonly right: Edge
  /** Of a child that is a leaf, else 1. */
  readonly values: readonly [number, number]
  readonly above: Edge | null
  readonly feature: number
  readonly threshold: number
  readonly missingLeft: boolean
  readonly own: number
  rightVector: number
}

interface LaidTree {
  readonly splits: readonly LaidSplit[]
  readonly pointCount: number
  readonly mean: number
}

/** A node that waits to be laid, by the edge that leads to it, and the split whose right child it is. */
interface Step {
  readonly node: number
  readonly edge: Edge | null
  readonly rightOf: LaidSplit | null
}

/** Depth first without recursion: a tree of one long branch is as deep as it has leaves. */
function layTree(tree: EnsembleTree): LaidTree {
  const splits: LaidSplit[] = []
  const covers = coversOf(tree)
  let [mean, vector, asked] = [0, 0, 0]
  const waiting: Step[] = [{ node: 0, edge: null, rightOf: null }]
  while (waiting.length > 0) {
    const { node, edge, rightOf } = waiting.pop()!
    const own = vector++
    if (rightOf !== null) rightOf.rightVector = own
    const feature = tree.feature[node]
    if (feature < 0) {
      mean += tree.value[node] * (edge?.reach ?? 1)
      asked = Math.max(asked, edge?.asked ?? 0)
      continue
    }
    const children = [tree.left[node], tree.right[node]] as const
    const above = aboveOf(edge, feature)
    const [left, right] = children.map((child, side): Edge => {
      const share = shareOf(covers[child], covers[children[1 - side]])
      return {
        z: share * (above?.z ?? 1),
        feature,
        number: 2 * splits.length + side,
        before: edge,
        asked: (edge?.asked ?? 0) + (above === null ? 1 : 0),
        reach: (edge?.reach ?? 1) * share,
      }
    })
    const valueOf = (child: number) => (tree.feature[child] < 0 ? tree.value[child] : 1)
    const split: LaidSplit = {
      left,
      right,
      values: [valueOf(children[0]), valueOf(children[1])],
      above,
      feature,
      threshold: tree.threshold[node],
      missingLeft: tree.missingLeft[node],
      own,
      rightVector: 0,
    }
    splits.push(split)
    waiting.push({ node: children[1], edge: right, rightOf: split })
    waiting.push({ node: children[0], edge: left, rightOf: null })
  }
  // n points are exact up to degree 2n - 1, and the kernel takes two at a time.
  return { splits, pointCount: Math.max(2, 2 * Math.ceil(asked / 4)), mean }
}

/** From the leaves' up: a file has float32, which do not add up to the last bit. */
function coversOf({ feature, left, right, cover }: EnsembleTree): readonly number[] {
  const covers = [...cover!]
  const order: number[] = []
  const waiting = [0]
  while (waiting.length > 0) {
    const node = waiting.pop()!
    order.push(node)
    if (feature[node] >= 0) waiting.push(left[node], right[node])
  }
  for (const node of order.toReversed()) {
    if (feature[node] >= 0) covers[node] = covers[left[node]] + covers[right[node]]
  }
  return covers
}

/** Where no row of training came, both sides count alike. */
function shareOf(cover: number, other: number): number {
  const total = cover + other
  return total === 0 ? 0.5 : Math.max(cover / total, SHARE_MIN)
}

/** The nearest edge on the way up to the root that is of this feature. */
function aboveOf(edge: Edge | null, feature: number): Edge | null {
  for (let at = edge; at !== null; at = at.before) if (at.feature === feature) return at
  return null
}

function writeSplit(view: DataView, from: number, split: LaidSplit): void {
  const { left, right, values, above, feature, threshold, missingLeft, own, rightVector } = split
  const doubles = [left.z, right.z, ...values, above?.z ?? 1]
  for (const [i, value] of doubles.entries()) view.setFloat64(from + i * 8, value, true)
  view.setUint32(from + 40, feature * 4, true)
  view.setFloat32(from + 44, threshold, true)
  view.setUint32(from + 48, missingLeft ? 1 : 0, true)
  view.setUint32(from + 52, own, true)
  view.setUint32(from + 56, rightVector, true)
  view.setInt32(from + 60, above?.number ?? -1, true)
}

/** Of every even number of points up to the most, and the byte offset of each. */
function pointTables(most: number): {
  readonly points: Float64Array
  readonly offsets: ReadonlyMap<number, number>
} {
  const offsets = new Map<number, number>()
  const points: number[] = []
  for (let count = 2; count <= most; count += 2) {
    offsets.set(count, points.length * 8)
    const { at, weight } = gaussLegendre(count)
    points.push(...at, ...weight, ...weight.map((w, q) => w / (1 - at[q])))
  }
  return { points: Float64Array.from(points), offsets }
}

/** Points and weights that integrate polynomials up to degree 2 × count - 1 over 0..1 exactly. */
export function gaussLegendre(count: number): {
  readonly at: readonly number[]
  readonly weight: readonly number[]
} {
  const at: number[] = []
  const weight: number[] = []
  for (let i = 0; i < count; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5))
    let slope = 1
    for (let step = 0; step < NEWTON_STEPS; step++) {
      const legendre = legendreAt(count, x)
      slope = legendre.slope
      const move = legendre.value / slope
      x -= move
      if (Math.abs(move) < 1e-15) break
    }
    at.push((1 - x) / 2)
    weight.push(1 / ((1 - x * x) * slope * slope))
  }
  return { at, weight }
}

function legendreAt(degree: number, x: number): { readonly value: number; readonly slope: number } {
  let [before, value] = [1, x]
  for (let k = 2; k <= degree; k++) {
    ;[before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k]
  }
  return { value, slope: (degree * (x * value - before)) / (x * x - 1) }
}
