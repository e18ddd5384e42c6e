/**
 * The trainer's own WASM instance: rows, gradients and histograms in one linear memory, laid out once
 * and sized to the data. Nothing grows while training, so the views stay valid.
 */
import type { BinnedRows } from './bins.ts'
import { openArena, type BoostKernels } from './boost-kernels.ts'
import { outputCount, type BoostData, type BoostParams } from './boost-params.ts'
import type { Tree } from './booster.ts'

const HISTOGRAM_BYTES = 2_048
export const NODE_BYTES = 24
/** Rows that the histogram kernel fetches together, 16 bytes each. */
const BLOCK_BYTES = 16_384
/** For copies of single features, beside which a split costs a fraction of what it does in the rows. */
const COLUMN_BYTES_MAX = 64 * 2 ** 20
/** A tree with categories is written down with more nodes than it has leaves: see tree-builder.ts. */
export const NODES_MAX = 65_536

/** Byte addresses. */
export interface BoostLayout {
  readonly labels: number
  /** f32; of a regression. */
  readonly targets: number
  readonly weights: number
  /** f64, one after the other for each class. */
  readonly scores: number
  /** f64, likewise; of `softmax`. */
  readonly probabilities: number
  readonly pairs: number
  readonly rows: number
  readonly spare: number
  readonly block: number
  readonly columns: number
  readonly columnCount: number
  readonly histograms: number
  readonly histogramBytes: number
  readonly features: number
  readonly settings: number
  readonly tree: number
  readonly out: number
  readonly sums: number
}

export interface BoostMemory {
  readonly kernels: BoostKernels
  readonly buffer: ArrayBuffer
  readonly bins: number
  readonly layout: BoostLayout
}

/** ServiceError HISTORY_INVALID when the rows do not fit into 4 GiB. */
export function openBoostMemory(
  module: WebAssembly.Module,
  data: BoostData,
  params: BoostParams,
): BoostMemory {
  const { rows } = data
  const arena = openArena(module, rows, (take) => layOut(rows, params, take))
  const { kernels, bins, layout, memory } = arena
  const { buffer } = memory
  const { rowCount } = rows
  new Uint8Array(buffer, layout.labels, rowCount).set(rows.labels)
  new Float32Array(buffer, layout.weights, rowCount).set(rows.weights)
  if (rows.targets !== undefined) {
    new Float32Array(buffer, layout.targets, rowCount).set(rows.targets)
  }
  return { kernels, buffer, bins, layout }
}

function layOut(
  { rowCount, stride, featureCount, targets }: BinnedRows,
  params: BoostParams,
  take: (bytes: number) => number,
): BoostLayout {
  const histogramBytes = stride * HISTOGRAM_BYTES
  const outputs = outputCount(params)
  const columnCount = Math.min(featureCount, Math.floor(COLUMN_BYTES_MAX / rowCount))
  return {
    labels: take(rowCount),
    targets: take(targets === undefined ? 0 : rowCount * 4),
    weights: take(rowCount * 4),
    scores: take(outputs * rowCount * 8),
    probabilities: take(outputs === 1 ? 0 : outputs * rowCount * 8),
    pairs: take(rowCount * 8),
    rows: take(rowCount * 4 + 4),
    spare: take(rowCount * 4 + 4),
    block: take(BLOCK_BYTES),
    columns: take(columnCount * rowCount),
    columnCount,
    histograms: take(params.leavesMax * histogramBytes),
    histogramBytes,
    features: take(stride * 3),
    settings: take(64),
    tree: take(NODES_MAX * NODE_BYTES),
    out: take(64),
    sums: take(16),
  }
}

/** Writes a tree where `gbdtAddTree` reads it. */
export function writeTree(buffer: ArrayBuffer, at: number, tree: Tree): void {
  const view = new DataView(buffer, at, tree.feature.length * NODE_BYTES)
  for (let node = 0; node < tree.feature.length; node++) {
    const from = node * NODE_BYTES
    view.setInt32(from, tree.feature[node], true)
    view.setUint16(from + 4, tree.bin[node], true)
    view.setUint16(from + 6, tree.missingLeft[node], true)
    view.setInt32(from + 8, tree.left[node], true)
    view.setInt32(from + 12, tree.right[node], true)
    view.setFloat64(from + 16, tree.value[node], true)
  }
}
