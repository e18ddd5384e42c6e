/** Grows one tree: splits the leaf that gains most; a sibling's histogram comes by subtraction. */
import type { BoostMemory } from './boost-memory.ts'
import { writeTree } from './boost-memory.ts'
import type { BoostData, BoostParams } from './boost-params.ts'
import type { Tree } from './booster.ts'
import type { ColumnCache } from './column-cache.ts'
import type { SeededRandom } from './seeded-random.ts'
import { TreeBuilder } from './tree-builder.ts'
import { treeCover } from './tree-cover.ts'

export interface Growth {
  readonly memory: BoostMemory
  readonly columns: ColumnCache
  readonly data: BoostData
  readonly params: BoostParams
  readonly random: SeededRandom
  /** Gains are added here. */
  readonly importance: Float64Array
  /** Address of the scores that the tree is added to. */
  readonly scores: number
}

/** How many units of the packed integers a gradient and a hessian of 1 are, inverted. */
export interface Units {
  readonly gradient: number
  readonly hessian: number
}

/** Gains below this are rounding. */
const GAIN_MIN = 1e-9
/** Each writes what is on its right side twice: see tree-builder.ts. */
const CATEGORY_SPLITS_MAX = 6

interface Place {
  readonly node: number
  /** First entry in the row list, and how many. */
  readonly from: number
  readonly count: number
  readonly depth: number
  readonly histogram: number
  /** Of the value, before the learning rate: what monotone features above leave. */
  readonly valueMin: number
  readonly valueMax: number
}

interface Leaf extends Place {
  readonly gradient: number
  readonly hessian: number
  /** 0: it stays a leaf. */
  readonly gain: number
  readonly leftGradient: number
  readonly leftHessian: number
  readonly feature: number
  readonly first: number
  readonly span: number
  readonly missingLeft: number
}

/** `null` when no split gains anything. */
export function growTree(growth: Growth, units: Units): Tree | null {
  const { params, data } = growth
  const inBag = listRows(growth)
  drawFeatures(growth)
  const builder = new TreeBuilder()
  const leaves = new TreeGrowth(growth, units, builder).grow(inBag)
  growth.columns.endTree()
  if (leaves.length === 1) return null
  for (const leaf of leaves) {
    builder.setLeaf(leaf.node, params.learningRate * valueOf(params, leaf))
  }
  const { tree, copies } = builder.done(data.bounds, data.categorical)
  addToScores(growth, tree, builder, leaves, inBag)
  return { ...tree, cover: treeCover(growth, tree, leaves, copies) }
}

/** Fills the row list with the rows this tree learns from, none of weight 0, and says how many. */
function listRows({ memory, data, params, random }: Growth): number {
  const rows = new Uint32Array(memory.buffer, memory.layout.rows, data.rows.rowCount)
  const { weights } = data.rows
  let count = 0
  for (let i = 0; i < rows.length; i++) {
    if (weights[i] === 0) continue
    if (params.rowRatio >= 1 || random.next() < params.rowRatio) rows[count++] = i
  }
  return count
}

function drawFeatures({ memory, data, params, random }: Growth): void {
  const { featureCount } = data.rows
  const table = new Int8Array(memory.buffer, memory.layout.features, featureCount * 3)
  const wanted = Math.max(1, Math.round(params.featureRatio * featureCount))
  let needed = wanted
  for (let f = 0; f < featureCount; f++) {
    const take = random.next() * (featureCount - f) < needed
    if (take) needed--
    table[f * 3] = take ? 1 : 0
    table[f * 3 + 1] = data.categorical?.[f] === true ? 1 : 0
    table[f * 3 + 2] = data.monotone?.[f] ?? 0
  }
}

