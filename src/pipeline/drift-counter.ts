/** Counts rows by the bins of a model's reference, a window at a time: what drift is measured from. */
import type { BinnedRows, DriftCounts } from '../core/model-life.ts'
import type { Distribution, ModelReference } from '../core/model.ts'
import type { FeatureRows } from '../state/table-views.ts'

/** Nodes of a class in a partition whose rows are counted. */
const NODES_MAX = 4_096
/** Of each node in each window: more rows of one node would say the same again. */
const ROWS_PER_NODE = 32

interface Column {
  readonly name: string
  /** In the feature matrix. */
  readonly at: number
  readonly bounds: Float64Array
  readonly shares: readonly number[]
  counts: Uint32Array
}

export class DriftCounter {
  readonly #windowMs: number
  readonly #intervalMs: number
  readonly #step: number
  readonly #referenceNodeCount: number
  readonly #score: Column
  readonly #features: readonly Column[]
  #seen = new Uint8Array(NODES_MAX)
  #window = -1

  constructor(
    { nodeCount, score, features }: ModelReference,
    options: {
      readonly windowMs: number
      readonly intervalMs: number
      readonly featureNames: readonly string[]
    },
  ) {
    const { windowMs, intervalMs, featureNames } = options
    this.#windowMs = windowMs
    this.#intervalMs = intervalMs
    this.#step = Math.max(1, Math.floor(windowMs / intervalMs / ROWS_PER_NODE))
    this.#referenceNodeCount = Math.max(1, nodeCount)
    this.#score = columnOf('score', -1, score)
    this.#features = featureNames.flatMap((name, at) => {
      const distribution = features[name]
      return distribution === undefined ? [] : [columnOf(name, at, distribution)]
    })
  }

  /** Those grid rows whose turn it is. */
  take({ count, node, atMs, trigger, matrix }: FeatureRows, probability: Float32Array): void {
    const width = matrix.length / count
    for (let row = 0; row < count; row++) {
      const index = node[row]
      if (trigger[row] !== 0 || index >= NODES_MAX) continue
      if ((Math.floor(atMs[row] / this.#intervalMs) + index) % this.#step !== 0) continue
      this.#seen[index] = 1
      add(this.#score, probability[row])
      for (const column of this.#features) add(column, matrix[row * width + column.at])
    }
  }

  /** The window that has just ended, once; null within a window and before the first. */
  ended(nowMs: number): DriftCounts | null {
    const window = Math.floor(nowMs / this.#windowMs)
    if (window === this.#window) return null
    const isFirst = this.#window < 0
    const ended: DriftCounts = {
      window: this.#window,
      nodeCount: this.#seen.reduce((sum, seen) => sum + seen, 0),
      referenceNodeCount: this.#referenceNodeCount,
      score: handOut(this.#score),
      features: this.#features.map(handOut),
    }
    this.#window = window
    this.#seen = new Uint8Array(NODES_MAX)
    // The first window began before the model did.
    return isFirst ? null : ended
  }
}

function columnOf(name: string, at: number, { bounds, shares }: Distribution): Column {
  const counts = new Uint32Array(shares.length)
  return { name, at, bounds: Float64Array.from(bounds), shares, counts }
}

function add({ bounds, counts }: Column, value: number): void {
  if (Number.isNaN(value)) {
    counts[counts.length - 1]++
    return
  }
  let bin = 0
  while (bin < bounds.length && value > bounds[bin]) bin++
  counts[bin]++
}

function handOut(column: Column): BinnedRows {
  const { name, counts, shares } = column
  column.counts = new Uint32Array(counts.length)
  return { name, counts: [...counts], expected: shares }
}
