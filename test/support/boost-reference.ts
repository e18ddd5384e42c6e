/**
 * The trainer as one would write it on paper: exact greedy splits over the raw values, floating-point
 * sums, no bins, no histograms. Slow, and what the kernels are held to.
 */
import { between } from '../../training/bins.ts'
import type { BoostParams } from '../../training/boost.ts'

export interface ReferenceNode {
  readonly rows: readonly number[]
  split: ReferenceSplit | null
  value: number
}

export interface ReferenceSplit {
  readonly gain: number
  readonly feature: number
  readonly threshold: number
  readonly missingLeft: boolean
  readonly left: ReferenceNode
  readonly right: ReferenceNode
}

interface Problem {
  readonly matrix: Float32Array
  readonly labels: Uint8Array
  readonly weights: Float32Array
  readonly featureCount: number
}

/** Roots of the trees; `scores` starts at the base margin and is updated in place. */
export function trainReference(
  problem: Problem,
  params: BoostParams,
  scores: Float64Array,
): readonly ReferenceNode[] {
  const roots: ReferenceNode[] = []
  for (let tree = 0; tree < params.treesMax; tree++) {
    roots.push(growReference(problem, params, scores))
  }
  return roots
}

function growReference(problem: Problem, params: BoostParams, scores: Float64Array): ReferenceNode {
  const gradients = new Float64Array(scores.length)
  const hessians = new Float64Array(scores.length)
  for (let i = 0; i < scores.length; i++) {
    const p = 1 / (1 + Math.exp(-scores[i]))
    gradients[i] = problem.weights[i] * (p - problem.labels[i])
    hessians[i] = problem.weights[i] * p * (1 - p)
  }
  const sums = { gradients, hessians }
  const all = Array.from(scores, (_, i) => i)
  const root: ReferenceNode = { rows: all, split: null, value: 0 }
  const leaves = [{ node: root, best: bestSplit(problem, params, sums, all) }]
  while (leaves.length < params.leavesMax) {
    const next = leaves.reduce((a, b) => ((b.best?.gain ?? 0) > (a.best?.gain ?? 0) ? b : a))
    if (next.best === null) break
    next.node.split = next.best
    leaves.splice(leaves.indexOf(next), 1)
    for (const node of [next.best.left, next.best.right]) {
      leaves.push({ node, best: bestSplit(problem, params, sums, node.rows) })
    }
  }
  for (const { node } of leaves) {
    const [g, h] = sumOf(sums, node.rows)
    node.value = Math.fround((-params.learningRate * g) / (h + params.l2))
    for (const row of node.rows) scores[row] += node.value
  }
  return root
}

interface Sums {
  readonly gradients: Float64Array
  readonly hessians: Float64Array
}

function sumOf({ gradients, hessians }: Sums, rows: readonly number[]): readonly [number, number] {
  return [
    rows.reduce((sum, row) => sum + gradients[row], 0),
    rows.reduce((sum, row) => sum + hessians[row], 0),
  ]
}

function bestSplit(
  problem: Problem,
  params: BoostParams,
  sums: Sums,
  rows: readonly number[],
): ReferenceSplit | null {
  const { matrix, featureCount } = problem
  const [g, h] = sumOf(sums, rows)
  const least = Math.max(params.hessianMin, (params.rowsMin * h) / rows.length)
  let best: ReferenceSplit | null = null
  for (let feature = 0; feature < featureCount; feature++) {
    const value = (row: number) => matrix[row * featureCount + feature]
    const present = [...new Set(rows.map(value).filter((v) => !Number.isNaN(v)))].sort(
      (a, b) => a - b,
    )
    const thresholds = present.map((v, i) =>
      i + 1 < present.length ? between(v, present[i + 1]) : v,
    )
    const sides = rows.some((row) => Number.isNaN(value(row))) ? [false, true] : [false]
    for (const threshold of thresholds) {
      for (const missingLeft of sides) {
        const goesLeft = (row: number) =>
          Number.isNaN(value(row)) ? missingLeft : value(row) <= threshold
        const left = rows.filter(goesLeft)
        const [gl, hl] = sumOf(sums, left)
        const [gr, hr] = [g - gl, h - hl]
        if (hl < least || hr < least) continue
        const gain =
          (gl * gl) / (hl + params.l2) + (gr * gr) / (hr + params.l2) - (g * g) / (h + params.l2)
        if (gain <= (best?.gain ?? 1e-9)) continue
        const right = rows.filter((row) => !goesLeft(row))
        best = { gain, feature, threshold, missingLeft, left: leaf(left), right: leaf(right) }
      }
    }
  }
  return best
}

function leaf(rows: readonly number[]): ReferenceNode {
  return { rows, split: null, value: 0 }
}
