// Folds staged samples into the tiles. Each metric is a held signal: between two samples it stands at
// the older one's value, and means and variances are those of the signal, weighted by 2^(-age/half-life).
// Reference: src/state/reference.ts.
import {
  AT,
  CHANGED_AT,
  CHANGES,
  CODE,
  COUNTER,
  FIRST_AT,
  LAST_AT,
  MAXIMUM,
  MEAN,
  METRIC_BYTES,
  METRIC_KIND,
  METRIC_MAX,
  METRIC_MIN,
  NEXT_GRID,
  NO_NODE,
  RAW,
  VALUE,
  VARIANCE,
  entryOf,
  field64,
  metricCount,
  metricsAt,
  missingRatios,
  tileOf,
} from './layout'
import { DECAYS, decay0, decay1, decay2, decayOver, f32Of } from './decay'
import { staged, stagedAppended, stagedAt, stagedNodes, stagedValues } from './staging'
import { emitDue, firstGrid, queueChanged } from './grid'
import { lifeSign } from './liveness'

/** Beyond this a float32 could not hold the square. */
const VALUE_MAX: f64 = 1e18
/** Beyond this a time is none (the range of a JavaScript date). */
const TIME_MAX: f64 = 8.64e15
const MISSING_WEIGHT: f64 = 1.0 / 32.0

let cursor: u32 = 0
export let rowsSeen: f64 = 0
export let rowsFolded: f64 = 0
export let rowsLate: f64 = 0
export let rowsRejected: f64 = 0
export let valuesOutOfBounds: f64 = 0

export function beginFold(): void {
  cursor = 0
}

/** 0 when the row buffer is full: take the rows and call again. 1 when everything staged is folded. */
export function foldStaged(observedAt: f64, watermark: f64): u32 {
  for (; cursor < staged; cursor++) {
    const node = load<u32>(stagedNodes + cursor * 4)
    const at = <f64>load<i64>(stagedAt + cursor * 8)
    if (node == NO_NODE || !(abs<f64>(at) <= TIME_MAX)) {
      rowsSeen += 1
      rowsRejected += 1
      continue
    }
    if (!emitDue(node, at)) return 0
    rowsSeen += 1
    foldRow(node, at)
    lifeSign(node, <f64>load<i64>(stagedAppended + cursor * 8), observedAt, watermark)
  }
  return 1
}

function foldRow(node: u32, at: f64): void {
  const last = field64(node, LAST_AT)
  const newer = at > load<f64>(last)
  const missing = missingRatios(node)
  let block = tileOf(node) + metricsAt
  let values = stagedValues + cursor * 8
  let taken: u32 = 0
  for (let m: u32 = 0; m < metricCount; m++, block += METRIC_BYTES, values += staged * 8) {
    let raw = load<f64>(values)
    if (raw == raw && !inBounds(m, raw)) {
      valuesOutOfBounds += 1
      raw = NaN
    }
    const present = raw == raw
    if (newer) foldMissing(missing + m * 4, present)
    const entry = entryOf(block, node)
    if (present && at > load<f64>(entry + AT)) {
      foldValue(entry, block + VALUE + (node & 15) * 4, load<u32>(METRIC_KIND + m * 4), at, raw)
      taken++
    }
  }
  if (newer) {
    store<f64>(last, at)
    startLife(node, at)
  }
  if (newer || taken > 0) {
    rowsFolded += 1
    queueChanged(node)
  } else {
    rowsLate += 1
  }
}

function startLife(node: u32, at: f64): void {
  const first = field64(node, FIRST_AT)
  if (load<f64>(first) == load<f64>(first)) return
  store<f64>(first, at)
  const next = firstGrid(at)
  store<f64>(field64(node, NEXT_GRID), next)
}

function inBounds(metric: u32, raw: f64): bool {
  if (!(abs<f64>(raw) <= VALUE_MAX)) return false
  return raw >= load<f64>(METRIC_MIN + metric * 8) && raw <= load<f64>(METRIC_MAX + metric * 8)
}

function foldMissing(at: usize, present: bool): void {
  const ratio = <f64>load<f32>(at)
  if (present && ratio == 0) return
  store<f32>(at, f32Of(ratio + ((present ? 0.0 : 1.0) - ratio) * MISSING_WEIGHT))
}

