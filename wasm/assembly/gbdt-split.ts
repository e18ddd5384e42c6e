/**
 * The search for a leaf's best split over its histograms. Gains are those of XGBoost (Chen and
 * Guestrin, 2016, equation 7) with an L1 term, and with bounds on the leaf values where features are
 * constrained to be monotone. Reference: test/support/boost-reference.ts.
 *
 *   settings   f64 x 8: gradient unit, hessian unit, least hessian of a side, least share of the
 *              leaf's hessian on a side (the least number of rows), L1, L2, least and largest value
 *   features   3 bytes each: 1 when it may be used; 1 when it is a category; sign of its constraint
 *   out        f64 gain, gradient and hessian of the leaf, gradient and hessian of its left side
 *              (unscaled), 40 bytes; i32 feature (-1: none), first bin that goes left, how many do,
 *              1 when missing goes left
 */

const MISSING: usize = 255
const HISTOGRAM_BYTES: usize = 2048

let gradientUnit: f64 = 0
let hessianUnit: f64 = 0
let l1: f64 = 0
let l2: f64 = 0
let valueMin: f64 = 0
let valueMax: f64 = 0
let isBounded: bool = false
let gradientOfLeaf: f64 = 0
let hessianOfLeaf: f64 = 0
let hessianMin: f64 = 0
let bestGain: f64 = 0
let bestFeature: i32 = -1
let bestFirst: i32 = 0
let bestSpan: i32 = 0
let bestMissingLeft: i32 = 0
let bestGradient: f64 = 0
let bestHessian: f64 = 0

function hessianOf(packed: i64): f64 {
  return <f64>(packed & 0xffffffff) * hessianUnit
}

function gradientOf(packed: i64): f64 {
  return <f64>(<i32>(packed >> 32)) * gradientUnit
}

function softened(gradient: f64): f64 {
  if (l1 == 0) return gradient
  return copysign(max(abs(gradient) - l1, 0), gradient)
}

function valueOf(gradient: f64, hessian: f64): f64 {
  return min(max(-softened(gradient) / (hessian + l2), valueMin), valueMax)
}

/** Twice what the loss falls by when rows of these sums get the best value they may. */
function worthOf(gradient: f64, hessian: f64): f64 {
  if (!isBounded) {
    const soft = softened(gradient)
    return (soft * soft) / (hessian + l2)
  }
  const value = valueOf(gradient, hessian)
  return -(2 * gradient * value + (hessian + l2) * value * value + 2 * l1 * abs(value))
}

/** Takes the split if it gains more than the best so far; gains of equals go to the first. */
function weigh(left: i64, f: i32, first: i32, span: i32, missingLeft: i32, sign: i32): void {
  const hl = hessianOf(left)
  const hr = hessianOfLeaf - hl
  if (hl < hessianMin || hr < hessianMin) return
  const gl = gradientOf(left)
  const gr = gradientOfLeaf - gl
  const gain = worthOf(gl, hl) + worthOf(gr, hr)
  if (gain <= bestGain) return
  if (sign != 0 && <f64>sign * (valueOf(gr, hr) - valueOf(gl, hl)) < 0) return
  bestGain = gain
  bestFeature = f
  bestFirst = first
  bestSpan = span
  bestMissingLeft = missingLeft
  bestGradient = gl
  bestHessian = hl
}

/**
 * Values up to a bin go left; missing values try both sides. Where the leaf has none, those that come
 * later go with the larger side.
 */
function weighOrdered(h: usize, f: i32, sign: i32): void {
  const missing = load<i64>(h + (MISSING << 3))
  let below: i64 = 0
  for (let b: usize = 0; b < MISSING; b++) {
    const here = load<i64>(h + (b << 3))
    if (here == 0) continue
    below += here
    const later = <i32>(missing == 0 && hessianOf(below) * 2 > hessianOfLeaf)
    weigh(below, f, 0, <i32>b + 1, later, sign)
    if (missing != 0) weigh(below + missing, f, 0, <i32>b + 1, 1, sign)
  }
}

