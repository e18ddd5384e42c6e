/**
 * How the rows of training lay, for drift to be measured against: features by about ten bins of equal
 * share on the fit slice, the score on slices that the trees have not seen. What grows with a node's
 * age by itself (age, times since a date, running maxima) would drift without any cause and is left out.
 */
import type { Distribution, ModelReference } from '../src/core/model.ts'
import type { NodeClass } from '../src/core/node.ts'
import type { Bounds, BinnedRows } from './bins.ts'

const BINS = 10
/** As bins.ts: values take 0..254. */
const MISSING_BIN = 255

export interface ReferenceRows {
  readonly nodeClass: NodeClass
  readonly featureNames: readonly string[]
  readonly bounds: Bounds
  readonly rows: BinnedRows
  /** Of each row of `rows`. */
  readonly nodes: Uint32Array
  /** Probabilities of other rows, and their nodes. */
  readonly scores: ArrayLike<number>
  readonly scoreNodes: Uint32Array
}

export function referenceOf(of: ReferenceRows): ModelReference {
  const { nodeClass, featureNames, bounds, rows, nodes, scores, scoreNodes } = of
  const features: Record<string, Distribution> = {}
  for (const [feature, name] of featureNames.entries()) {
    if (growsByItself(nodeClass, name)) continue
    features[name] = featureDistribution(rows, feature, bounds[feature])
  }
  const nodeCount = Math.min(new Set(nodes).size, new Set(scoreNodes).size)
  return { nodeCount, score: scoreDistribution(Float64Array.from(scores)), features }
}

function growsByItself({ attributes }: NodeClass, name: string): boolean {
  const since = attributes.filter(({ kind }) => kind === 'since').map((a) => `${a.name}.hours`)
  return name === 'age.hours' || name.endsWith('.max') || since.includes(name)
}

/** Neighbouring bins of training are taken together until they hold a tenth of the rows. */
function featureDistribution(
  { rowCount, stride, bins, weights }: BinnedRows,
  feature: number,
  upper: Float32Array,
): Distribution {
  const counts = new Float64Array(MISSING_BIN + 1)
  let total = 0
  for (let row = 0; row < rowCount; row++) {
    counts[bins[row * stride + feature]] += weights[row]
    total += weights[row]
  }
  return grouped([...upper], [...counts.subarray(0, upper.length + 1)], counts[MISSING_BIN], total)
}

function scoreDistribution(scores: Float64Array): Distribution {
  const sorted = scores.sort()
  const upper = [...new Set(sorted)].slice(0, -1)
  const counts = Array.from({ length: upper.length + 1 }, () => 0)
  let bin = 0
  for (const score of sorted) {
    while (bin < upper.length && score > upper[bin]) bin++
    counts[bin]++
  }
  return grouped(upper, counts, 0, sorted.length)
}

/** `counts` has one more than `upper`: what is above the last bound. */
function grouped(
  upper: readonly number[],
  counts: readonly number[],
  missing: number,
  total: number,
): Distribution {
  const bounds: number[] = []
  const shares: number[] = []
  let count = 0
  for (const [bin, bound] of upper.entries()) {
    count += counts[bin]
    const isFull = count >= (total - missing) / BINS || counts[bin + 1] >= (total - missing) / BINS
    if (!isFull || count === 0) continue
    bounds.push(bound)
    shares.push(count / total)
    count = 0
  }
  shares.push((count + (counts.at(-1) ?? 0)) / total, missing / total)
  return { bounds, shares }
}