function foldValue(entry: usize, valueAt: usize, kind: u32, at: f64, raw: f64): void {
  const lastAt = load<f64>(entry + AT)
  const lastRaw = load<f64>(entry + RAW)
  const changed = raw != lastRaw
  store<f64>(entry + AT, at)
  store<f64>(entry + RAW, raw)
  const first = lastAt == -Infinity
  if (kind == COUNTER && first) return
  if (!first) decayOver(at - lastAt)
  if (!first && changed) store<f64>(entry + CHANGED_AT, at)
  let value = raw
  // A counter that fell was reset: it counts from zero again (the rule that Prometheus has).
  if (kind == COUNTER) value = (raw >= lastRaw ? raw - lastRaw : raw) / ((at - lastAt) / 1000.0)
  const held = load<f32>(valueAt)
  const next = f32Of(min<f64>(value, VALUE_MAX))
  store<f32>(valueAt, next)
  if (!(load<f32>(entry + MAXIMUM) >= next)) store<f32>(entry + MAXIMUM, next)
  const one = changed ? 1.0 : 0.0
  if (kind != CODE && held == held) {
    foldHeld(entry, <f64>held, one)
    return
  }
  if (!first) foldChanges(entry, one)
  if (kind != CODE) for (let h: u32 = 0; h < 3; h++) store<f32>(entry + MEAN + h * 4, next)
}

/** Without moments: a code, or the first value of a rate. */
function foldChanges(entry: usize, one: f64): void {
  const changes = entry + CHANGES
  store<f32>(changes, f32Of(<f64>load<f32>(changes) * decay0 + one))
  store<f32>(changes, f32Of(<f64>load<f32>(changes, 4) * decay1 + one), 4)
  store<f32>(changes, f32Of(<f64>load<f32>(changes, 8) * decay2 + one), 8)
}

/** Means, variances and changes: the two short half-lives as one pair, then the long one's. */
function foldHeld(entry: usize, held: f64, one: f64): void {
  const k = v128.load(DECAYS)
  const value = f64x2.splat(held)
  const mean = f64x2.promote_low_f32x4(v128.load64_zero(entry, MEAN))
  const variance = f64x2.promote_low_f32x4(v128.load64_zero(entry, VARIANCE))
  const changes = f64x2.promote_low_f32x4(v128.load64_zero(entry, CHANGES))
  const d = f64x2.sub(mean, value)
  const spread = f64x2.mul(v128.load(DECAYS, 32), f64x2.mul(d, d))
  const nextMean = f64x2.add(value, f64x2.mul(d, k))
  const nextVariance = f64x2.add(f64x2.mul(k, variance), spread)
  const nextChanges = f64x2.add(f64x2.mul(changes, k), f64x2.splat(one))
  v128.store64_lane(entry, f32PairOf(nextMean), 0, MEAN)
  v128.store64_lane(entry, f32PairOf(nextVariance), 0, VARIANCE)
  v128.store64_lane(entry, f32PairOf(nextChanges), 0, CHANGES)
  foldLong(entry, held, one)
}

function foldLong(entry: usize, held: f64, one: f64): void {
  const k = v128.load(DECAYS, 16)
  const q = v128.load(DECAYS, 48)
  const mean = <f64>load<f32>(entry, MEAN + 8)
  const variance = <f64>load<f32>(entry, VARIANCE + 8)
  const changes = <f64>load<f32>(entry, CHANGES + 8)
  // The mean moves from the held value, the count of changes from nought, by the same factor.
  const from = f64x2.replace_lane(f64x2.splat(held), 1, one)
  const d = mean - held
  const away = f64x2.replace_lane(f64x2.splat(d), 1, changes)
  const next = f32PairOf(f64x2.add(from, f64x2.mul(away, k)))
  const spread = f64x2.add(f64x2.mul(k, f64x2.splat(variance)), f64x2.mul(q, f64x2.splat(d * d)))
  v128.store32_lane(entry, next, 0, MEAN + 8)
  v128.store32_lane(entry, next, 1, CHANGES + 8)
  v128.store32_lane(entry, f32PairOf(spread), 0, VARIANCE + 8)
}

/** f32Of for two at once; the lower two lanes of the result are the float32s. */
function f32PairOf(x: v128): v128 {
  // pmin and pmax keep the first operand where it is NaN.
  const bounded = f64x2.pmax(f64x2.pmin(x, f64x2.splat(3e38)), f64x2.splat(-3e38))
  const tiny = f64x2.lt(f64x2.abs(x), f64x2.splat(1e-30))
  return f32x4.demote_f64x2_zero(v128.andnot(bounded, tiny))
}

/** Rows seen, folded, late, rejected, values out of bounds: since the table was made. */
export function countOf(which: u32): f64 {
  if (which == 0) return rowsSeen
  if (which == 1) return rowsFolded
  if (which == 2) return rowsLate
  return which == 3 ? rowsRejected : valuesOutOfBounds
}
