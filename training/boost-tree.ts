/** Grows one tree: splits the leaf that gains most; a sibling's histogram comes by subtraction. */
import { binLimit } from './bins.ts'
import type { BoostData, BoostParams } from './boost.ts'
import { writeTree, type BoostMemory } from './boost-memory.ts'
import type { Tree } from './booster.ts'

export interface Growth {
  readonly memory: BoostMemory
  readonly data: BoostData
  readonly params: BoostParams
  readonly random: () => number
  /** Gains are added here. */
  readonly importance: Float64Array
}

/** Sums of packed integers stay below this share of their 32 bits. */
const SUM_MAX = 2 ** 31 * 0.9
/** Gains below this are rounding. */
const GAIN_MIN = 1e-9

interface Leaf {
  readonly node: number
  /** First entry in the row list, and how many. */
  readonly from: number
  readonly count: number
  readonly histogram: number
  readonly gain: number
  readonly gradient: number
  readonly hessian: number
  readonly feature: number
  readonly bin: number
  readonly missingLeft: number
}

interface Units {
  readonly gradient: number
  readonly hessian: number
}

/** `null` when no split gains anything. */
export function growTree(growth: Growth): Tree | null {
  const { memory, params, data } = growth
  const units = quantise(growth)
  const inBag = listRows(growth)
  drawFeatures(growth)
  const tree = new TreeBuilder(data)
  const root = memory.layout.histograms
  fillHistogram(growth, 0, inBag, root)
  const leaves: Leaf[] = [
    openLeaf(growth, units, { node: tree.add(), from: 0, count: inBag, histogram: root }),
  ]
  while (leaves.length < params.leavesMax) {
    const at = bestLeaf(leaves)
    if (at < 0) break
    const leaf = leaves[at]
    growth.importance[leaf.feature] += leaf.gain
    const [left, right] = splitLeaf(growth, units, tree, leaf, leaves.length)
    leaves[at] = left
    leaves.push(right)
  }
  if (leaves.length === 1) return null
  for (const leaf of leaves) {
    tree.setLeaf(leaf.node, (-params.learningRate * leaf.gradient) / (leaf.hessian + params.l2))
  }
  const grown = tree.done()
  addToScores(growth, grown, leaves, inBag)
  return grown
}

/** Packs this round's gradients; the scales keep both sums of all rows inside their 32 bits. */
function quantise({ memory, data, random }: Growth): Units {
  const { kernels, buffer, layout } = memory
  const { rowCount } = data.rows
  const { scores, labels, weights, pairs, sums } = layout
  kernels.gbdtGradients(scores, labels, weights, rowCount, pairs, sums)
  const [gradientSum, hessianSum] = new Float64Array(buffer, sums, 2)
  const room = SUM_MAX - rowCount
  const gradientScale = room / Math.max(gradientSum, 1e-9)
  const hessianScale = room / Math.max(hessianSum, 1e-9)
  const seed = Math.floor(random() * 2 ** 32)
  kernels.gbdtQuantise(pairs, rowCount, gradientScale, hessianScale, seed)
  return { gradient: 1 / gradientScale, hessian: 1 / hessianScale }
}

/** Fills the row list with the rows this tree learns from, and says how many. */
function listRows({ memory, data, params, random }: Growth): number {
  const rows = new Uint32Array(memory.buffer, memory.layout.rows, data.rows.rowCount)
  let count = 0
  for (let i = 0; i < rows.length; i++) {
    if (params.rowRatio >= 1 || random() < params.rowRatio) rows[count++] = i
  }
  return count
}

function drawFeatures({ memory, data, params, random }: Growth): void {
  const mask = new Uint8Array(memory.buffer, memory.layout.mask, data.rows.featureCount)
  const wanted = Math.max(1, Math.round(params.featureRatio * mask.length))
  let needed = wanted
  for (let f = 0; f < mask.length; f++) {
    const take = random() * (mask.length - f) < needed
    mask[f] = take ? 1 : 0
    if (take) needed--
  }
}

function bestLeaf(leaves: readonly Leaf[]): number {
  let best = -1
  for (const [i, leaf] of leaves.entries()) {
    if (leaf.gain > GAIN_MIN && (best < 0 || leaf.gain > leaves[best].gain)) best = i
  }
  return best
}

function fillHistogram(growth: Growth, from: number, count: number, histogram: number): void {
  const { kernels, layout } = growth.memory
  const { stride } = growth.data.rows
  kernels.gbdtHistogram(layout.bins, stride, layout.rows + from * 4, count, layout.pairs, histogram)
}

