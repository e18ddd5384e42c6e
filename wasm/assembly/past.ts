// Whether a node's newest sample leaves its past: a metric is further from what the longest mean foresaw than
// so many deviations, or a code changed. It is `row-deviation.ts` before there is a row, over the metrics
// that came with the newest sample: what did not come has left nothing. Who is new has no past to stay in.
// Reference: src/state/reference.ts.
import { halving } from './halving'
import { FIRST_AT, LAST_AT, MEAN, MOMENTS_BYTES, VALUES_BYTES, VARIANCE } from './layout'
import { halfLife0, halfLife2, lineOf, momentsOf, quadCount, statesOf, valuesOf } from './layout'
import { CODES, PADS } from './metrics'
import { LEAST, SQUARE, VARIANCE_LEAST } from './moments'
import { LEAST_DEVIATIONS, LEAST_OF_ALL, LEAST_RATIO } from './row-deviation'

/** Of the longest half-life, among those of a quad's moments. */
const LONGEST: usize = 32

/** A node is new for so many of the shortest half-lives. */
const NEW_HALF_LIVES: f64 = 3

/** True of a new node, too. */
export function leavesPast(tile: usize, lane: u32, deviations: f32): bool {
  if (deviations <= 0) return true
  const line = lineOf(tile, lane)
  const age = load<f64>(line, LAST_AT) - load<f64>(line, FIRST_AT)
  if (!(age >= NEW_HALF_LIVES * halfLife0)) return true
  // The variance began at nought, and has taken in this share of what it would know of a long past.
  const widening = f32x4.splat(<f32>(1 / sqrt<f64>(1 - halving(age / halfLife2))))
  const most = f32x4.splat(deviations)
  const states = statesOf(tile, lane)
  let values = valuesOf(tile, lane)
  let moments = momentsOf(tile, lane)
  for (let q: u32 = 0; q < quadCount; q++) {
    const state = <u32>load<u8>(states + q)
    const codes = <u32>load<u8>(CODES + q)
    if (((state >> 4) & codes) != 0) return true
    const told = 15 & ~(state | codes | <u32>load<u8>(PADS + q))
    const leastAt = LEAST_DEVIATIONS + <usize>q * 16
    const away = awayOf(v128.load(values), moments, leastAt, widening)
    if ((<u32>i32x4.bitmask(f32x4.ge(away, most)) & told) != 0) return true
    values += VALUES_BYTES
    moments += MOMENTS_BYTES
  }
  return false
}

/** Distances in deviations; not over 0 where nothing is known. */
function awayOf(value: v128, moments: usize, leastAt: usize, widening: v128): v128 {
  const away = f32x4.sub(value, v128.load(moments + LONGEST, MEAN))
  const far = f32x4.ge(f32x4.mul(away, away), v128.load(LEAST, SQUARE))
  const residual = v128.and(away, far)
  const foreseen = f32x4.sub(value, residual)
  const variance = v128.load(moments + LONGEST, VARIANCE)
  const spread = v128.and(variance, f32x4.gt(variance, v128.load(LEAST, VARIANCE_LEAST)))
  const known = f32x4.max(f32x4.mul(f32x4.sqrt(spread), widening), v128.load(leastAt))
  const share = f32x4.mul(f32x4.abs(foreseen), f32x4.splat(LEAST_RATIO))
  const least = f32x4.max(f32x4.splat(LEAST_OF_ALL), share)
  return f32x4.div(f32x4.abs(residual), f32x4.max(known, least))
}
