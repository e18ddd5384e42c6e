/**
 * Kernels of the gradient-boosted tree trainer. training/boost.ts lays out the memory and grows the
 * trees; here are the loops over rows. Bins lie row-major, `stride` bytes a row (a multiple of 8), so
 * that one row is one or two cache lines wherever a leaf's rows are scattered. Bin 255 is "missing".
 *
 * Gradient and hessian of a row are integers packed in one i64 (gradient in the upper half, signed;
 * hessian in the lower half, unsigned): one addition accumulates both. The caller chooses the scales
 * so that neither sum over all rows leaves its 32 bits; subtraction then never borrows.
 */

const MISSING: i32 = 255
/** 256 bins × 8 bytes. */
const HISTOGRAM_BYTES: usize = 2048
/** Rows touched ahead of their use, so that their cache misses overlap. */
const BLOCK: i32 = 64

/**
 * Logistic loss: f32 pairs (gradient, hessian), times the row's weight, to `pairs`; the sums of
 * |gradient| and hessian over all rows, f64, to `sums`. Reference: `gradients` in boost-reference.ts.
 */
export function gbdtGradients(
  scores: usize,
  labels: usize,
  weights: usize,
  rowCount: i32,
  pairs: usize,
  sums: usize,
): void {
  let gradientSum: f64 = 0
  let hessianSum: f64 = 0
  for (let i: usize = 0; i < <usize>rowCount; i++) {
    const p: f64 = 1.0 / (1.0 + Math.exp(-load<f64>(scores + (i << 3))))
    const weight = <f64>load<f32>(weights + (i << 2))
    const gradient = weight * (p - <f64>load<u8>(labels + i))
    const hessian = weight * p * (1.0 - p)
    gradientSum += abs(gradient)
    hessianSum += hessian
    store<f32>(pairs + (i << 3), <f32>gradient)
    store<f32>(pairs + (i << 3), <f32>hessian, 4)
  }
  store<f64>(sums, gradientSum)
  store<f64>(sums, hessianSum, 8)
}

/** Turns f32 pairs into packed integers, in place, rounding at random so that sums stay unbiased. */
export function gbdtQuantise(
  pairs: usize,
  rowCount: i32,
  gradientScale: f64,
  hessianScale: f64,
  seed: u32,
): void {
  let state = seed | 1
  for (let i: usize = 0; i < <usize>rowCount; i++) {
    const at = pairs + (i << 3)
    state ^= state << 13
    state ^= state >> 17
    state ^= state << 5
    const up = <f64>(state & 0xffff) / 65536.0
    const gradient = <i64>Math.floor(<f64>load<f32>(at) * gradientScale + up)
    const hessian = <i64>Math.floor(<f64>load<f32>(at, 4) * hessianScale + (1.0 - up))
    store<i64>(at, (gradient << 32) + hessian)
  }
}

function add(histogram: usize, bin: u64, packed: i64): void {
  const at = histogram + ((<usize>bin & 255) << 3)
  store<i64>(at, load<i64>(at) + packed)
}

/** Fills one histogram per feature from the listed rows. The result only keeps the touches alive. */
export function gbdtHistogram(
  bins: usize,
  stride: i32,
  rows: usize,
  rowCount: i32,
  pairs: usize,
  histogram: usize,
): u32 {
  memory.fill(histogram, 0, (<usize>stride) << 11)
  let touched: u32 = 0
  for (let from = 0; from < rowCount; from += BLOCK) {
    const to = min(from + BLOCK, rowCount)
    for (let i = from; i < to; i++) {
      const row = <usize>load<u32>(rows + ((<usize>i) << 2))
      const at = bins + row * <usize>stride
      touched |= load<u32>(at) | load<u32>(pairs + (row << 3)) | load<u8>(at + <usize>stride - 1)
    }
    for (let i = from; i < to; i++) {
      const row = <usize>load<u32>(rows + ((<usize>i) << 2))
      const at = bins + row * <usize>stride
      const packed = load<i64>(pairs + (row << 3))
      let h = histogram
      for (let f: usize = 0; f < <usize>stride; f += 8) {
        const eight = load<u64>(at + f)
        add(h, eight, packed)
        add(h + HISTOGRAM_BYTES, eight >> 8, packed)
        add(h + 2 * HISTOGRAM_BYTES, eight >> 16, packed)
        add(h + 3 * HISTOGRAM_BYTES, eight >> 24, packed)
        add(h + 4 * HISTOGRAM_BYTES, eight >> 32, packed)
        add(h + 5 * HISTOGRAM_BYTES, eight >> 40, packed)
        add(h + 6 * HISTOGRAM_BYTES, eight >> 48, packed)
        add(h + 7 * HISTOGRAM_BYTES, eight >> 56, packed)
        h += 8 * HISTOGRAM_BYTES
      }
    }
  }
  return touched
}

/** parent := parent − child: the sibling, without a pass over its rows. */
export function gbdtSubtract(parent: usize, child: usize, stride: i32): void {
  for (let o: usize = 0, end = (<usize>stride) << 11; o < end; o += 16) {
    v128.store(parent + o, i64x2.sub(v128.load(parent + o), v128.load(child + o)))
  }
}

function hessianOf(packed: i64): f64 {
  return <f64>(packed & 0xffffffff)
}

function gradientOf(packed: i64): f64 {
  return <f64>(<i32>(packed >> 32))
}

