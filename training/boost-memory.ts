/**
 * The trainer's own WASM instance: rows, gradients and histograms in one linear memory, laid out
 * once and sized to the data. Nothing grows while training, so the views stay valid.
 */
import { assert, ServiceError } from '../src/core/errors.ts'
import type { BinnedRows } from './bins.ts'
import type { Tree } from './booster.ts'

const PAGE_BYTES = 65_536
const PAGES_MAX = 65_536
/** Kernels keep their static data below this. */
const STATIC_BYTES = 1 << 20
const HISTOGRAM_BYTES = 2_048
const NODE_BYTES = 24

/** The exports of wasm/assembly/gbdt.ts. */
export interface BoostKernels {
  gbdtGradients(
    scores: number,
    labels: number,
    weights: number,
    rowCount: number,
    pairs: number,
    sums: number,
  ): void
  gbdtQuantise(
    pairs: number,
    rowCount: number,
    gradientScale: number,
    hessianScale: number,
    seed: number,
  ): void
  gbdtHistogram(
    bins: number,
    stride: number,
    rows: number,
    rowCount: number,
    pairs: number,
    histogram: number,
  ): number
  gbdtSubtract(parent: number, child: number, stride: number): void
  gbdtSplit(
    histogram: number,
    featureCount: number,
    mask: number,
    gradientUnit: number,
    hessianUnit: number,
    hessianMin: number,
    shareMin: number,
    l2: number,
    out: number,
  ): void
  gbdtPartition(
    bins: number,
    stride: number,
    feature: number,
    bin: number,
    missingLeft: number,
    rows: number,
    rowCount: number,
    spare: number,
  ): number
  gbdtAddLeaf(scores: number, rows: number, rowCount: number, value: number): void
  gbdtAddTree(bins: number, stride: number, rowCount: number, tree: number, scores: number): void
}

/** Byte addresses. */
export interface BoostLayout {
  readonly bins: number
  readonly validationBins: number
  readonly labels: number
  readonly weights: number
  readonly scores: number
  readonly validationScores: number
  readonly pairs: number
  readonly rows: number
  readonly spare: number
  readonly histograms: number
  readonly histogramBytes: number
  readonly mask: number
  readonly tree: number
  readonly out: number
  readonly sums: number
}

export interface BoostMemory {
  readonly kernels: BoostKernels
  readonly buffer: ArrayBuffer
  readonly layout: BoostLayout
}

/** Copies the rows in. ServiceError HISTORY_INVALID when they do not fit into 4 GB. */
export function openBoostMemory(
  module: WebAssembly.Module,
  rows: BinnedRows,
  validation: BinnedRows | null,
  leavesMax: number,
): BoostMemory {
  assert(validation === null || validation.stride === rows.stride)
  let top = STATIC_BYTES
  const layout = layOut(rows, validation, leavesMax, (bytes) => {
    const at = top
    top = Math.ceil((top + bytes) / 64) * 64
    return at
  })
  const pageCount = Math.ceil(top / PAGE_BYTES)
  if (pageCount >= PAGES_MAX) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${rows.rowCount} rows of ${rows.featureCount} features need ${(top / 2 ** 30).toFixed(1)} GB, and WebAssembly has 4: keep a smaller share of the negatives (\`negatives\` in the history manifest)`,
    )
  }
  const memory = new WebAssembly.Memory({ initial: pageCount })
  const env = { memory, abort: () => assert(false, 'a kernel aborted') }
  const instance = new WebAssembly.Instance(module, { env })
  const { buffer } = memory
  new Uint8Array(buffer, layout.bins).set(rows.bins.subarray(0, rows.rowCount * rows.stride))
  if (validation !== null) new Uint8Array(buffer, layout.validationBins).set(validation.bins)
  new Uint8Array(buffer, layout.labels).set(rows.labels)
  new Float32Array(buffer, layout.weights, rows.rowCount).set(rows.weights)
  // The module is ours and built with these exports; a test calls each of them.
  const kernels = instance.exports as unknown as BoostKernels
  return { kernels, buffer, layout }
}
function layOut(
  rows: BinnedRows,
  validation: BinnedRows | null,
  leavesMax: number,
  take: (bytes: number) => number,
): BoostLayout {
  const histogramBytes = rows.stride * HISTOGRAM_BYTES
  return {
    bins: take(rows.bins.length),
    validationBins: take(validation?.bins.length ?? 0),
    labels: take(rows.rowCount),
    weights: take(rows.rowCount * 4),
    scores: take(rows.rowCount * 8),
    validationScores: take((validation?.rowCount ?? 0) * 8),
    pairs: take(rows.rowCount * 8),
    rows: take(rows.rowCount * 4 + 4),
    spare: take(rows.rowCount * 4 + 4),
    histograms: take(leavesMax * histogramBytes),
    histogramBytes,
    mask: take(rows.stride),
    tree: take(leavesMax * 2 * NODE_BYTES),
    out: take(64),
    sums: take(16),
  }
}

/** Writes a tree where `gbdtAddTree` reads it. */
export function writeTree({ buffer, layout }: BoostMemory, tree: Tree): void {
  const view = new DataView(buffer, layout.tree, tree.feature.length * NODE_BYTES)
  for (let node = 0; node < tree.feature.length; node++) {
    const at = node * NODE_BYTES
    view.setInt32(at, tree.feature[node], true)
    view.setUint16(at + 4, tree.bin[node], true)
    view.setUint16(at + 6, tree.missingLeft[node], true)
    view.setInt32(at + 8, tree.left[node], true)
    view.setInt32(at + 12, tree.right[node], true)
    view.setFloat64(at + 16, tree.value[node], true)
  }
}
