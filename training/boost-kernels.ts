/** The exports of wasm/assembly/gbdt*.ts, and where in a memory they work. Pointers are byte addresses. */
import { assert, ServiceError } from '../src/core/errors.ts'
import type { BinnedRows } from './bins.ts'

export interface BoostKernels {
  gbdtLogistic(
    scores: number,
    labels: number,
    weights: number,
    rowCount: number,
    pairs: number,
    sums: number,
  ): void
  gbdtSquared(
    scores: number,
    targets: number,
    weights: number,
    rowCount: number,
    pairs: number,
    sums: number,
  ): void
  gbdtSoftmax(scores: number, rowCount: number, classCount: number, probabilities: number): void
  gbdtClass(
    probabilities: number,
    labels: number,
    weights: number,
    rowCount: number,
    classNumber: number,
    classCount: number,
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
    block: number,
  ): number
  gbdtSubtract(parent: number, child: number, stride: number): void
  gbdtSplit(
    histogram: number,
    featureCount: number,
    features: number,
    settings: number,
    out: number,
  ): void
  gbdtColumn(bins: number, stride: number, feature: number, rowCount: number, column: number): void
  gbdtPartition(
    column: number,
    stride: number,
    first: number,
    span: number,
    missingLeft: number,
    rows: number,
    rowCount: number,
    spare: number,
  ): number
  gbdtAddLeaf(scores: number, rows: number, rowCount: number, value: number): void
  gbdtWeight(weights: number, rows: number, rowCount: number): number
  gbdtAddTree(bins: number, stride: number, rowCount: number, tree: number, scores: number): void
}

/** Kernels keep their static data below this; bins that lie in a memory of their own begin here. */
export const STATIC_BYTES = 1 << 20
export const PAGE_BYTES = 65_536
/** 4 GiB. */
export const PAGES_MAX = 65_536

export interface Arena<Layout> {
  readonly kernels: BoostKernels
  readonly memory: WebAssembly.Memory
  /** Address of the rows' bins. */
  readonly bins: number
  readonly layout: Layout
}

/**
 * An instance of the kernels over rows, with room for what `plan` takes. Rows with a memory of their
 * own are worked on where they lie and whatever was laid over them before is gone; others are copied
 * in. ServiceError HISTORY_INVALID when it does not fit into 4 GiB.
 */
export function openArena<Layout>(
  module: WebAssembly.Module,
  rows: BinnedRows,
  plan: (take: (bytes: number) => number) => Layout,
): Arena<Layout> {
  let top = STATIC_BYTES
  const take = (bytes: number): number => {
    const at = top
    top = Math.ceil((top + bytes) / 64) * 64
    return at
  }
  const bins = take(rows.rowCount * rows.stride)
  const layout = plan(take)
  const pageCount = Math.ceil(top / PAGE_BYTES)
  if (pageCount > PAGES_MAX) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `${rows.rowCount} rows of ${rows.featureCount} features need ${(top / 2 ** 30).toFixed(1)} GB, and WebAssembly has 4: keep a smaller share of the negatives (\`negatives\` in the history manifest)`,
    )
  }
  const memory = memoryFor(rows, pageCount)
  const env = { memory, abort: () => assert(false, 'a kernel aborted') }
  const instance = new WebAssembly.Instance(module, { env })
  // The module is ours and built with these exports; tests call each of them.
  const kernels = instance.exports as unknown as BoostKernels
  if (rows.memory === undefined) {
    const used = rows.bins.subarray(0, rows.rowCount * rows.stride)
    new Uint8Array(memory.buffer, bins).set(used)
  }
  return { kernels, memory, bins, layout }
}

function memoryFor({ memory }: BinnedRows, pageCount: number): WebAssembly.Memory {
  if (memory === undefined) return new WebAssembly.Memory({ initial: pageCount })
  const missing = pageCount - memory.buffer.byteLength / PAGE_BYTES
  if (missing > 0) memory.grow(missing)
  return memory
}
