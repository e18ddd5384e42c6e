// The three decay factors of a length of time, kept while it stays the same: the metrics of one
// sample mostly share it, and a factor costs a polynomial. Also the guard on what float32 can hold.
import { halfLife0, halfLife1, halfLife2 } from './layout'
import { halving } from './halving'

export let decay0: f64 = 1
export let decay1: f64 = 1
export let decay2: f64 = 1
/** The factors k as pairs of f64: [k0, k1], [k2, k2], then k (1 - k) in the same order. */
export const DECAYS: usize = memory.data(8 * 8, 16)
let elapsed: f64 = NaN

/** Sets decay0..2 for `ms` >= 0. */
export function decayOver(ms: f64): void {
  if (ms == elapsed) return
  elapsed = ms
  decay0 = halving(ms / halfLife0)
  decay1 = halving(ms / halfLife1)
  decay2 = halving(ms / halfLife2)
  const short = f64x2.replace_lane(f64x2.splat(decay0), 1, decay1)
  const long = f64x2.splat(decay2)
  const one = f64x2.splat(1)
  v128.store(DECAYS, short)
  v128.store(DECAYS, long, 16)
  v128.store(DECAYS, f64x2.mul(short, f64x2.sub(one, short)), 32)
  v128.store(DECAYS, f64x2.mul(long, f64x2.sub(one, long)), 48)
}

/** Nearest float32 that is neither denormal (four times slower, and no information) nor infinite. */
export function f32Of(x: f64): f32 {
  if (x > 3e38) return <f32>3e38
  if (x < -3e38) return <f32>-3e38
  if (x > -1e-30 && x < 1e-30) return 0
  return <f32>x
}
