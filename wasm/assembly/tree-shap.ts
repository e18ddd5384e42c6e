/**
 * Exact path-dependent TreeSHAP (Lundberg et al. 2018, 2020): what each feature adds to the margin of a
 * row, where a feature that is not known goes both ways of a split in the shares of training.
 *
 * A leaf is reached with the product of one factor per feature on its path: z where the feature is not
 * known (the shares of its splits), o where it is (1 on the row's side of all of them, else 0). A
 * Shapley value is the integral over t of the product of all other factors at z + (o - z) t, times
 * o - z (Owen's multilinear extension): a polynomial, which Gauss and Legendre's points sum exactly,
 * half as many as features on the longest path. So products go down a tree once, a vector of points
 * per node, sums of leaves come up once, and paths share all they have in common. All terms of a sum
 * have one sign, which unwinding a path has not.
 *
 * A second split on a feature replaces the factor of the edge above it (`above`) on the way down, and
 * takes back, on the way up, what that edge will add of this subtree.
 *
 *   tree   12 B    u32 number of splits; u32 number of points n, even; u32 byte offset of its points
 *   split  64 B    parents first: see the offsets below; its left child's vector is the one after its own
 *   points 24n B   f64 x n of t, of the weights, and of weight / (1 - t)
 *
 * src/predict/tree-shap-plan.ts writes them. Rows are f32, contributions f64.
 */
import { allocate } from './layout'

const TREE_BYTES: usize = 12
const SPLIT_BYTES: usize = 64
/** f64: z of the edges to the left and the right child, the splits above on the same feature included. */
const Z_LEFT: usize = 0
const Z_RIGHT: usize = 8
/** f64: of a child that is a leaf its value, else 1. */
const VALUE_LEFT: usize = 16
const VALUE_RIGHT: usize = 24
/** f64: z of the edge above. */
const Z_ABOVE: usize = 32
/** u32: byte offset of the feature in a row. */
const FEATURE: usize = 40
/** f32: a value at or below goes left. */
const THRESHOLD: usize = 44
const MISSING_LEFT: usize = 48
/** u32: numbers of the vectors of the split and of its right child in the tree. */
const OWN: usize = 52
const RIGHT: usize = 56
/** i32: the nearest edge above on the same feature, 2 x its split + 1 if it goes right; -1 without. */
const ABOVE: usize = 60

let rowBytes: usize = 0
let treeCount: usize = 0
let rowsAt: usize = 0
let outAt: usize = 0
let treesAt: usize = 0
let splitsAt: usize = 0
let pointsAt: usize = 0
/** Of the tree at hand: u32 per edge, o; and f64 x n per node: products on the way down, then sums. */
let takenAt: usize = 0
let sumsAt: usize = 0

/**
 * Makes room for a model and for `rows` rows. `treeSplits` and `treePoints` are the most of any tree,
 * `doubles` is how many all points take. Call it once, first.
 */
export function layOutShap(
  features: u32,
  rows: u32,
  trees: u32,
  splits: u32,
  treeSplits: u32,
  treePoints: u32,
  doubles: u32,
): void {
  rowBytes = (<usize>features) << 2
  treeCount = trees
  rowsAt = allocate(<usize>rows * rowBytes)
  outAt = allocate((<usize>rows * rowBytes) << 1)
  treesAt = allocate(<usize>trees * TREE_BYTES)
  splitsAt = allocate(<usize>splits * SPLIT_BYTES)
  pointsAt = allocate((<usize>doubles) << 3)
  takenAt = allocate((<usize>treeSplits) << 3)
  sumsAt = allocate((<usize>(2 * treeSplits + 1) * treePoints) << 3)
}

export function shapRowsPointer(): u32 {
  return <u32>rowsAt
}
export function shapContributionsPointer(): u32 {
  return <u32>outAt
}
export function shapTreesPointer(): u32 {
  return <u32>treesAt
}
export function shapSplitsPointer(): u32 {
  return <u32>splitsAt
}
export function shapPointsPointer(): u32 {
  return <u32>pointsAt
}

/** Contributions of the first `count` rows. Reference: `bruteForce` in test/support/shap-reference.ts. */
export function explainRows(count: u32): void {
  for (let row: usize = 0; row < <usize>count; row++) {
    const values = rowsAt + row * rowBytes
    const out = outAt + ((row * rowBytes) << 1)
    memory.fill(out, 0, rowBytes << 1)
    let splits = splitsAt
    for (let i: usize = 0; i < treeCount; i++) {
      const tree = treesAt + i * TREE_BYTES
      const end = splits + <usize>load<u32>(tree) * SPLIT_BYTES
      const bytes = (<usize>load<u32>(tree, 4)) << 3
      const points = pointsAt + <usize>load<u32>(tree, 8)
      down(splits, end, points, bytes, values)
      up(splits, end, points, bytes, out)
      splits = end
    }
  }
}

