/**
 * Kernels of the gradient-boosted tree trainer that pass over rows. training/boost-memory.ts lays out
 * the memory and training/boost-tree.ts grows the trees. Bins lie row-major, `stride` bytes a row (a
 * multiple of 8), so that one row is one or two cache lines wherever a leaf's rows are scattered. Bin
 * 255 is "missing".
 *
 * Gradient and hessian of a row are integers packed in one i64 (gradient in the upper half, signed;
 * hessian in the lower half, unsigned): one addition accumulates both. The caller chooses the scales
 * so that neither sum over all rows leaves its 32 bits; subtraction then never borrows.
 */

const MISSING: i32 = 255
/** 256 bins × 8 bytes. */
const HISTOGRAM_BYTES: usize = 2048
/** Byte offsets of two bins within their histograms, from bytes 0 and 4 of a word. */
const BIN_MASKS: u64 = 0x000007f8_000007f8
/**
 * Rows whose bins are fetched together, so that their cache misses overlap, and then counted eight
 * features at a time: eight histograms stay in the first-level cache, and the rows in the second.
 */
const BLOCK: i32 = 1024

/**
 * Adds a row to the histograms of eight features; their bins are the bytes of `eight`. Two addresses
 * are made at once, in the halves of a word, to both of which `origins` adds that of the histograms.
 */
function addEight(origins: u64, eight: u64, packed: i64): void {
  let two = ((eight << 3) & BIN_MASKS) + origins
  let at = <usize>two
  store<i64>(at, load<i64>(at) + packed)
  at = <usize>(two >> 32)
  store<i64>(at, load<i64>(at, 8192) + packed, 8192)
  two = ((eight >> 5) & BIN_MASKS) + origins
  at = <usize>two
  store<i64>(at, load<i64>(at, 2048) + packed, 2048)
  at = <usize>(two >> 32)
  store<i64>(at, load<i64>(at, 10240) + packed, 10240)
  two = ((eight >> 13) & BIN_MASKS) + origins
  at = <usize>two
  store<i64>(at, load<i64>(at, 4096) + packed, 4096)
  at = <usize>(two >> 32)
  store<i64>(at, load<i64>(at, 12288) + packed, 12288)
  two = ((eight >> 21) & BIN_MASKS) + origins
  at = <usize>two
  store<i64>(at, load<i64>(at, 6144) + packed, 6144)
  at = <usize>(two >> 32)
  store<i64>(at, load<i64>(at, 14336) + packed, 14336)
}

/**
 * Fills one histogram per feature from the listed rows. `block` has room for 16 KB. The result only
 * keeps the fetching alive.
 */
export function gbdtHistogram(
  bins: usize,
  stride: i32,
  rows: usize,
  rowCount: i32,
  pairs: usize,
  histogram: usize,
  block: usize,
): u32 {
  const width = <usize>stride
  memory.fill(histogram, 0, width * HISTOGRAM_BYTES)
  let fetched: u32 = 0
  for (let from = 0; from < rowCount; from += BLOCK) {
    const end = block + ((<usize>min(BLOCK, rowCount - from)) << 4)
    let list = rows + ((<usize>from) << 2)
    for (let at = block; at < end; at += 16, list += 4) {
      const row = <usize>load<u32>(list)
      const bytes = bins + row * width
      fetched |= load<u32>(bytes) | load<u8>(bytes + width - 1)
      store<i64>(at, load<i64>(pairs + (row << 3)))
      store<usize>(at, bytes, 8)
    }
    let h = histogram
    for (let f: usize = 0; f < width; f += 8) {
      const origins = <u64>h | ((<u64>h) << 32)
      for (let at = block; at < end; at += 16) {
        addEight(origins, load<u64>(load<usize>(at, 8) + f), load<i64>(at))
      }
      h += 8 * HISTOGRAM_BYTES
    }
  }
  return fetched
}

/** parent := parent − child: the sibling, without a pass over its rows. */
export function gbdtSubtract(parent: usize, child: usize, stride: i32): void {
  for (let o: usize = 0, end = (<usize>stride) << 11; o < end; o += 16) {
    v128.store(parent + o, i64x2.sub(v128.load(parent + o), v128.load(child + o)))
  }
}

/** Copies one feature's bins together, a byte a row. */
export function gbdtColumn(
  bins: usize,
  stride: i32,
  feature: i32,
  rowCount: i32,
  column: usize,
): void {
  let from = bins + <usize>feature
  for (let to = column, end = column + <usize>rowCount; to < end; to++) {
    store<u8>(to, load<u8>(from))
    from += <usize>stride
  }
}

/**
 * Stable partition of a leaf's row list: left rows first, and how many they are. Left go the bins from
 * `first` on, `span` of them. The bin of row r lies at `column` + r × `stride`; `spare` has room for
 * `rowCount` + 1 entries, and so has the list. Branch-free: both ends are written, and the pointer of
 * the right one moves.
 */
export function gbdtPartition(
  column: usize,
  stride: i32,
  first: i32,
  span: i32,
  missingLeft: i32,
  rows: usize,
  rowCount: i32,
  spare: usize,
): i32 {
  let left = rows
  let right = spare
  for (let at = rows, end = rows + ((<usize>rowCount) << 2); at < end; at += 4) {
    const row = load<u32>(at)
    const bin = <i32>load<u8>(column + <usize>row * <usize>stride)
    const inside = <i32>(<u32>(bin - first) < <u32>span)
    const toLeft = <usize>select<i32>(missingLeft, inside, bin == MISSING)
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

/** Sum of the f32 weights of listed rows. */
export function gbdtWeight(weights: usize, rows: usize, rowCount: i32): f64 {
  let sum: f64 = 0
  for (let i = 0; i < rowCount; i++) {
    sum += <f64>load<f32>(weights + ((<usize>load<u32>(rows + ((<usize>i) << 2))) << 2))
  }
  return sum
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
