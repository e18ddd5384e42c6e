/** What the kernel of a node table hands out: the rows that are ready, and what it has counted. */
import type { Kernel } from './kernel.ts'

/** All are views on WASM memory, valid until the next call on the table. */
export interface FeatureRows {
  readonly count: number
  /** Node index per row. */
  readonly node: Uint32Array
  readonly atMs: Float64Array
  /** 0 grid, 1 change. */
  readonly trigger: Uint8Array
  /** float32 [count, featureCount], row-major. Missing is NaN. */
  readonly matrix: Float32Array
  /** Two words a row, the high one first: see row-hash.ts. Worked out when it is asked for. */
  readonly hash: Uint32Array
  /** Two words a row, f32 and u32: see row-deviation.ts. Worked out when it is asked for. */
  readonly deviation: DataView
}

/** Since construction. rows = folded + late + rejected (no usable id or time). */
export interface SampleCounts {
  readonly rows: number
  readonly folded: number
  readonly late: number
  readonly rejected: number
  readonly outOfBounds: number
  readonly unknownColumns: number
}

export function rowsOf(kernel: Kernel, width: number): FeatureRows {
  const { memory, rowsReady, rowNodesPointer, rowTimesPointer } = kernel
  const { rowTriggersPointer, matrixPointer, rowHashes, rowHashesPointer } = kernel
  const { rowDeviations, rowDeviationsPointer } = kernel
  const count = rowsReady()
  const matrix = new Float32Array(memory.buffer, matrixPointer() >>> 0, count * width)
  let hash: Uint32Array | undefined
  let deviation: DataView | undefined
  return {
    count,
    node: new Uint32Array(memory.buffer, rowNodesPointer() >>> 0, count),
    atMs: new Float64Array(memory.buffer, rowTimesPointer() >>> 0, count),
    trigger: new Uint8Array(memory.buffer, rowTriggersPointer() >>> 0, count),
    matrix,
    get hash(): Uint32Array {
      if (hash !== undefined) return hash
      rowHashes()
      hash = new Uint32Array(memory.buffer, rowHashesPointer() >>> 0, count * 2)
      return hash
    },
    get deviation(): DataView {
      if (deviation !== undefined) return deviation
      rowDeviations()
      deviation = new DataView(memory.buffer, rowDeviationsPointer() >>> 0, count * 8)
      return deviation
    },
  }
}

export function countsOf(kernel: Kernel, unknownColumns: number): SampleCounts {
  const [rows, folded, late, rejected, outOfBounds] = [0, 1, 2, 3, 4].map((which) =>
    kernel.countOf(which),
  ) as [number, number, number, number, number]
  return { rows, folded, late, rejected, outOfBounds, unknownColumns }
}