/**
 * Best split of one leaf over the features whose byte in `mask` is set. Missing values try both
 * sides. To `out`: f64 gain, f64 gradient sum, f64 hessian sum (unscaled), i32 feature (-1: none),
 * i32 bin (values in bins up to it go left), i32 1 when missing goes left.
 *
 * @param hessianMin least hessian of either side.
 * @param shareMin least share of the leaf's hessian on either side: the least number of rows.
 */
export function gbdtSplit(
  histogram: usize,
  featureCount: i32,
  mask: usize,
  gradientUnit: f64,
  hessianUnit: f64,
  hessianMin: f64,
  shareMin: f64,
  l2: f64,
  out: usize,
): void {
  let total: i64 = 0
  for (let b: usize = 0; b < 256; b++) total += load<i64>(histogram + (b << 3))
  const gradient = gradientOf(total) * gradientUnit
  const hessian = hessianOf(total) * hessianUnit
  const minHessian = max(hessianMin, shareMin * hessian)
  const parent = (gradient * gradient) / (hessian + l2)
  let bestGain: f64 = 0
  let bestFeature = -1
  let bestBin = -1
  let bestMissingLeft = 0
  for (let f = 0; f < featureCount; f++) {
    if (load<u8>(mask + <usize>f) == 0) continue
    const h = histogram + <usize>f * HISTOGRAM_BYTES
    const missing = load<i64>(h + ((<usize>MISSING) << 3))
    const sides = missing == 0 ? 1 : 2
    let below: i64 = 0
    for (let b = 0; b < MISSING; b++) {
      const here = load<i64>(h + ((<usize>b) << 3))
      if (here == 0) continue
      below += here
      for (let side = 0; side < sides; side++) {
        const left = side == 0 ? below : below + missing
        const hl = hessianOf(left) * hessianUnit
        const hr = hessian - hl
        if (hl < minHessian || hr < minHessian) continue
        const gl = gradientOf(left) * gradientUnit
        const gr = gradient - gl
        const gain = (gl * gl) / (hl + l2) + (gr * gr) / (hr + l2) - parent
        if (gain > bestGain) {
          bestGain = gain
          bestFeature = f
          bestBin = b
          bestMissingLeft = side
        }
      }
    }
  }
  store<f64>(out, bestGain)
  store<f64>(out, gradient, 8)
  store<f64>(out, hessian, 16)
  store<i32>(out, bestFeature, 24)
  store<i32>(out, bestBin, 28)
  store<i32>(out, bestMissingLeft, 32)
}

/**
 * Stable partition of a leaf's row list: left rows first. `spare` has room for `rowCount` entries.
 * Branch-free: both ends are written, and the pointer of the right one moves.
 */
export function gbdtPartition(
  bins: usize,
  stride: i32,
  feature: i32,
  bin: i32,
  missingLeft: i32,
  rows: usize,
  rowCount: i32,
  spare: usize,
): i32 {
  const column = bins + <usize>feature
  let left = rows
  let right = spare
  for (let i = 0; i < rowCount; i++) {
    const row = load<u32>(rows + ((<usize>i) << 2))
    const value = <i32>load<u8>(column + <usize>row * <usize>stride)
    const toLeft = <usize>(value == MISSING ? missingLeft : <i32>(value <= bin))
    store<u32>(left, row)
    store<u32>(right, row)
    left += toLeft << 2
    right += (1 - toLeft) << 2
  }
  memory.copy(left, spare, right - spare)
  return <i32>((left - rows) >> 2)
}

export function gbdtAddLeaf(scores: usize, rows: usize, rowCount: i32, value: f64): void {
  for (let i = 0; i < rowCount; i++) {
    const at = scores + ((<usize>load<u32>(rows + ((<usize>i) << 2))) << 3)
    store<f64>(at, load<f64>(at) + value)
  }
}

/**
 * Adds one tree to the scores of rows 0..rowCount-1. A tree is 24 bytes a node: i32 feature (-1: a
 * leaf), u16 bin, u16 missing goes left, i32 left node, i32 right node, f64 leaf value.
 */
export function gbdtAddTree(
  bins: usize,
  stride: i32,
  rowCount: i32,
  tree: usize,
  scores: usize,
): void {
  for (let i: usize = 0; i < <usize>rowCount; i++) {
    const row = bins + i * <usize>stride
    let node = tree
    for (;;) {
      const feature = load<i32>(node)
      if (feature < 0) break
      const value = <i32>load<u8>(row + <usize>feature)
      const toLeft =
        value == MISSING ? <i32>load<u16>(node, 6) : <i32>(value <= <i32>load<u16>(node, 4))
      node = tree + <usize>(toLeft != 0 ? load<i32>(node, 8) : load<i32>(node, 12)) * 24
    }
    const at = scores + (i << 3)
    store<f64>(at, load<f64>(at) + load<f64>(node, 16))
  }
}

/**
 * Bins of one float32 row. `bounds` holds 256 rising f32 upper bounds per feature, padded with
 * infinity; the bin is how many of them lie below the value. Reference: `binOf` in training/bins.ts.
 */
export function gbdtBin(row: usize, featureCount: i32, bounds: usize, bins: usize): void {
  for (let f: usize = 0; f < <usize>featureCount; f++) {
    const value = load<f32>(row + (f << 2))
    if (value != value) {
      store<u8>(bins + f, <u8>MISSING)
      continue
    }
    const first = bounds + (f << 10)
    let at = first
    for (let step: usize = 512; step >= 4; step >>= 1) {
      at += select<usize>(step, 0, load<f32>(at + step - 4) < value)
    }
    store<u8>(bins + f, <u8>((at - first) >> 2))
  }
}
