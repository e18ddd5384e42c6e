/**
 * A model of ours on the tree kernel. ONNX Runtime is its oracle: the kernel is used only where both
 * say the same on rows made to be hard, and everywhere else ONNX Runtime serves.
 */
import { assert } from '../core/errors.ts'
import type { ModelCard } from '../core/model.ts'
import { readEnsemble, type TreeEnsemble } from './onnx-trees.ts'
import type { Predictor, Scores } from './session.ts'
import { TreeKernel } from './tree-kernel.ts'

const PROBE_ROWS = 512
const GAP_MAX = 1e-6

/** Null where the model is foreign, too large for the kernel, or scored otherwise than by `oracle`. */
export async function createTreePredictor(
  module: WebAssembly.Module,
  onnx: Uint8Array,
  oracle: Predictor,
): Promise<Predictor | null> {
  const { card } = oracle
  const width = card.features.length
  const read = readEnsemble(onnx, width)
  if (!read.ok) return null
  const kernel = TreeKernel.create(module, read.ensemble, width)
  if (kernel === null) return null
  const predictor = new TreePredictor(card, read.ensemble, kernel)
  const rows = probeRows(read.ensemble, width)
  const [ours, theirs] = [
    await predictor.predict(rows, PROBE_ROWS),
    await oracle.predict(rows, PROBE_ROWS),
  ]
  const agree =
    isWithinGap(ours.margin, theirs.margin) && isWithinGap(ours.probability, theirs.probability)
  return agree ? predictor : null
}

class TreePredictor implements Predictor {
  readonly card: ModelCard
  readonly provider = 'wasm'
  readonly #kernel: TreeKernel
  readonly #slope: number
  readonly #intercept: number

  constructor(card: ModelCard, { slope, intercept }: TreeEnsemble, kernel: TreeKernel) {
    this.card = card
    this.#kernel = kernel
    this.#slope = slope
    this.#intercept = intercept
  }

  /** Each row is copied once, into the kernel's memory. */
  async predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    const width = this.card.features.length
    assert(matrix.length >= rowCount * width, 'the matrix is smaller than rows × features')
    const margin = new Float32Array(rowCount)
    this.#kernel.score(matrix, rowCount, margin)
    return { probability: margin.map((value) => this.#calibrate(value)), margin }
  }

  /** As the model's Mul, Add and Sigmoid, rounded to float32 after each. */
  #calibrate(margin: number): number {
    const logit = Math.fround(Math.fround(margin * this.#slope) + this.#intercept)
    return 1 / (1 + Math.exp(-logit))
  }

  async dispose(): Promise<void> {
    // The memory goes with the last reference to it.
  }
}

/**
 * The same rows for the same model: values on a threshold of their feature, a step beside it or
 * between two, missing, infinite or zero.
 */
function probeRows({ trees }: TreeEnsemble, width: number): Float32Array {
  const thresholds: number[][] = Array.from({ length: width }, () => [0])
  for (const { feature, threshold } of trees) {
    for (const [node, of] of feature.entries()) {
      if (of >= 0) thresholds[of].push(threshold[node])
    }
  }
  const next = sequence()
  const among = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)]
  const rows = new Float32Array(PROBE_ROWS * width)
  for (let i = 0; i < rows.length; i++) {
    const near = thresholds[i % width]
    const value = among(near)
    rows[i] = among([
      value,
      value + Math.abs(value) * 2e-7,
      value - Math.abs(value) * 2e-7,
      (value + among(near)) / 2,
      NaN,
      among([Infinity, -Infinity, -0, 1e-42, value]),
    ])
  }
  return rows
}

/** Numbers 0..1 that look random: a linear congruence, seeded so that every start probes alike. */
function sequence(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** False also where either is not a number. */
function isWithinGap(ours: Float32Array, theirs: Float32Array): boolean {
  return ours.every((value, row) => Math.abs(value - theirs[row]) <= GAP_MAX)
}
