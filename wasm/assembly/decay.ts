// The three decay factors of a length of time, kept while it stays the same: the metrics of one
// sample mostly share it, and a factor costs a polynomial. Also the guard on what float32 can hold.
import { halfLife0, halfLife1, halfLife2 } from './layout'
import { halving } from './halving'

export let decay0: f64 = 1
export let decay1: f64 = 1
export let decay2: f64 = 1
let elapsed: f64 = 0

/** Sets decay0..2 for `ms` >= 0. */
export function decayOver(ms: f64): void {
  if (ms == elapsed) return
  elapsed = ms
  decay0 = halving(ms / halfLife0)
  decay1 = halving(ms / halfLife1)
  decay2 = halving(ms / halfLife2)
}

/** Nearest float32 that is neither denormal (four times slower, and no information) nor infinite. */
export function f32Of(x: f64): f32 {
  if (x > 3e38) return <f32>3e38
  if (x < -3e38) return <f32>-3e38
  if (x > -1e-30 && x < 1e-30) return 0
  return <f32>x
}
