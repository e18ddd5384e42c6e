/** The readable twin of the kernel's 2^-x: the same operations in the same order, so the same bits. */

const COEFFICIENTS = [
  6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6,
].map((factorial) => 1 / factorial)

/** 2^-x for x >= 0: Taylor around the nearest whole x. 0 once it would be denormal. */
export function halving(x: number): number {
  if (!(x < 1022)) return 0
  const n = Math.floor(x + 0.5)
  const z = (n - x) * Math.LN2
  let p = COEFFICIENTS[0]
  for (const coefficient of COEFFICIENTS.slice(1)) p = p * z + coefficient
  for (const coefficient of [0.5, 1, 1]) p = p * z + coefficient
  return p * powerOfHalf(n)
}

function powerOfHalf(n: number): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setUint32(0, (1023 - n) << 20)
  return view.getFloat64(0)
}
