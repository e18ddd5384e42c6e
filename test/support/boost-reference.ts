/**
 * The trainer as one would write it on paper: exact greedy splits over the raw values, floating-point
 * sums, no bins, no histograms. Slow, and what the kernels are held to.
 */
import { between } from '../../training/bins.ts'
import type { BoostData, BoostParams } from '../../training/boost-params.ts'

export interface ReferenceNode {
  readonly rows: readonly number[]
  readonly depth: number
  readonly valueMin: number
  readonly valueMax: number
  split: ReferenceSplit | null
  value: number
}

export interface ReferenceSplit {
  readonly gain: number
  readonly feature: number
  readonly left: ReferenceNode
  readonly right: ReferenceNode
}

export interface Problem extends Pick<BoostData, 'monotone' | 'categorical'> {
  readonly matrix: Float32Array
  readonly labels: Uint8Array
  readonly targets?: Float32Array
  readonly weights: Float32Array
  readonly featureCount: number
}

/** Roots by round and output; `scores`, a column per output, begin at the base margins and are added to. */
export function trainReference(
  problem: Problem,
  params: BoostParams,
  scores: readonly Float64Array[],
): readonly (readonly ReferenceNode[])[] {
  const rounds: ReferenceNode[][] = []
  for (let round = 0; round < params.treesMax; round++) {
    const sums = scores.map((_, output) => gradients(problem, params, scores, output))
    rounds.push(scores.map((column, output) => grow(problem, params, sums[output], column)))
  }
  return rounds
}

interface Sums {
  readonly gradients: Float64Array
  readonly hessians: Float64Array
}

function gradients(
  { labels, targets, weights }: Problem,
  { objective, classCount }: BoostParams,
  scores: readonly Float64Array[],
  output: number,
): Sums {
  const rowCount = scores[0].length
  const sums = { gradients: new Float64Array(rowCount), hessians: new Float64Array(rowCount) }
  for (let i = 0; i < rowCount; i++) {
    let [gradient, hessian] = [0, 1]
    if (objective === 'squared') gradient = scores[0][i] - targets![i]
    if (objective === 'logistic') {
      const p = 1 / (1 + Math.exp(-scores[0][i]))
      gradient = p - labels[i]
      hessian = p * (1 - p)
    }
    if (objective === 'softmax') {
      const total = scores.reduce((sum, column) => sum + Math.exp(column[i]), 0)
      const p = Math.exp(scores[output][i]) / total
      gradient = p - (labels[i] === output ? 1 : 0)
      hessian = (classCount / (classCount - 1)) * p * (1 - p)
    }
    sums.gradients[i] = weights[i] * gradient
    sums.hessians[i] = weights[i] * hessian
  }
  return sums
}

function grow(
  problem: Problem,
  params: BoostParams,
  sums: Sums,
  scores: Float64Array,
): ReferenceNode {
  const all = Array.from(scores, (_, i) => i)
  const root = leaf(all, 0, -Infinity, Infinity)
  const leaves = [{ node: root, best: bestSplit(problem, params, sums, root) }]
  while (leaves.length < params.leavesMax) {
    const next = leaves.reduce((a, b) => ((b.best?.gain ?? 0) > (a.best?.gain ?? 0) ? b : a))
    if (next.best === null) break
    next.node.split = next.best
    leaves.splice(leaves.indexOf(next), 1)
    for (const node of [next.best.left, next.best.right]) {
      leaves.push({ node, best: bestSplit(problem, params, sums, node) })
    }
  }
  for (const { node } of leaves) {
    const value = valueOf(params, sumOf(sums, node.rows), node)
    node.value = Math.fround(params.learningRate * value)
    for (const row of node.rows) scores[row] += node.value
  }
  return root
}

type Sum = readonly [number, number]
type ValueBounds = Pick<ReferenceNode, 'valueMin' | 'valueMax'>

function sumOf({ gradients, hessians }: Sums, rows: readonly number[]): Sum {
  return [
    rows.reduce((sum, row) => sum + gradients[row], 0),
    rows.reduce((sum, row) => sum + hessians[row], 0),
  ]
}

function valueOf({ l1, l2 }: BoostParams, [g, h]: Sum, { valueMin, valueMax }: ValueBounds) {
  const soft = Math.sign(g) * Math.max(0, Math.abs(g) - l1)
  return Math.min(Math.max(-soft / (h + l2), valueMin), valueMax)
}

/** Twice the fall of the loss, with the best value within bounds. */
function worthOf(params: BoostParams, [g, h]: Sum, bounds: ValueBounds): number {
  const value = valueOf(params, [g, h], bounds)
  return -(2 * g * value + (h + params.l2) * value ** 2 + 2 * params.l1 * Math.abs(value))
}

function bestSplit(
  problem: Problem,
  params: BoostParams,
  sums: Sums,
  node: ReferenceNode,
): ReferenceSplit | null {
  if (params.depthMax > 0 && node.depth >= params.depthMax) return null
  const { rows } = node
  const [g, h] = sumOf(sums, rows)
  const least = Math.max(params.hessianMin, (params.rowsMin * h) / rows.length)
  const unsplit = worthOf(params, [g, h], node)
  let best: ReferenceSplit | null = null
  for (const { feature, left } of candidates(problem, rows)) {
    const [gl, hl] = sumOf(sums, left)
    const [gr, hr] = [g - gl, h - hl]
    if (hl < least || hr < least) continue
    const gain = worthOf(params, [gl, hl], node) + worthOf(params, [gr, hr], node) - unsplit
    if (gain <= (best?.gain ?? 1e-9)) continue
    const [low, high] = [valueOf(params, [gl, hl], node), valueOf(params, [gr, hr], node)]
    const sign = problem.monotone?.[feature] ?? 0
    if (sign * (high - low) < 0) continue
    const middle = (low + high) / 2
    const isLeft = new Set(left)
    const right = rows.filter((row) => !isLeft.has(row))
    const depth = node.depth + 1
    const { valueMin, valueMax } = node
    best = {
      gain,
      feature,
      left: leaf(left, depth, sign < 0 ? middle : valueMin, sign > 0 ? middle : valueMax),
      right: leaf(right, depth, sign > 0 ? middle : valueMin, sign < 0 ? middle : valueMax),
    }
  }
  return best
}

/** Every way to part the rows, in the order in which the first of equals wins. */
function* candidates(
  { matrix, featureCount, categorical }: Problem,
  rows: readonly number[],
): Generator<{ readonly feature: number; readonly left: readonly number[] }> {
  for (let feature = 0; feature < featureCount; feature++) {
    const value = (row: number) => matrix[row * featureCount + feature]
    const present = [...new Set(rows.map(value).filter((v) => !Number.isNaN(v)))].sort(
      (a, b) => a - b,
    )
    const missing = rows.filter((row) => Number.isNaN(value(row)))
    if (categorical?.[feature] === true) {
      for (const one of present) yield { feature, left: rows.filter((row) => value(row) === one) }
      if (missing.length > 0) yield { feature, left: missing }
      continue
    }
    for (const [i, one] of present.entries()) {
      const threshold = i + 1 < present.length ? between(one, present[i + 1]) : one
      const left = rows.filter((row) => value(row) <= threshold)
      yield { feature, left }
      if (missing.length > 0) yield { feature, left: [...left, ...missing] }
    }
  }
}

function leaf(
  rows: readonly number[],
  depth: number,
  valueMin: number,
  valueMax: number,
): ReferenceNode {
  return { rows, depth, valueMin, valueMax, split: null, value: 0 }
}
