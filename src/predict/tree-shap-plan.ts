/**
 * An ensemble with covers as the kernel of exact TreeSHAP wants it: trees, nodes parents first, and the
 * points of each length, in the bytes that wasm/assembly/tree-shap.ts describes.
 */
import type { EnsembleTree, TreeEnsemble } from './onnx-trees.ts'
import { LEAVES_PER_TREE_MAX } from './tree-plan.ts'

/** 80 MiB of the kernel's memory; a larger ensemble is explained by occlusion. */
const NODES_MAX = 2 ** 21
const NODE_BYTES = 40
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
  readonly nodeCount: number
  /** Of the largest tree, and the most points of any. */
  readonly treeNodes: number
  readonly treePoints: number
  readonly trees: Uint32Array
  readonly nodes: Uint8Array
  readonly points: Float64Array
  /** Margin of a row of which nothing is known: the mean over the rows of training. */
  readonly base: number
}

/** Null without covers in every tree, and where a tree or the whole is larger than the kernel takes. */
export function planShap({ base, trees }: TreeEnsemble): ShapPlan | null {
  const nodeCount = trees.reduce((sum, { feature }) => sum + feature.length, 0)
  if (nodeCount > NODES_MAX || !trees.every(isCovered)) return null
  const laid = trees.map(layTree)
  if (laid.some(({ leafCount }) => leafCount > LEAVES_PER_TREE_MAX)) return null
  const treePoints = Math.max(2, ...laid.map(({ pointCount }) => pointCount))
  const { points, offsets } = pointTables(treePoints)
  const nodes = new Uint8Array(nodeCount * NODE_BYTES)
  const view = new DataView(nodes.buffer)
  let at = 0
  for (const tree of laid) for (const node of tree.nodes) writeNode(view, at++ * NODE_BYTES, node)
  return {
    treeCount: trees.length,
    nodeCount,
    treeNodes: Math.max(1, ...laid.map((tree) => tree.nodes.length)),
    treePoints,
    trees: Uint32Array.from(
      laid.flatMap(({ nodes: { length }, pointCount }) => [
        length,
        pointCount,
        offsets.get(pointCount)!,
      ]),
    ),
    nodes,
    points,
    base: laid.reduce((sum, { mean }) => sum + mean, base),
  }
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

interface LaidNode {
  readonly share: number
  readonly value: number
  /** Of its split; -1 for a leaf. */
  readonly feature: number
  readonly threshold: number
  readonly missingLeft: boolean
  right: number
  readonly above: number
  /** Of the edge that leads to it; of the root nothing asks. */
  readonly edge: number
}

interface LaidTree {
  readonly nodes: readonly LaidNode[]
  readonly leafCount: number
  readonly pointCount: number
  readonly mean: number
}

/** Where the walk is about to go: from the laid node `parent` (-1: nowhere) to `node` of the tree. */
interface Step {
  readonly node: number
  readonly parent: number
  readonly isRight: boolean
  readonly share: number
}

/** Depth first without recursion: a tree of one long branch is as deep as it has leaves. */
function layTree(tree: EnsembleTree): LaidTree {
  const nodes: LaidNode[] = []
  const parents: number[] = []
  /** How many features are asked for on the way to each node, and the share of all rows that come there. */
  const asked: number[] = []
  const reach: number[] = []
  const covers = coversOf(tree)
  let [mean, leafCount] = [0, 0]
  const waiting: Step[] = [{ node: 0, parent: -1, isRight: false, share: 1 }]
  while (waiting.length > 0) {
    const { node, parent, isRight, share } = waiting.pop()!
    const at = nodes.length
    const edge = parent < 0 ? -1 : nodes[parent].feature
    const above = aboveOf(nodes, parents, parent, edge)
    if (isRight) nodes[parent].right = at
    parents.push(parent)
    asked.push(parent < 0 ? 0 : asked[parent] + (above < 0 ? 1 : 0))
    reach.push(parent < 0 ? 1 : reach[parent] * share)
    const feature = tree.feature[node]
    const [left, right] = [tree.left[node], tree.right[node]]
    nodes.push({
      share,
      value: feature < 0 ? tree.value[node] : 0,
      feature,
      threshold: tree.threshold[node],
      missingLeft: tree.missingLeft[node],
      right: 0,
      above,
      edge: Math.max(edge, 0),
    })
    if (feature < 0) {
      leafCount++
      mean += tree.value[node] * reach[at]
      continue
    }
    const toLeft = shareOf(covers[left], covers[right])
    const toRight = shareOf(covers[right], covers[left])
    waiting.push({ node: right, parent: at, isRight: true, share: toRight })
    waiting.push({ node: left, parent: at, isRight: false, share: toLeft })
  }
  // n points are exact up to degree 2n - 1, and the kernel takes two at a time.
  const pointCount = Math.max(2, 2 * Math.ceil(Math.max(...asked) / 4))
  return { nodes, leafCount, pointCount, mean }
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
  for (const node of order.reverse()) {
    if (feature[node] >= 0) covers[node] = covers[left[node]] + covers[right[node]]
  }
  return covers
}

/** Where no row of training came, both sides count alike. */
function shareOf(cover: number, other: number): number {
  const total = cover + other
  return total === 0 ? 0.5 : Math.max(cover / total, SHARE_MIN)
}

/** The nearest node from `from` up whose edge is of this feature; -1 without. */
function aboveOf(
  nodes: readonly LaidNode[],
  parents: readonly number[],
  from: number,
  feature: number,
): number {
  for (let at = from; at > 0; at = parents[at]) if (nodes[at].edge === feature) return at
  return -1
}

function writeNode(view: DataView, from: number, node: LaidNode): void {
  view.setFloat64(from, node.share, true)
  view.setFloat64(from + 8, node.value, true)
  view.setInt32(from + 16, node.feature < 0 ? -1 : node.feature * 4, true)
  view.setFloat32(from + 20, node.threshold, true)
  view.setUint32(from + 24, node.missingLeft ? 1 : 0, true)
  view.setUint32(from + 28, node.right, true)
  view.setInt32(from + 32, node.above, true)
  view.setUint32(from + 36, node.edge * 8, true)
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