/** Of a leaf with these sums, before the learning rate. */
function valueOf(
  { l1, l2 }: BoostParams,
  { gradient, hessian, valueMin, valueMax }: Omit<Leaf, keyof Place> & Place,
): number {
  const soft = Math.sign(gradient) * Math.max(Math.abs(gradient) - l1, 0)
  return Math.min(Math.max(-soft / (hessian + l2), valueMin), valueMax)
}

class TreeGrowth {
  readonly #growth: Growth
  readonly #units: Units
  readonly #builder: TreeBuilder
  readonly #leaves: Leaf[] = []
  #categorySplits = 0

  constructor(growth: Growth, units: Units, builder: TreeBuilder) {
    this.#growth = growth
    this.#units = units
    this.#builder = builder
  }

  grow(inBag: number): readonly Leaf[] {
    const { params, memory } = this.#growth
    const histogram = memory.layout.histograms
    this.#fill(0, inBag, histogram)
    const node = this.#builder.add()
    const free = { valueMin: -Infinity, valueMax: Infinity }
    this.#leaves.push(this.#search({ node, from: 0, count: inBag, depth: 0, histogram, ...free }))
    while (this.#leaves.length < params.leavesMax) {
      const at = this.#bestLeaf()
      if (at < 0) break
      const leaf = this.#leaves[at]
      this.#growth.importance[leaf.feature] += leaf.gain
      const [left, right] = this.#split(leaf)
      this.#leaves[at] = left
      this.#leaves.push(right)
      if (this.#growth.data.categorical?.[leaf.feature] === true) this.#countCategory()
    }
    return this.#leaves
  }

  #bestLeaf(): number {
    let best = -1
    for (const [i, leaf] of this.#leaves.entries()) {
      if (leaf.gain > GAIN_MIN && (best < 0 || leaf.gain > this.#leaves[best].gain)) best = i
    }
    return best
  }

  #fill(from: number, count: number, histogram: number): void {
    const { kernels, layout, bins } = this.#growth.memory
    const { stride } = this.#growth.data.rows
    const rows = layout.rows + from * 4
    kernels.gbdtHistogram(bins, stride, rows, count, layout.pairs, histogram, layout.block)
  }

  #search(place: Place): Leaf {
    const { memory, data, params } = this.#growth
    const { kernels, buffer, layout } = memory
    const settings = [
      this.#units.gradient,
      this.#units.hessian,
      params.hessianMin,
      params.rowsMin / place.count,
      params.l1,
      params.l2,
      place.valueMin,
      place.valueMax,
    ]
    new Float64Array(buffer, layout.settings, settings.length).set(settings)
    const { featureCount } = data.rows
    kernels.gbdtSplit(place.histogram, featureCount, layout.features, layout.settings, layout.out)
    const [gain, gradient, hessian, leftGradient, leftHessian] = new Float64Array(
      buffer,
      layout.out,
      5,
    )
    const [feature, first, span, missingLeft] = new Int32Array(buffer, layout.out + 40, 4)
    const split = { gain, leftGradient, leftHessian, feature, first, span, missingLeft }
    return { ...place, gradient, hessian, ...split }
  }

  #split(leaf: Leaf): readonly [Leaf, Leaf] {
    const { params, memory } = this.#growth
    const toLeft = this.#partition(leaf)
    const toRight = leaf.count - toLeft
    const [leftNode, rightNode] = this.#builder.split(leaf.node, leaf)
    const depth = leaf.depth + 1
    const place = { from: leaf.from, depth, histogram: leaf.histogram }
    const [leftBounds, rightBounds] = this.#childBounds(leaf)
    const left: Place = { ...place, node: leftNode, count: toLeft, ...leftBounds }
    const from = leaf.from + toLeft
    const right: Place = { ...place, node: rightNode, from, count: toRight, ...rightBounds }
    const isLast = this.#leaves.length + 1 >= params.leavesMax
    if (isLast || (params.depthMax > 0 && depth >= params.depthMax)) {
      const { leftGradient, leftHessian } = leaf
      const rest = { gradient: leaf.gradient - leftGradient, hessian: leaf.hessian - leftHessian }
      return [closed(left, leftGradient, leftHessian), closed(right, rest.gradient, rest.hessian)]
    }
    const { histograms, histogramBytes } = memory.layout
    const fresh = histograms + this.#leaves.length * histogramBytes
    const small = toLeft <= toRight ? left : right
    this.#fill(small.from, small.count, fresh)
    memory.kernels.gbdtSubtract(leaf.histogram, fresh, this.#growth.data.rows.stride)
    return [
      this.#search(small === left ? { ...left, histogram: fresh } : left),
      this.#search(small === right ? { ...right, histogram: fresh } : right),
    ]
  }

