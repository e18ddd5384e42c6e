// The arithmetic of four metrics at once, in float32. Over dt at held value v, with d = mean - v and
// k = 2^(-dt/h): mean becomes v + d k, variance k var + k (1 - k) d², changes k changes + (1 if changed).
// Nothing gets so small that a product of it could be denormal, which is slow and tells nothing: a mean
// this near is the value, and a variance or a count of changes stays at its least, which means zero.
// A signal counts no changes: in their place is the share s of its mean that lies before its first value,
// at first 1, then k s. Of that nothing is known, so that the mean keeps (k - k s) / (1 - k s) instead of k.
// Reference: src/state/reference-metric.ts, operation by operation.
import { CHANGES, MAXIMUM, MEAN, VARIANCE } from './layout'
import { KEPT, SPREAD } from './decay'

/**
 * f32 x 4 each: the least square of a distance, variance and count of changes; and 1. Read from memory,
 * they take no instructions of their own.
 */
export const LEAST: usize = memory.data<u32>(
  [
    0x17800000, 0x17800000, 0x17800000, 0x17800000, 0x15800000, 0x15800000, 0x15800000, 0x15800000,
    0x2b800000, 0x2b800000, 0x2b800000, 0x2b800000, 0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000,
  ],
  16,
)
/** 2^-80, of a distance of 2^-40. */
export const SQUARE: usize = 0
/** 2^-84: times the least factor it is a normal float32 yet. */
export const VARIANCE_LEAST: usize = 16
/** 2^-40. */
export const CHANGES_LEAST: usize = 32
const ONE: usize = 48
/** Of a divisor: what is known of a mean is no less, even of a signal that has just begun. */
const KNOWN_LEAST: f32 = 5.960464477539063e-8

/** What the means of the lanes in `signals` keep, of whose past the share `unknown` is not known; k of the others. */
export function meanKept(k: v128, unknown: v128, signals: v128): v128 {
  const known = f32x4.max(f32x4.sub(v128.load(LEAST, ONE), unknown), f32x4.splat(KNOWN_LEAST))
  const kept = f32x4.max(f32x4.sub(k, unknown), f32x4.splat(0))
  return v128.bitselect(f32x4.div(kept, known), k, signals)
}

/** All four lanes have a value and take `next`, of which `changed` differ; none is a signal. */
export function holdAll(
  moments: usize,
  held: v128,
  next: v128,
  changed: v128,
  factors: usize,
): void {
  const one = v128.and(changed, v128.load(LEAST, ONE))
  holdAt(moments, held, one, factors)
  holdAt(moments + 16, held, one, factors + 16)
  holdAt(moments + 32, held, one, factors + 32)
  v128.store(moments, f32x4.pmax(v128.load(moments, MAXIMUM), next), MAXIMUM)
}

/** One half-life of it. */
function holdAt(moments: usize, held: v128, one: v128, factors: usize): void {
  const k = v128.load(factors, KEPT)
  const away = f32x4.sub(v128.load(moments, MEAN), held)
  const square = f32x4.mul(away, away)
  const far = f32x4.ge(square, v128.load(LEAST, SQUARE))
  const d = v128.and(away, far)
  v128.store(moments, f32x4.add(held, f32x4.mul(d, k)), MEAN)
  v128.store(moments, variance(moments, v128.and(square, far), k, factors), VARIANCE)
  v128.store(moments, changes(moments, one, k), CHANGES)
}

/** The lanes of `takes` take `next`, whatever they held; `changed` is within `takes`, `signals` are any. */
export function holdSome(
  moments: usize,
  held: v128,
  next: v128,
  takes: v128,
  changed: v128,
  signals: v128,
  factors: usize,
): void {
  const one = v128.and(v128.andnot(changed, signals), v128.load(LEAST, ONE))
  const known = f32x4.eq(held, held)
  const begins = v128.andnot(signals, known)
  for (let h: usize = 0; h < 48; h += 16) {
    const k = v128.load(factors + h, KEPT)
    const mean = v128.load(moments + h, MEAN)
    const away = f32x4.sub(mean, held)
    const square = f32x4.mul(away, away)
    const far = f32x4.ge(square, v128.load(LEAST, SQUARE))
    const nextVariance = variance(moments + h, v128.and(square, far), k, factors + h)
    const counted = changes(moments + h, one, k)
    const kept = meanKept(k, counted, signals)
    const moved = f32x4.add(held, f32x4.mul(v128.and(away, far), kept))
    const nextChanges = v128.bitselect(v128.load(LEAST, ONE), counted, begins)
    put(moments + h + MEAN, v128.bitselect(moved, next, known), mean, takes)
    put(moments + h + VARIANCE, nextVariance, v128.load(moments + h, VARIANCE), takes)
    put(moments + h + CHANGES, nextChanges, v128.load(moments + h, CHANGES), takes)
  }
  const maximum = v128.load(moments, MAXIMUM)
  const keeps = f32x4.ge(maximum, next)
  v128.store(moments, v128.bitselect(next, maximum, v128.andnot(takes, keeps)), MAXIMUM)
}

function put(to: usize, next: v128, before: v128, takes: v128): void {
  v128.store(to, v128.bitselect(next, before, takes))
}

function variance(moments: usize, square: v128, k: v128, factors: usize): v128 {
  const kept = f32x4.mul(k, v128.load(moments, VARIANCE))
  const next = f32x4.add(kept, f32x4.mul(v128.load(factors, SPREAD), square))
  return f32x4.pmax(next, v128.load(LEAST, VARIANCE_LEAST))
}

function changes(moments: usize, one: v128, k: v128): v128 {
  const next = f32x4.add(f32x4.mul(v128.load(moments, CHANGES), k), one)
  return f32x4.pmax(next, v128.load(LEAST, CHANGES_LEAST))
}