function openLeaf(
  { memory, data, params }: Growth,
  units: Units,
  place: Pick<Leaf, 'node' | 'from' | 'count' | 'histogram'>,
): Leaf {
  const { kernels, buffer, layout } = memory
  kernels.gbdtSplit(
    place.histogram,
    data.rows.featureCount,
    layout.mask,
    units.gradient,
    units.hessian,
    params.hessianMin,
    params.rowsMin / place.count,
    params.l2,
    layout.out,
  )
  const read = new DataView(buffer, layout.out, 40)
  return {
    ...place,
    gain: read.getFloat64(0, true),
    gradient: read.getFloat64(8, true),
    hessian: read.getFloat64(16, true),
    feature: read.getInt32(24, true),
    bin: read.getInt32(28, true),
    missingLeft: read.getInt32(32, true),
  }
}

function splitLeaf(
  growth: Growth,
  units: Units,
  tree: TreeBuilder,
  leaf: Leaf,
  leafCount: number,
): readonly [Leaf, Leaf] {
  const { kernels, layout } = growth.memory
  const { stride } = growth.data.rows
  const { from, count, feature, bin, missingLeft } = leaf
  const rows = layout.rows + from * 4
  const toLeft = kernels.gbdtPartition(
    layout.bins,
    stride,
    feature,
    bin,
    missingLeft,
    rows,
    count,
    layout.spare,
  )
  const toRight = count - toLeft
  const [left, right] = tree.split(leaf)
  const fresh = layout.histograms + leafCount * layout.histogramBytes
  const leftIsSmall = toLeft <= toRight
  if (leftIsSmall) fillHistogram(growth, from, toLeft, fresh)
  else fillHistogram(growth, from + toLeft, toRight, fresh)
  kernels.gbdtSubtract(leaf.histogram, fresh, stride)
  const leftPlace = { node: left, from, count: toLeft }
  const rightPlace = { node: right, from: from + toLeft, count: toRight }
  return [
    openLeaf(growth, units, { ...leftPlace, histogram: leftIsSmall ? fresh : leaf.histogram }),
    openLeaf(growth, units, { ...rightPlace, histogram: leftIsSmall ? leaf.histogram : fresh }),
  ]
}

/** Rows of the bag are still listed by leaf; the others and the validation rows walk the tree. */
function addToScores(
  { memory, data }: Growth,
  tree: Tree,
  leaves: readonly Leaf[],
  inBag: number,
): void {
  const { kernels, layout } = memory
  const { rowCount, stride } = data.rows
  writeTree(memory, tree)
  if (inBag === rowCount) {
    for (const { node, from, count } of leaves) {
      kernels.gbdtAddLeaf(layout.scores, layout.rows + from * 4, count, tree.value[node])
    }
  } else kernels.gbdtAddTree(layout.bins, stride, rowCount, layout.tree, layout.scores)
  if (data.validation === null) return
  const validationCount = data.validation.rowCount
  const { validationBins, validationScores } = layout
  kernels.gbdtAddTree(validationBins, stride, validationCount, layout.tree, validationScores)
}

class TreeBuilder {
  readonly #data: BoostData
  readonly #feature: number[] = []
  readonly #threshold: number[] = []
  readonly #bin: number[] = []
  readonly #missingLeft: number[] = []
  readonly #left: number[] = []
  readonly #right: number[] = []
  readonly #value: number[] = []

  constructor(data: BoostData) {
    this.#data = data
  }

  /** A new leaf. */
  add(): number {
    for (const column of [this.#threshold, this.#bin, this.#missingLeft, this.#left]) column.push(0)
    this.#right.push(0)
    this.#value.push(0)
    return this.#feature.push(-1) - 1
  }

  split({ node, feature, bin, missingLeft }: Leaf): readonly [number, number] {
    const left = this.add()
    const right = this.add()
    this.#feature[node] = feature
    this.#threshold[node] = binLimit(this.#data.bounds[feature], bin)
    this.#bin[node] = bin
    this.#missingLeft[node] = missingLeft
    this.#left[node] = left
    this.#right[node] = right
    return [left, right]
  }

  setLeaf(node: number, value: number): void {
    this.#value[node] = Math.fround(value)
  }

  done(): Tree {
    return {
      feature: Int32Array.from(this.#feature),
      threshold: Float32Array.from(this.#threshold),
      bin: Uint8Array.from(this.#bin),
      missingLeft: Uint8Array.from(this.#missingLeft),
      left: Int32Array.from(this.#left),
      right: Int32Array.from(this.#right),
      value: Float32Array.from(this.#value),
    }
  }
}