  #partition({ feature, first, span, missingLeft, from, count }: Leaf): number {
    const { kernels, layout } = this.#growth.memory
    const { at, stride } = this.#growth.columns.place(feature, count)
    const rows = layout.rows + from * 4
    const { spare } = layout
    return kernels.gbdtPartition(at, stride, first, span, missingLeft, rows, count, spare)
  }

  /** Beyond the middle of what a monotone split parts, neither side may go later. */
  #childBounds(leaf: Leaf): readonly [Bounds, Bounds] {
    const { valueMin, valueMax } = leaf
    const sign = this.#growth.data.monotone?.[leaf.feature] ?? 0
    if (sign === 0) return [leaf, leaf].map(boundsOf) as [Bounds, Bounds]
    const { params } = this.#growth
    const { leftGradient, leftHessian } = leaf
    const left = valueOf(params, { ...leaf, gradient: leftGradient, hessian: leftHessian })
    const right = valueOf(params, {
      ...leaf,
      gradient: leaf.gradient - leftGradient,
      hessian: leaf.hessian - leftHessian,
    })
    const middle = (left + right) / 2
    const low: Bounds = { valueMin, valueMax: middle }
    const high: Bounds = { valueMin: middle, valueMax }
    return sign > 0 ? [low, high] : [high, low]
  }

  /** After enough of them, leaves that would split on a category look for something else. */
  #countCategory(): void {
    if (++this.#categorySplits !== CATEGORY_SPLITS_MAX) return
    const { memory, data } = this.#growth
    const { featureCount } = data.rows
    const table = new Int8Array(memory.buffer, memory.layout.features, featureCount * 3)
    for (let f = 0; f < featureCount; f++) if (table[f * 3 + 1] === 1) table[f * 3] = 0
    for (const [i, leaf] of this.#leaves.entries()) {
      const waits = leaf.gain > 0 && data.categorical?.[leaf.feature] === true
      if (waits) this.#leaves[i] = this.#search(leaf)
    }
  }
}

type Bounds = Pick<Place, 'valueMin' | 'valueMax'>

function boundsOf({ valueMin, valueMax }: Leaf): Bounds {
  return { valueMin, valueMax }
}

/** A leaf that stays one. */
function closed(place: Place, gradient: number, hessian: number): Leaf {
  const split = { gain: 0, leftGradient: 0, leftHessian: 0, feature: -1 }
  return { ...place, gradient, hessian, ...split, first: 0, span: 0, missingLeft: 0 }
}

/** Rows of the bag are still listed by leaf; the others walk the tree. */
function addToScores(
  { memory, data, scores }: Growth,
  tree: Tree,
  builder: TreeBuilder,
  leaves: readonly Leaf[],
  inBag: number,
): void {
  const { kernels, layout, bins, buffer } = memory
  const { rowCount, stride } = data.rows
  if (inBag === rowCount) {
    for (const { node, from, count } of leaves) {
      kernels.gbdtAddLeaf(scores, layout.rows + from * 4, count, builder.valueOf(node))
    }
    return
  }
  writeTree(buffer, layout.tree, tree)
  kernels.gbdtAddTree(bins, stride, rowCount, layout.tree, scores)
}
