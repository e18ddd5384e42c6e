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

/** Labels are bytes, 0 or 1; scores are log odds, f64. */
export function gbdtLogistic(
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
    storePair(pairs + (i << 3), gradient, hessian)
  }
  storeSums(sums, gradientSum, hessianSum)
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
