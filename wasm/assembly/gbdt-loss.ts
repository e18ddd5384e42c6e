/**
 * Losses of the tree trainer: gradient and hessian of each row, times its weight, as f32 pairs; then
 * packed into integers. References: test/support/boost-reference.ts.
 */

/** Sums of |gradient| and of the hessian over all rows, f64, by which the caller scales them. */
function storeSums(sums: usize, gradient: f64, hessian: f64): void {
  store<f64>(sums, gradient)
  store<f64>(sums, hessian, 8)
}

function storePair(at: usize, gradient: f64, hessian: f64): void {
  store<f32>(at, <f32>gradient)
  store<f32>(at, <f32>hessian, 4)
}

/** ln 2 in two parts, of which the first has so few digits that products with integers are exact. */
const LN2_HIGH: f64 = 6.9314718036912381649e-1
const LN2_LOW: f64 = 1.90821492927058770002e-10
const LOG2_E: f64 = 1.4426950408889634
/** 1.5 × 2^52: adding it puts a small integer into the lowest bits. */
const TO_INTEGER: f64 = 6755399441055744.0
/** Beyond, a probability is 0 or 1 to the last bit of a gradient. */
const MARGIN_MAX: f64 = 700

function timesPlus(sum: v128, r: v128, coefficient: f64): v128 {
  return f64x2.add(f64x2.mul(sum, r), f64x2.splat(coefficient))
}

/**
 * exp of two numbers: 2^n times the Taylor series of the rest r, at most half of ln 2. It ends with
 * r^9 / 9!, which leaves less than 1e-11; gradients keep 24 bits, 6e-8.
 */
function expTwo(x: v128): v128 {
  const n = f64x2.nearest(f64x2.mul(x, f64x2.splat(LOG2_E)))
  let r = f64x2.sub(x, f64x2.mul(n, f64x2.splat(LN2_HIGH)))
  r = f64x2.sub(r, f64x2.mul(n, f64x2.splat(LN2_LOW)))
  let sum = timesPlus(f64x2.splat(1.0 / 362880.0), r, 1.0 / 40320.0)
  sum = timesPlus(sum, r, 1.0 / 5040.0)
  sum = timesPlus(sum, r, 1.0 / 720.0)
  sum = timesPlus(sum, r, 1.0 / 120.0)
  sum = timesPlus(sum, r, 1.0 / 24.0)
  sum = timesPlus(sum, r, 1.0 / 6.0)
  sum = timesPlus(sum, r, 0.5)
  sum = timesPlus(sum, r, 1)
  sum = timesPlus(sum, r, 1)
  return i64x2.add(sum, i64x2.shl(f64x2.add(n, f64x2.splat(TO_INTEGER)), 52))
}

/** 1 / (1 + exp(−margin)) of two margins. */
function sigmoidTwo(margins: v128): v128 {
  const bounded = f64x2.max(
    f64x2.min(f64x2.neg(margins), f64x2.splat(MARGIN_MAX)),
    f64x2.splat(-MARGIN_MAX),
  )
  const one = f64x2.splat(1)
  return f64x2.div(one, f64x2.add(one, expTwo(bounded)))
}

/**
 * Labels are bytes, 0 or 1; scores are log odds, f64. One score after the last is read, and so are
 * its label and weight; what becomes of them counts for nothing.
 */
