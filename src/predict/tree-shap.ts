/**
 * Exact TreeSHAP of an ensemble with covers, in an instance of foreshock.wasm of its own: what each feature
 * adds to the margin of a row, over the margin of a row of which nothing is known.
 */
import { assert } from '../core/errors.ts'
import type { TreeEnsemble } from './onnx-trees.ts'
import { placeKernel } from './tree-kernel.ts'
import { planShap, type ShapPlan } from './tree-shap-plan.ts'

export const EXPLAINED_ROWS_PER_CALL_MAX = 32

const CALLS = [
  'layOutShap',
  'shapRowsPointer',
  'shapContributionsPointer',
  'shapTreesPointer',
  'shapSplitsPointer',
  'shapPointsPointer',
  'explainRows',
] as const

export class TreeShap {
  /** `base` and the contributions of a row add up to its margin. */
  readonly base: number
  readonly #featureCount: number
  readonly #explainRows: (count: number) => number
  readonly #rows: Float32Array
  readonly #contributions: Float64Array

  private constructor(module: WebAssembly.Module, plan: ShapPlan, featureCount: number) {
    const { exports, memory } = placeKernel(module, CALLS)
    const { treeCount, splitCount, treeSplits, treePoints, points } = plan
    const rowsMax = EXPLAINED_ROWS_PER_CALL_MAX
    exports.layOutShap(
      featureCount,
      rowsMax,
      treeCount,
      splitCount,
      treeSplits,
      treePoints,
      points.length,
    )
    // Nothing is allocated from here on, so the views stay valid.
    const { buffer } = memory
    new Uint32Array(buffer, exports.shapTreesPointer()).set(plan.trees)
    new Uint8Array(buffer, exports.shapSplitsPointer()).set(plan.splits)
    new Float64Array(buffer, exports.shapPointsPointer()).set(points)
    const values = rowsMax * featureCount
    this.#rows = new Float32Array(buffer, exports.shapRowsPointer(), values)
    this.#contributions = new Float64Array(buffer, exports.shapContributionsPointer(), values)
    this.#explainRows = exports.explainRows
    this.#featureCount = featureCount
    this.base = plan.base
  }

  /** Null where the ensemble has no covers, or is larger than the kernel takes. */
  static create(
    module: WebAssembly.Module,
    ensemble: TreeEnsemble,
    featureCount: number,
  ): TreeShap | null {
    const plan = planShap(ensemble)
    return plan && new TreeShap(module, plan, featureCount)
  }

  /**
   * @param matrix float32 [rows, features], row-major; copied, never kept.
   * @returns float64 [rows, features], owned by the caller.
   */
  explain(matrix: Float32Array, rowCount: number): Float64Array {
    const width = this.#featureCount
    assert(matrix.length >= rowCount * width, 'the matrix is smaller than rows × features')
    const all = new Float64Array(rowCount * width)
    for (let from = 0; from < rowCount; from += EXPLAINED_ROWS_PER_CALL_MAX) {
      const count = Math.min(EXPLAINED_ROWS_PER_CALL_MAX, rowCount - from)
      this.#rows.set(matrix.subarray(from * width, (from + count) * width))
      this.#explainRows(count)
      all.set(this.#contributions.subarray(0, count * width), from * width)
    }
    return all
  }
}