/**
 * As `weighOrdered` where nothing bounds or shrinks the values, which is the usual case and most of the
 * time of the search: fractions are compared by their parts, without a division, and bins that leave
 * one side too small are passed over.
 */
function weighPlain(h: usize, f: i32): void {
  const missing = load<i64>(h + (MISSING << 3))
  const gradientAll = gradientOfLeaf
  const hessianAll = hessianOfLeaf
  const gu = gradientUnit
  const hu = hessianUnit
  const lambda = l2
  const least = hessianMin
  let best = bestGain
  let share: f64 = 1
  let bestBin = -1
  let bestLeft: i64 = 0
  let bestSide = 0
  const sides = missing == 0 ? 1 : 2
  for (let side = 0; side < sides; side++) {
    let left: i64 = side == 0 ? 0 : missing
    for (let b: usize = 0; b < MISSING; b++) {
      const here = load<i64>(h + (b << 3))
      if (here == 0) continue
      left += here
      const hl = <f64>(left & 0xffffffff) * hu
      if (hl < least) continue
      const hr = hessianAll - hl
      if (hr < least) break
      const gl = <f64>(<i32>(left >> 32)) * gu
      const gr = gradientAll - gl
      const below = hl + lambda
      const above = hr + lambda
      const worth = gl * gl * above + gr * gr * below
      const whole = below * above
      if (worth * share <= best * whole) continue
      best = worth
      share = whole
      bestBin = <i32>b
      bestLeft = left
      bestSide = side
    }
  }
  if (bestBin < 0) return
  bestGain = best / share
  bestFeature = f
  bestFirst = 0
  bestSpan = bestBin + 1
  bestGradient = gradientOf(bestLeft)
  bestHessian = hessianOf(bestLeft)
  bestMissingLeft = missing == 0 ? <i32>(bestHessian * 2 > hessianAll) : bestSide
}

/** One category, or the missing values, go left and all others right. */
function weighCategories(h: usize, f: i32): void {
  for (let b: usize = 0; b < MISSING; b++) {
    const here = load<i64>(h + (b << 3))
    if (here != 0) weigh(here, f, <i32>b, 1, 0, 0)
  }
  const missing = load<i64>(h + (MISSING << 3))
  if (missing != 0) weigh(missing, f, 0, 0, 1, 0)
}

export function gbdtSplit(
  histogram: usize,
  featureCount: i32,
  features: usize,
  settings: usize,
  out: usize,
): void {
  gradientUnit = load<f64>(settings)
  hessianUnit = load<f64>(settings, 8)
  l1 = load<f64>(settings, 32)
  l2 = load<f64>(settings, 40)
  valueMin = load<f64>(settings, 48)
  valueMax = load<f64>(settings, 56)
  isBounded = valueMin > -Infinity || valueMax < Infinity
  let total: i64 = 0
  for (let b: usize = 0; b < 256; b++) total += load<i64>(histogram + (b << 3))
  gradientOfLeaf = gradientOf(total)
  hessianOfLeaf = hessianOf(total)
  hessianMin = max(load<f64>(settings, 16), load<f64>(settings, 24) * hessianOfLeaf)
  const unsplit = worthOf(gradientOfLeaf, hessianOfLeaf)
  bestGain = unsplit
  bestFeature = -1
  for (let f = 0; f < featureCount; f++) {
    const kind = features + <usize>f * 3
    if (load<u8>(kind) == 0) continue
    const h = histogram + <usize>f * HISTOGRAM_BYTES
    const sign = <i32>load<i8>(kind, 2)
    if (load<u8>(kind, 1) != 0) weighCategories(h, f)
    else if (isBounded || l1 != 0 || sign != 0) weighOrdered(h, f, sign)
    else weighPlain(h, f)
  }
  store<f64>(out, bestGain - unsplit)
  store<f64>(out, gradientOfLeaf, 8)
  store<f64>(out, hessianOfLeaf, 16)
  store<f64>(out, bestGradient, 24)
  store<f64>(out, bestHessian, 32)
  store<i32>(out, bestFeature, 40)
  store<i32>(out, bestFirst, 44)
  store<i32>(out, bestSpan, 48)
  store<i32>(out, bestMissingLeft, 52)
}
