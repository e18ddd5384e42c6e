/**
 * Bins: each feature's values become one byte, so that a histogram has 256 cells and a row of a
 * hundred features is two cache lines. A bin's upper bound is the tree's threshold later on: it is
 * an f32 at or above every value of the bin and below every value of the next, so `x <= t` in f32
 * (ONNX Runtime) and `bin <= b` (the trainer) always agree.
 */
import { assert } from '../src/core/errors.ts'

const MISSING_BIN = 255
/** Values take bins 0..254. */
const BINS_MAX = 255
/** Between them. */
export const BOUNDS_MAX = BINS_MAX - 1
/** The largest finite f32. */
export const F32_MAX = 3.4028234663852886e38

/** Per feature the rising upper bounds of all bins but the last, which takes everything above. */
export type Bounds = readonly Float32Array[]

/** Binned rows with labels. `bins` is row-major, `stride` bytes a row. */
export interface BinnedRows {
  readonly rowCount: number
  readonly featureCount: number
  readonly stride: number
  /** A view: read it anew after the rows were trained on or scored, which may move it. */
  readonly bins: Uint8Array
  /** 1: fails within the horizon. Where classes are told apart, the number of the class. */
  readonly labels: Uint8Array
  /** 0: the row is not learned from, and has a margin all the same. */
  readonly weights: Float32Array
  /** What a regression learns, in the place of labels. */
  readonly targets?: Float32Array
  /**
   * Where the bins lie at STATIC_BYTES of a memory whose rest is free: training and scoring then work
   * in place, and there is no second copy of the rows.
   */
  readonly memory?: WebAssembly.Memory
}

/** Bytes of a row: the kernels read eight features at a time. */
export function strideOf(featureCount: number): number {
  return Math.max(8, (featureCount + 7) & ~7)
}

/**
 * Bounds from a sample of rows, float32 row-major. Frequent values get a bin of their own. Those in
 * `fixed`, where there are any, are among them: they are the thresholds of trees that are there already.
 */
export function findBounds(
  matrix: Float32Array,
  featureCount: number,
  binsMax = BINS_MAX,
  fixed: Bounds = [],
): Bounds {
  assert(binsMax >= 2 && binsMax <= BINS_MAX && matrix.length % featureCount === 0)
  const rowCount = matrix.length / featureCount
  const bounds: Float32Array[] = []
  const column = new Float32Array(rowCount)
  for (let f = 0; f < featureCount; f++) {
    let count = 0
    for (let r = 0; r < rowCount; r++) {
      const value = matrix[r * featureCount + f]
      if (!Number.isNaN(value)) column[count++] = value
    }
    const free = binsMax - (fixed[f]?.length ?? 0)
    const found = free < 2 ? [] : boundsOf(column.slice(0, count).sort(), free)
    bounds.push(Float32Array.from(new Set([...found, ...(fixed[f] ?? [])])).sort())
  }
  return bounds
}

function boundsOf(sorted: Float32Array, binsMax: number): Float32Array {
  const values: number[] = []
  const counts: number[] = []
  for (const value of sorted) {
    if (value === values.at(-1)) counts[counts.length - 1]++
    else {
      values.push(value)
      counts.push(1)
    }
  }
  const bounds: number[] = []
  let restCount = sorted.length
  let filled = 0
  for (let i = 0; i + 1 < values.length && bounds.length < binsMax - 1; i++) {
    filled += counts[i]
    restCount -= counts[i]
    const binsLeft = binsMax - bounds.length
    const roomForEach = values.length - i <= binsLeft
    const share = (filled + restCount) / binsLeft
    if (roomForEach || filled >= share || counts[i + 1] >= share) {
      bounds.push(between(values[i], values[i + 1]))
      filled = 0
    }
  }
  return Float32Array.from(bounds)
}

/** An f32 t with low <= t < high: the middle, rounded down. */
export function between(low: number, high: number): number {
  const middle = Math.fround(low / 2 + high / 2)
  return middle >= high || middle < low ? low : middle
}

/** The threshold of a split after `bin`. The last bin has no bound: every number goes left. */
export function binLimit(bounds: Float32Array, bin: number): number {
  return bounds[bin] ?? F32_MAX
}

/** The bin of one value: how many bounds lie below it. */
export function binOf(bounds: Float32Array, value: number): number {
  if (Number.isNaN(value)) return MISSING_BIN
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (bounds[middle] < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Bins `rowCount` rows of `matrix` into `bins`, from row `at` on. */
function binRows(
  matrix: Float32Array,
  rowCount: number,
  bounds: Bounds,
  bins: Uint8Array,
  at: number,
): void {
  const featureCount = bounds.length
  const stride = strideOf(featureCount)
  for (let r = 0; r < rowCount; r++) {
    const from = r * featureCount
    const to = (at + r) * stride
    for (let f = 0; f < featureCount; f++) bins[to + f] = binOf(bounds[f], matrix[from + f])
  }
}

/** Binned rows of a whole matrix: for small data and tests. */
export function toBinnedRows(
  matrix: Float32Array,
  labels: Uint8Array,
  bounds: Bounds,
  weights: Float32Array = new Float32Array(labels.length).fill(1),
): BinnedRows {
  const featureCount = bounds.length
  const stride = strideOf(featureCount)
  const bins = new Uint8Array(labels.length * stride)
  binRows(matrix, labels.length, bounds, bins, 0)
  return { rowCount: labels.length, featureCount, stride, bins, labels, weights }
}
