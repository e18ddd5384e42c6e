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
 * A second split on a feature replaces the factor of the one above it (`above`) and takes back, on the
 * way up, what the edge above will add of this subtree.
 *
 *   tree   12 B    u32 number of nodes; u32 number of points n, even; u32 byte offset of its points
 *   node   40 B    of the edge to it, and of its split: see the offsets below; the left child is next
 *   points 24n B   f64 x n of t, of the weights, and of weight / (1 - t)
 *
 * src/predict/tree-shap-plan.ts writes them. Rows are f32, contributions f64.
 */
import { allocate } from './layout'

const TREE_BYTES: usize = 12
const NODE_BYTES: usize = 40
/** f64: share of the parent's rows of training that came here; never 0. */
const SHARE: usize = 0
/** f64, of a leaf. */
const VALUE: usize = 8
/** i32: byte offset of the split's feature in a row; -1 for a leaf. */
const SPLIT: usize = 16
/** f32: a value at or below goes left. */
const THRESHOLD: usize = 20
const MISSING_LEFT: usize = 24
/** u32: number of the right child in the tree. */
const RIGHT: usize = 28
/** i32: the nearest node above whose edge is of the same feature; -1 without. */
const ABOVE: usize = 32
/** u32: byte offset of the edge's feature in the contributions. */
const TARGET: usize = 36

/** z and o of a node's edge, f64 each. */
const FACTOR_BYTES: usize = 16

let rowBytes: usize = 0
let treeCount: usize = 0
let rowsAt: usize = 0
let outAt: usize = 0
let treesAt: usize = 0
let nodesAt: usize = 0
let pointsAt: usize = 0
/** Of the tree at hand: factors, and f64 x n of each node: products on the way down, then sums. */
let factorsAt: usize = 0
let sumsAt: usize = 0

/**
 * Makes room for a model and for `rows` rows. `treeNodes` and `treePoints` are those of the largest tree,
 * `doubles` is how many all points take. Call it once, first.
 */
