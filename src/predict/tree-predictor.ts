/**
 * A model of ours on the tree kernel. ONNX Runtime is its oracle: the kernel is used only where both
 * say the same on rows made to be hard, and everywhere else ONNX Runtime serves.
 */
import { type Calibration, logOddsOf } from '../core/calibration.ts'
import { assert } from '../core/errors.ts'
import type { ModelCard } from '../core/model.ts'
import { isWithinGap } from './onnx-run.ts'
import { readEnsemble, type TreeEnsemble } from './onnx-trees.ts'
import { PROBE_ROWS, probeRows } from './probe-rows.ts'
import type { Predictor, Scores } from './session.ts'
import { TreeKernel } from './tree-kernel.ts'

const GAP_MAX = 1e-6

/**
 * Null where the model is foreign, too large for the kernel, or scored otherwise than by `oracle`.
 * Margins are compared where the model gives its own (`isMarginGiven`).
 */
export async function createTreePredictor(
  module: WebAssembly.Module,
  onnx: Uint8Array,
  oracle: Predictor,
  { isMarginGiven = true } = {},
): Promise<Predictor | null> {
  const { card } = oracle
  const width = card.features.length
  const read = readEnsemble(onnx, width)
  if (!read.ok) return null
  const kernel = TreeKernel.create(module, read.ensemble, width)
  if (kernel === null) return null
  const predictor = new TreePredictor(card, read.ensemble, kernel)
  const rows = probeRows(read.ensemble.trees, width)
  const [ours, theirs] = [
    await predictor.predict(rows, PROBE_ROWS),
    await oracle.predict(rows, PROBE_ROWS),
  ]
  const agree =
    isWithinGap(ours.probability, theirs.probability, GAP_MAX) &&
    (!isMarginGiven || isWithinGap(ours.margin, theirs.margin, GAP_MAX))
  return agree ? predictor : null
}

class TreePredictor implements Predictor {
  readonly card: ModelCard
  readonly provider = 'wasm'
  readonly #kernel: TreeKernel
  readonly #calibration: Calibration

  constructor(card: ModelCard, { calibration }: TreeEnsemble, kernel: TreeKernel) {
    this.card = card
    this.#kernel = kernel
    this.#calibration = calibration
  }

  /** Each row is copied once, into the kernel's memory. */
  async predict(matrix: Float32Array, rowCount: number): Promise<Scores> {
    const width = this.card.features.length
    assert(matrix.length >= rowCount * width, 'the matrix is smaller than rows × features')
    const margin = new Float32Array(rowCount)
    this.#kernel.score(matrix, rowCount, margin)
    return { probability: margin.map((value) => this.#calibrate(value)), margin }
  }

  /** As the model's nodes, rounded to float32 after each. */
  #calibrate(margin: number): number {
    return 1 / (1 + Math.exp(-logOddsOf(this.#calibration, margin, Math.fround)))
  }

  async dispose(): Promise<void> {
    // The memory goes with the last reference to it.
  }
}