export function gbdtLogistic(
  scores: usize,
  labels: usize,
  weights: usize,
  rowCount: i32,
  pairs: usize,
  sums: usize,
): void {
  let gradientSums = f64x2.splat(0)
  let hessianSums = f64x2.splat(0)
  const count = <usize>rowCount
  for (let i: usize = 0; i < count; i += 2) {
    let margins = v128.load(scores + (i << 3))
    let weight = f64x2.promote_low_f32x4(v128.load64_zero(weights + (i << 2)))
    if (i + 1 == count) {
      margins = f64x2.replace_lane(margins, 1, 0)
      weight = f64x2.replace_lane(weight, 1, 0)
    }
    const p = sigmoidTwo(margins)
    const label = f64x2(<f64>load<u8>(labels + i), <f64>load<u8>(labels + i, 1))
    const gradient = f64x2.mul(weight, f64x2.sub(p, label))
    const hessian = f64x2.mul(f64x2.mul(weight, p), f64x2.sub(f64x2.splat(1), p))
    gradientSums = f64x2.add(gradientSums, f64x2.abs(gradient))
    hessianSums = f64x2.add(hessianSums, hessian)
    const g = f32x4.demote_f64x2_zero(gradient)
    const h = f32x4.demote_f64x2_zero(hessian)
    const both = v128.shuffle<f32>(g, h, 0, 4, 1, 5)
    v128.store64_lane(pairs + (i << 3), both, 0)
    if (i + 1 < count) v128.store64_lane(pairs + (i << 3), both, 1, 8)
  }
  storeSums(
    sums,
    f64x2.extract_lane(gradientSums, 0) + f64x2.extract_lane(gradientSums, 1),
    f64x2.extract_lane(hessianSums, 0) + f64x2.extract_lane(hessianSums, 1),
  )
}

/** Targets are f32. */
export function gbdtSquared(
  scores: usize,
  targets: usize,
  weights: usize,
  rowCount: i32,
  pairs: usize,
  sums: usize,
): void {
  let gradientSum: f64 = 0
  let hessianSum: f64 = 0
  for (let i: usize = 0; i < <usize>rowCount; i++) {
    const weight = <f64>load<f32>(weights + (i << 2))
    const miss = load<f64>(scores + (i << 3)) - <f64>load<f32>(targets + (i << 2))
    const gradient = weight * miss
    gradientSum += abs(gradient)
    hessianSum += weight
    storePair(pairs + (i << 3), gradient, weight)
  }
  storeSums(sums, gradientSum, hessianSum)
}

/**
 * Probabilities of all classes, f64, from their scores: class k of row i lies at k × rowCount + i in
 * both. All classes of a round learn from the same probabilities.
 */
export function gbdtSoftmax(
  scores: usize,
  rowCount: i32,
  classCount: i32,
  probabilities: usize,
): void {
  const column = (<usize>rowCount) << 3
  for (let i: usize = 0; i < <usize>rowCount; i++) {
    let highest: f64 = -Infinity
    let at = scores + (i << 3)
    for (let k = 0; k < classCount; k++, at += column) highest = max(highest, load<f64>(at))
    let total: f64 = 0
    at = scores + (i << 3)
    let to = probabilities + (i << 3)
    for (let k = 0; k < classCount; k++, at += column, to += column) {
      const power: f64 = Math.exp(load<f64>(at) - highest)
      store<f64>(to, power)
      total += power
    }
    to = probabilities + (i << 3)
    for (let k = 0; k < classCount; k++, to += column) store<f64>(to, load<f64>(to) / total)
  }
}

/**
 * One class of the softmax loss; `probabilities` are its own, labels are the class numbers. The
 * curvature is p(1 − p) times k / (k − 1), as Friedman (2001, algorithm 6) has it.
 */
export function gbdtClass(
  probabilities: usize,
  labels: usize,
  weights: usize,
  rowCount: i32,
  classNumber: i32,
  classCount: i32,
  pairs: usize,
  sums: usize,
): void {
  const curve: f64 = <f64>classCount / <f64>(classCount - 1)
  let gradientSum: f64 = 0
  let hessianSum: f64 = 0
  for (let i: usize = 0; i < <usize>rowCount; i++) {
    const p = load<f64>(probabilities + (i << 3))
    const weight = <f64>load<f32>(weights + (i << 2))
    const isIt: f64 = <i32>load<u8>(labels + i) == classNumber ? 1 : 0
    const gradient = weight * (p - isIt)
    const hessian = weight * curve * p * (1.0 - p)
    gradientSum += abs(gradient)
    hessianSum += hessian
    storePair(pairs + (i << 3), gradient, hessian)
  }
  storeSums(sums, gradientSum, hessianSum)
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
