// 2^-x, from our own polynomial: a library's pow differs between machines in the last bit, and
// feature rows must replay bit-equal. Reference: src/state/halving.ts.

const LN2: f64 = 0.6931471805599453

/** 2^-x for x >= 0, exact at whole x, else within 1 ulp or two. 0 once it would be denormal. */
export function halving(x: f64): f64 {
  if (!(x < 1022)) return 0
  const n = floor<f64>(x + 0.5)
  const z = (n - x) * LN2
  let p: f64 = 1.0 / 6227020800.0
  p = p * z + 1.0 / 479001600.0
  p = p * z + 1.0 / 39916800.0
  p = p * z + 1.0 / 3628800.0
  p = p * z + 1.0 / 362880.0
  p = p * z + 1.0 / 40320.0
  p = p * z + 1.0 / 5040.0
  p = p * z + 1.0 / 720.0
  p = p * z + 1.0 / 120.0
  p = p * z + 1.0 / 24.0
  p = p * z + 1.0 / 6.0
  p = p * z + 0.5
  p = p * z + 1.0
  p = p * z + 1.0
  return p * reinterpret<f64>((1023 - <i64>n) << 52)
}