/** The products of both children of each split. `bytes` are those of one vector of points. */
function down(splits: usize, end: usize, points: usize, bytes: usize, values: usize): void {
  for (let q: usize = 0; q < bytes; q += 16) v128.store(sumsAt + q, f64x2.splat(1))
  let taken = takenAt
  for (let split = splits; split < end; split += SPLIT_BYTES) {
    const x = load<f32>(values + <usize>load<u32>(split, FEATURE))
    const goesLeft =
      x != x ? load<u32>(split, MISSING_LEFT) : <u32>(x <= load<f32>(split, THRESHOLD))
    const above = load<i32>(split, ABOVE)
    const isKnown = above < 0 ? 1 : load<u32>(takenAt + ((<usize>above) << 2))
    const leftTaken = isKnown & goesLeft
    const rightTaken = isKnown & (1 - goesLeft)
    store<u32>(taken, leftTaken)
    store<u32>(taken, rightTaken, 4)
    taken += 8
    const own = sumsAt + <usize>load<u32>(split, OWN) * bytes
    const left = own + bytes
    const right = sumsAt + <usize>load<u32>(split, RIGHT) * bytes
    const zLeft = load<f64>(split, Z_LEFT)
    const zRight = load<f64>(split, Z_RIGHT)
    const zAbove = load<f64>(split, Z_ABOVE)
    const valueLeft = load<f64>(split, VALUE_LEFT)
    const valueRight = load<f64>(split, VALUE_RIGHT)
    if (isKnown == 0) {
      // The row left the path at the edge above: only z changes.
      const toLeft = f64x2.splat((valueLeft * zLeft) / zAbove)
      const toRight = f64x2.splat((valueRight * zRight) / zAbove)
      for (let q: usize = 0; q < bytes; q += 16) {
        const product = v128.load(own + q)
        v128.store(left + q, f64x2.mul(product, toLeft))
        v128.store(right + q, f64x2.mul(product, toRight))
      }
      continue
    }
    const startLeft = f64x2.splat(valueLeft * zLeft)
    const riseLeft = f64x2.splat(valueLeft * (<f64>leftTaken - zLeft))
    const startRight = f64x2.splat(valueRight * zRight)
    const riseRight = f64x2.splat(valueRight * (<f64>rightTaken - zRight))
    const startAbove = f64x2.splat(zAbove)
    const riseAbove = f64x2.splat(1 - zAbove)
    for (let q: usize = 0; q < bytes; q += 16) {
      const t = v128.load(points + q)
      let product = v128.load(own + q)
      if (above >= 0) {
        product = f64x2.div(product, f64x2.add(startAbove, f64x2.mul(riseAbove, t)))
      }
      const atLeft = f64x2.add(startLeft, f64x2.mul(riseLeft, t))
      const atRight = f64x2.add(startRight, f64x2.mul(riseRight, t))
      v128.store(left + q, f64x2.mul(product, atLeft))
      v128.store(right + q, f64x2.mul(product, atRight))
    }
  }
}

/** Children first: sums of the leaves below each split, and what its edges add to its feature. */
function up(splits: usize, end: usize, points: usize, bytes: usize, out: usize): void {
  const weights = points + bytes
  const coldWeights = weights + bytes
  let taken = takenAt + (((end - splits) / SPLIT_BYTES) << 3)
  for (let split = end; split > splits;) {
    split -= SPLIT_BYTES
    taken -= 8
    const own = sumsAt + <usize>load<u32>(split, OWN) * bytes
    const left = own + bytes
    const right = sumsAt + <usize>load<u32>(split, RIGHT) * bytes
    const leftTaken = load<u32>(taken)
    if ((leftTaken | load<u32>(taken, 4)) == 0) {
      // What its edges add, the edge above takes back: without the row, -1 / (1 - t) is all there is.
      for (let q: usize = 0; q < bytes; q += 16) {
        v128.store(own + q, f64x2.add(v128.load(left + q), v128.load(right + q)))
      }
      continue
    }
    const warm = leftTaken != 0 ? left : right
    const cold = leftTaken != 0 ? right : left
    const z = leftTaken != 0 ? load<f64>(split, Z_LEFT) : load<f64>(split, Z_RIGHT)
    const above = load<i32>(split, ABOVE)
    const start = f64x2.splat(z)
    const rise = f64x2.splat(1 - z)
    const zAbove = load<f64>(split, Z_ABOVE)
    const startAbove = f64x2.splat(zAbove)
    const riseAbove = f64x2.splat(1 - zAbove)
    let total = f64x2.splat(0)
    for (let q: usize = 0; q < bytes; q += 16) {
      const t = v128.load(points + q)
      const weight = v128.load(weights + q)
      const warmSum = v128.load(warm + q)
      const coldSum = v128.load(cold + q)
      const sum = f64x2.add(warmSum, coldSum)
      v128.store(own + q, sum)
      const factor = f64x2.add(start, f64x2.mul(rise, t))
      const warmPart = f64x2.div(f64x2.mul(f64x2.mul(warmSum, rise), weight), factor)
      total = f64x2.add(total, warmPart)
      total = f64x2.sub(total, f64x2.mul(coldSum, v128.load(coldWeights + q)))
      if (above >= 0) {
        const factorAbove = f64x2.add(startAbove, f64x2.mul(riseAbove, t))
        const part = f64x2.div(f64x2.mul(f64x2.mul(sum, riseAbove), weight), factorAbove)
        total = f64x2.sub(total, part)
      }
    }
    const target = out + ((<usize>load<u32>(split, FEATURE)) << 1)
    const added = f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1)
    store<f64>(target, load<f64>(target) + added)
  }
}
