// Share of recent samples without a metric, 0..1, for four metrics at once. It moves by a 32nd a sample;
// under one in a million it is none, and then a node without gaps has nothing to do here.
import { HISTORY_BYTES, historyOf, laneOf, tileOf } from './layout'
import { MISSING } from './times'

const WEIGHT: f32 = 1.0 / 32.0
/** 2^-20. */
const RATIO_MIN: f32 = 9.5367431640625e-7

/** One more sample; false when all four ratios are now zero. */
export function foldMissing(history: usize, present: v128): bool {
  const ratio = v128.load(history, MISSING)
  const target = v128.andnot(f32x4.splat(1), present)
  const step = f32x4.mul(f32x4.sub(target, ratio), f32x4.splat(WEIGHT))
  const moved = f32x4.add(ratio, step)
  const next = v128.and(moved, f32x4.ge(moved, f32x4.splat(RATIO_MIN)))
  v128.store(history, next, MISSING)
  return v128.any_true(next)
}

/** Share of recent samples without this metric, 0..1. */
export function missingRatioOf(node: u32, metric: u32): f64 {
  const history = historyOf(tileOf(node), laneOf(node)) + (metric >> 2) * HISTORY_BYTES
  return <f64>load<f32>(history + MISSING + (metric & 3) * 4)
}
