// When each metric last had a value and last changed. Most share a time with their node: all that came
// with its newest sample are as new as that. Only the others have times of their own, so a steady
// node's are neither read nor written. The state of a quad says which, one bit a lane:
//
//   bits 0..3  apart: the last value is older than the node's newest sample; its time is in the history
//   bits 4..7  fresh: it changed with the node's newest sample; of the others the time is in the history
//
// A quad's history of 64 bytes, times in ms as 48 bits: f32 x 4 missing ratio; low words of the last
// values' times, then of the changes'; then the high halves of both.
//
// Reference: src/state/reference-metric.ts, where a metric has its own times.

export const MISSING: usize = 0
export const AT: usize = 16
export const CHANGED_AT: usize = 32
const HIGH_HALVES: usize = 48

/** No time yet. Real ones are greater. */
export const NEVER: f64 = -140737488355328
/** Beyond this a time is none (the year 6429). */
export const TIME_MAX: f64 = 140737488355327

const HOUR: f64 = 3600000

function highOf(field: usize): usize {
  return HIGH_HALVES + (field - AT) / 2
}

export function timeOf(history: usize, field: usize, lane: u32): f64 {
  const low = <i64>load<u32>(history + field + lane * 4)
  return <f64>(((<i64>load<i16>(history + highOf(field) + lane * 2)) << 32) | low)
}

/** Sets the time of each lane in `lanes`. */
export function setTimes(history: usize, field: usize, lanes: u32, time: f64): void {
  const ms = <i64>time
  for (let left = lanes; left != 0; left &= left - 1) {
    const lane = ctz(left)
    store<u32>(history + field + lane * 4, <u32>ms)
    store<i16>(history + highOf(field) + lane * 2, <i16>(ms >> 32))
  }
}

/** f32 x 4: hours from the lanes' times to `t`; NaN of any kind where there is none. */
export function hoursSince(history: usize, field: usize, t: f64): v128 {
  const low = v128.load(history + field)
  const halves = i32x4.extend_low_i16x8_s(v128.load64_zero(history + highOf(field)))
  const first = hoursOfTwo(low, halves, t)
  const second = hoursOfTwo(
    v128.shuffle<i64>(low, low, 1, 1),
    v128.shuffle<i64>(halves, halves, 1, 1),
    t,
  )
  return v128.shuffle<i64>(first, second, 0, 2)
}

function hoursOfTwo(low: v128, high: v128, t: f64): v128 {
  const upper = f64x2.mul(f64x2.convert_low_i32x4_s(high), f64x2.splat(4294967296))
  const time = f64x2.add(upper, f64x2.convert_low_i32x4_u(low))
  const never = f64x2.eq(time, f64x2.splat(NEVER))
  const hours = f64x2.div(f64x2.sub(f64x2.splat(t), time), f64x2.splat(HOUR))
  return f32x4.demote_f64x2_zero(v128.or(hours, never))
}

/** The lanes of `bits` as a mask. */
export function lanesOf(bits: u32): v128 {
  const lane = v128.and(i32x4.splat(bits), i32x4(1, 2, 4, 8))
  return i32x4.ne(lane, i32x4.splat(0))
}
