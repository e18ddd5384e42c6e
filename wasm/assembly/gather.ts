// Four metrics of one staged row as float32, side by side; what is missing or out of bounds is NaN.
import { metricCount } from './layout'
import { HIGH, LOW } from './metrics'
import { staged, stagedValues } from './staging'

/** f32 x 4: values on their way into a quad. */
export const NEXT: usize = memory.data(16, 16)
/** f64 x 4: the staged values of a quad with fewer metrics. */
const FEW: usize = memory.data(32, 16)
/** Values that were there and beyond their bounds, since the table was made. */
export let outOfBounds: f64 = 0

/** Less is zero: denormals are slow and tell nothing. */
const VALUE_MIN: f32 = 1e-30

export function stagedOf(metric: u32, row: u32): usize {
  return stagedValues + (<usize>metric * staged + row) * 8
}

/** From four columns `stride` apart, as float32; bounds not looked at. */
export function gatherQuad(at: usize, stride: usize): v128 {
  const second = at + stride
  const third = second + stride
  const low = v128.load64_lane(second, v128.load64_zero(at), 1)
  const high = v128.load64_lane(third + stride, v128.load64_zero(third), 1)
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2)
}

/** The same for a quad of fewer metrics: NaN in the other lanes. */
export function gatherFew(q: u32, from: usize, stride: usize): v128 {
  const count = metricCount - q * 4
  let at = from
  for (let lane: u32 = 0; lane < 4; lane++, at += stride) {
    store<f64>(FEW + lane * 8, lane < count ? load<f64>(at) : NaN)
  }
  const low = f32x4.demote_f64x2_zero(v128.load(FEW))
  const high = f32x4.demote_f64x2_zero(v128.load(FEW, 16))
  return v128.shuffle<i64>(low, high, 0, 2)
}

/** The lanes that are within their bounds, as a mask; no lane without a value is. */
export function within(q: u32, raw: v128): v128 {
  const low = f32x4.ge(raw, v128.load(LOW + q * 16))
  return v128.and(low, f32x4.le(raw, v128.load(HIGH + q * 16)))
}

export function flushed(raw: v128): v128 {
  return v128.andnot(raw, f32x4.lt(f32x4.abs(raw), f32x4.splat(VALUE_MIN)))
}

/** Makes NaN of what is not within its bounds, and counts what was there. */
export function inBounds(raw: v128, inside: v128): v128 {
  const beyond = v128.andnot(f32x4.eq(raw, raw), inside)
  outOfBounds += <f64>popcnt(i32x4.bitmask(beyond))
  return v128.bitselect(flushed(raw), f32x4.splat(<f32>NaN), inside)
}