export function layOutShap(
  features: u32,
  rows: u32,
  trees: u32,
  nodes: u32,
  treeNodes: u32,
  treePoints: u32,
  doubles: u32,
): void {
  rowBytes = (<usize>features) << 2
  treeCount = trees
  rowsAt = allocate(<usize>rows * rowBytes)
  outAt = allocate((<usize>rows * rowBytes) << 1)
  treesAt = allocate(<usize>trees * TREE_BYTES)
  nodesAt = allocate(<usize>nodes * NODE_BYTES)
  pointsAt = allocate((<usize>doubles) << 3)
  factorsAt = allocate(<usize>treeNodes * FACTOR_BYTES)
  sumsAt = allocate((<usize>treeNodes * treePoints) << 3)
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
export function shapNodesPointer(): u32 {
  return <u32>nodesAt
}
export function shapPointsPointer(): u32 {
  return <u32>pointsAt
}

/** Contributions of the first `count` rows. Reference: `bruteForce` in shap-cases.ts. */
export function explainRows(count: u32): void {
  for (let row: usize = 0; row < <usize>count; row++) {
    const values = rowsAt + row * rowBytes
    const out = outAt + ((row * rowBytes) << 1)
    memory.fill(out, 0, rowBytes << 1)
    let nodes = nodesAt
    for (let i: usize = 0; i < treeCount; i++) {
      const tree = treesAt + i * TREE_BYTES
      const nodeCount = <usize>load<u32>(tree)
      const bytes = (<usize>load<u32>(tree, 4)) << 3
      const points = pointsAt + <usize>load<u32>(tree, 8)
      down(nodes, nodeCount, points, bytes, values)
      up(nodes, nodeCount, points, bytes, out)
      nodes += nodeCount * NODE_BYTES
    }
  }
}

/** Nodes come parents first. `bytes` are those of one vector of points. */
function down(nodes: usize, nodeCount: usize, points: usize, bytes: usize, values: usize): void {
  for (let q: usize = 0; q < bytes; q += 16) v128.store(sumsAt + q, f64x2.splat(1))
  for (let i: usize = 0; i < nodeCount; i++) {
    const node = nodes + i * NODE_BYTES
    const split = load<i32>(node, SPLIT)
    if (split < 0) continue
    const value = load<f32>(values + <usize>split)
    const toLeft =
      value != value ? load<u32>(node, MISSING_LEFT) != 0 : value <= load<f32>(node, THRESHOLD)
    const from = sumsAt + i * bytes
    extend(nodes, i + 1, toLeft ? 1 : 0, from, points, bytes)
    extend(nodes, <usize>load<u32>(node, RIGHT), toLeft ? 0 : 1, from, points, bytes)
  }
}

/** The products of a child are those of its parent with the factor of its edge. */
function extend(
  nodes: usize,
  child: usize,
  taken: f64,
  from: usize,
  points: usize,
  bytes: usize,
): void {
  const node = nodes + child * NODE_BYTES
  const above = load<i32>(node, ABOVE)
  const factor = factorsAt + child * FACTOR_BYTES
  const to = sumsAt + child * bytes
  let z = load<f64>(node, SHARE)
  let o = taken
  if (above < 0) {
    const zs = f64x2.splat(z)
    const rise = f64x2.splat(o - z)
    for (let q: usize = 0; q < bytes; q += 16) {
      const own = f64x2.add(zs, f64x2.mul(rise, v128.load(points + q)))
      v128.store(to + q, f64x2.mul(v128.load(from + q), own))
    }
  } else {
    const replaced = factorsAt + <usize>above * FACTOR_BYTES
    const zAbove = load<f64>(replaced)
    const oAbove = load<f64>(replaced, 8)
    z *= zAbove
    o *= oAbove
    const zs = f64x2.splat(z)
    const rise = f64x2.splat(o - z)
    const zsAbove = f64x2.splat(zAbove)
    const riseAbove = f64x2.splat(oAbove - zAbove)
    for (let q: usize = 0; q < bytes; q += 16) {
      const t = v128.load(points + q)
      const own = f64x2.add(zs, f64x2.mul(rise, t))
      const old = f64x2.add(zsAbove, f64x2.mul(riseAbove, t))
      v128.store(to + q, f64x2.mul(v128.load(from + q), f64x2.div(own, old)))
    }
  }
  store<f64>(factor, z)
  store<f64>(factor, o, 8)
}

/** Children first: sums of the leaves below, and what each edge adds to its feature. */
function up(nodes: usize, nodeCount: usize, points: usize, bytes: usize, out: usize): void {
  for (let i = nodeCount - 1; i > 0; i--) {
    const node = nodes + i * NODE_BYTES
    const sums = sumsAt + i * bytes
    if (load<i32>(node, SPLIT) < 0) {
      const value = f64x2.splat(load<f64>(node, VALUE))
      for (let q: usize = 0; q < bytes; q += 16) {
        v128.store(sums + q, f64x2.mul(v128.load(sums + q), value))
      }
    } else {
      const right = sumsAt + <usize>load<u32>(node, RIGHT) * bytes
      for (let q: usize = 0; q < bytes; q += 16) {
        v128.store(sums + q, f64x2.add(v128.load(sums + bytes + q), v128.load(right + q)))
      }
    }
    let added = share(factorsAt + i * FACTOR_BYTES, sums, points, bytes)
    const above = load<i32>(node, ABOVE)
    if (above >= 0) {
      added -= share(factorsAt + <usize>above * FACTOR_BYTES, sums, points, bytes)
    }
    const target = out + <usize>load<u32>(node, TARGET)
    store<f64>(target, load<f64>(target) + added)
  }
}

/** The integral of the sums without this factor, times o - z. */
function share(factor: usize, sums: usize, points: usize, bytes: usize): f64 {
  const z = load<f64>(factor)
  const o = load<f64>(factor, 8)
  let total = f64x2.splat(0)
  if (o == 0) {
    // (o - z) / (z + (o - z) t) is -1 / (1 - t), whatever z is.
    const weights = points + (bytes << 1)
    for (let q: usize = 0; q < bytes; q += 16) {
      total = f64x2.sub(total, f64x2.mul(v128.load(sums + q), v128.load(weights + q)))
    }
  } else {
    const zs = f64x2.splat(z)
    const rise = f64x2.splat(o - z)
    const weights = points + bytes
    for (let q: usize = 0; q < bytes; q += 16) {
      const own = f64x2.add(zs, f64x2.mul(rise, v128.load(points + q)))
      const weight = f64x2.mul(v128.load(weights + q), rise)
      total = f64x2.add(total, f64x2.mul(v128.load(sums + q), f64x2.div(weight, own)))
    }
  }
  return f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1)
}
