// The decay factors of a length of time, as the vectors that a quad's arithmetic reads, kept while it
// stays the same: the metrics of a node mostly share it, and a factor costs a polynomial.
import { halfLife0, halfLife1, halfLife2 } from './layout'
import { halving } from './halving'

/** Offsets in a block of factors: f32 x 4 of k at each half-life, then of k (1 - k). */
export const KEPT: u32 = 0
export const SPREAD: u32 = 48

/** Of the node: all lanes alike. */
export const NODE_FACTORS: usize = memory.data(96, 16)
/** Where lanes differ. */
export const LANE_FACTORS: usize = memory.data(96, 16)

/** After 40 half-lives nothing is left. Less would end in denormals, which are slow and tell nothing. */
const KEPT_MIN: f64 = 1.0 / 1099511627776.0

/** What the node's factors are for. */
export let nodeElapsed: f64 = NaN
let laneElapsed: f64 = NaN
const ONE_LANE: usize = memory.data(6 * 4, 16)

/** Sets the node's factors for `ms` >= 0. */
export function decayOver(ms: f64): void {
  if (ms == nodeElapsed) return
  nodeElapsed = ms
  factors(0, ms / halfLife0)
  factors(1, ms / halfLife1)
  factors(2, ms / halfLife2)
  for (let f: usize = 0; f < 6; f++) {
    v128.store(NODE_FACTORS + f * 16, v128.load32_splat(ONE_LANE + f * 4))
  }
  laneElapsed = ms
}

function factors(h: u32, halfLives: f64): void {
  const exact = halving(halfLives)
  const k = exact < KEPT_MIN ? 0 : exact
  store<f32>(ONE_LANE + h * 4, <f32>k)
  store<f32>(ONE_LANE + h * 4, <f32>(k * (1.0 - k)), 12)
}

/** Begins lanes that differ: as the node's. */
export function copyFactors(): void {
  memory.copy(LANE_FACTORS, NODE_FACTORS, 96)
}

/** Sets one lane's factors for `ms` >= 0. */
export function decayLane(lane: u32, ms: f64): void {
  if (ms != laneElapsed) {
    laneElapsed = ms
    factors(0, ms / halfLife0)
    factors(1, ms / halfLife1)
    factors(2, ms / halfLife2)
  }
  for (let f: usize = 0; f < 6; f++) {
    store<f32>(LANE_FACTORS + f * 16 + lane * 4, load<f32>(ONE_LANE + f * 4))
  }
}

/** Nearest float32 that is neither denormal (four times slower, and no information) nor infinite. */
export function f32Of(x: f64): f32 {
  if (x > 3e38) return <f32>3e38
  if (x < -3e38) return <f32>-3e38
  if (x > -1e-30 && x < 1e-30) return 0
  return <f32>x
}
