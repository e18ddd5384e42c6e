// One row of the feature tensor: a node's state as of time t, decayed to t without changing it.
// The order is that of src/state/features.ts. Missing is NaN. Four metrics are worked out at once, a
// vector per feature; then the 4 x 16 block is turned, so that each metric's features lie in a row.
import {
  ATTRIBUTE_SINCE,
  CHANGES,
  COHORT,
  FIRST_AT,
  HISTORY_BYTES,
  LAST_AT,
  MAXIMUM,
  MEAN,
  MOMENTS_BYTES,
  VALUES_BYTES,
  VARIANCE,
  attributeCount,
  attributesOf,
  featureCount,
  historyOf,
  laneOf,
  lineOf,
  matrix,
  metricCount,
  momentsOf,
  peerCount,
  quadCount,
  rowNodes,
  rowTimes,
  rowTriggers,
  rowsMax,
  statesOf,
  tileOf,
  valuesOf,
} from './layout'
import { CODE, FEATURES_AT, METRIC_KIND, PEER_FEATURE, PEER_VALUE, SIGNALS } from './metrics'
import { KEPT, LANE_FACTORS, NODE_FACTORS, SPREAD } from './decay'
import { copyFactors, decayLane, decayOver, f32Of } from './decay'
import { AT, CHANGED_AT, NEVER, hoursSince, lanesOf, timeOf } from './times'
import { CHANGES_LEAST, LEAST, SQUARE, VARIANCE_LEAST, meanKept } from './moments'
import { peersAt, placeAmong } from './cohort'

const HOUR: f64 = 3600000.0
const NAN_BITS: u32 = 0x7fc00000

/** The block: four columns of four vectors each, feature by feature. */
const BLOCK: usize = memory.data(256, 16)
const VALUE: usize = 0
const RESIDUALS: usize = 16
const DEVIATIONS: usize = 64
const TREND: usize = 112
const DECAYED_CHANGES: usize = 128
const SINCE_CHANGE: usize = 176
const STALE: usize = 192
const MAX: usize = 208
const COLUMNS_END: usize = 224

export let rowCount: u32 = 0

export function rowsReady(): u32 {
  return rowCount
}

export function clearRows(): void {
  rowCount = 0
}

/** Appends a row; false when the buffer is full. */
export function emitRow(node: u32, t: f64, trigger: u32): bool {
  if (rowCount == rowsMax) return false
  store<u32>(rowNodes + rowCount * 4, node)
  store<f64>(rowTimes + rowCount * 8, t)
  store<u8>(rowTriggers + rowCount, <u8>trigger)
  const row = matrix + <usize>rowCount * featureCount * 4
  const tile = tileOf(node)
  const lane = laneOf(node)
  emitMetrics(tile, lane, row, t)
  if (peerCount != 0) emitPeers(tile, lane, row, t)
  let out = row + (featureCount - attributeCount - 1) * 4
  const attributes = attributesOf(tile, lane)
  for (let a: u32 = 0; a < attributeCount; a++, out += 4) {
    const value = load<f64>(attributes + a * 8)
    put(out, load<u32>(ATTRIBUTE_SINCE + a * 4) != 0 ? hours(t - value) : f32Of(value))
  }
  put(out, hours(t - load<f64>(lineOf(tile, lane), FIRST_AT)))
  rowCount++
  return true
}

function emitMetrics(tile: usize, lane: u32, row: usize, t: f64): void {
  const last = load<f64>(lineOf(tile, lane), LAST_AT)
  decayOver(t > last ? (last == -Infinity ? 0 : t - last) : 0)
  const age = f32x4.splat(hours(t - last))
  let values = valuesOf(tile, lane)
  let moments = momentsOf(tile, lane)
  let history = historyOf(tile, lane)
  const states = statesOf(tile, lane)
  for (let q: u32 = 0; q < quadCount; q++) {
    const state = <u32>load<u8>(states + q)
    const apart = state & 15
    const fresh = state >> 4
    const never = apart == 0 ? 0 : setFactors(history, apart, t)
    const factors = apart == 0 ? NODE_FACTORS : LANE_FACTORS
    const stale = apart == 0 ? age : v128.bitselect(hoursSince(history, AT, t), age, lanesOf(apart))
    const since =
      fresh == 15 ? age : v128.bitselect(age, hoursSince(history, CHANGED_AT, t), lanesOf(fresh))
    const value = v128.load(values)
    v128.store(BLOCK + VALUE, value)
    const signals = <u32>load<u8>(SIGNALS + q)
    emitMoments(moments, value, factors, signals)
    if (signals != 0) emitMeans(value, lanesOf(signals))
    v128.store(BLOCK + SINCE_CHANGE, meant(since))
    v128.store(BLOCK + STALE, stale)
    if (never != 0 || !i32x4.all_true(f32x4.eq(value, value))) clean(lanesOf(never))
    turn()
    scatter(q, row)
    values += VALUES_BYTES
    moments += MOMENTS_BYTES
    history += HISTORY_BYTES
  }
}

/** Each lane's own decay to t. Returns the lanes that never had a value. */
function setFactors(history: usize, apart: u32, t: f64): u32 {
  let never: u32 = 0
  copyFactors()
  for (let own = apart; own != 0; own &= own - 1) {
    const lane = ctz(own)
    const at = timeOf(history, AT, lane)
    if (at == NEVER) never |= 1 << lane
    else decayLane(lane, t > at ? t - at : 0)
  }
  return never
}

/** Residual and deviation at each half-life, the trend (short mean minus long mean), changes, maximum. */
function emitMoments(moments: usize, value: v128, factors: usize, signals: u32): void {
  for (let h: usize = 0; h < 48; h += 16) {
    const k = v128.load(factors + h, KEPT)
    const away = f32x4.sub(value, v128.load(moments + h, MEAN))
    const square = f32x4.mul(away, away)
    const far = f32x4.ge(square, v128.load(LEAST, SQUARE))
    const variance = over(v128.load(moments + h, VARIANCE), v128.load(LEAST, VARIANCE_LEAST))
    const changes = over(v128.load(moments + h, CHANGES), v128.load(LEAST, CHANGES_LEAST))
    const counted = f32x4.mul(changes, k)
    const meanKeeps = signals == 0 ? k : meanKept(k, counted, lanesOf(signals))
    const kept = f32x4.mul(k, variance)
    const spread = f32x4.mul(v128.load(factors + h, SPREAD), v128.and(square, far))
    v128.store(BLOCK + RESIDUALS + h, f32x4.mul(v128.and(away, far), meanKeeps))
    v128.store(BLOCK + DEVIATIONS + h, f32x4.sqrt(f32x4.add(kept, spread)))
    v128.store(BLOCK + DECAYED_CHANGES + h, counted)
  }
  const trend = f32x4.sub(v128.load(BLOCK + RESIDUALS + 32), v128.load(BLOCK + RESIDUALS))
  v128.store(BLOCK + TREND, trend)
  v128.store(BLOCK + MAX, v128.load(moments, MAXIMUM))
}

/** A signal never stands still, so that its changes tell nothing: in their place are its means. */
function emitMeans(value: v128, signals: v128): void {
  for (let h: usize = 0; h < 48; h += 16) {
    const mean = f32x4.sub(value, v128.load(BLOCK + RESIDUALS + h))
    const changes = v128.load(BLOCK + DECAYED_CHANGES + h)
    v128.store(BLOCK + DECAYED_CHANGES + h, v128.bitselect(mean, changes, signals))
  }
}

/** Zero where it is the least there is. */
function over(x: v128, least: v128): v128 {
  return v128.and(x, f32x4.gt(x, least))
}

/** Makes NaN of all features of the lanes in `never`, and of what follows from a missing value. */
function clean(never: v128): void {
  const value = v128.load(BLOCK + VALUE)
  const unknown = f32x4.ne(value, value)
  for (let at = RESIDUALS; at < DECAYED_CHANGES; at += 16) {
    v128.store(BLOCK + at, v128.or(v128.load(BLOCK + at), unknown))
  }
  for (let at = VALUE; at < COLUMNS_END; at += 16) {
    v128.store(BLOCK + at, meant(v128.or(v128.load(BLOCK + at), never)))
  }
}

/** A NaN's bits differ between machines unless we choose them, and rows are compared bit by bit. */
function meant(x: v128): v128 {
  return v128.bitselect(x, i32x4.splat(NAN_BITS), f32x4.eq(x, x))
}

/** Turns each column of four vectors, in place: then vector i of it holds metric i's four features. */
function turn(): void {
  for (let at = BLOCK; at < BLOCK + 256; at += 64) {
    const a = v128.load(at)
    const b = v128.load(at, 16)
    const c = v128.load(at, 32)
    const d = v128.load(at, 48)
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5)
    const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5)
    const ef = v128.shuffle<f32>(a, b, 2, 6, 3, 7)
    const gh = v128.shuffle<f32>(c, d, 2, 6, 3, 7)
    v128.store(at, v128.shuffle<i64>(ab, cd, 0, 2))
    v128.store(at, v128.shuffle<i64>(ab, cd, 1, 3), 16)
    v128.store(at, v128.shuffle<i64>(ef, gh, 0, 2), 32)
    v128.store(at, v128.shuffle<i64>(ef, gh, 1, 3), 48)
  }
}

/** Writes each metric's features where they belong. A code has no moments and no maximum. */
function scatter(q: u32, row: usize): void {
  const count = min<u32>(4, metricCount - q * 4)
  for (let i: u32 = 0; i < count; i++) {
    const metric = q * 4 + i
    const from = BLOCK + i * 16
    const out = row + load<u32>(FEATURES_AT + metric * 4)
    const changes = v128.load(from, DECAYED_CHANGES)
    if (load<u32>(METRIC_KIND + metric * 4) == CODE) {
      store<u32>(out, load<u32>(from))
      v128.store(out, changes, 4)
      store<u32>(out, load<u32>(from, STALE), 20)
      continue
    }
    v128.store(out, v128.load(from))
    v128.store(out, v128.load(from, DEVIATIONS), 16)
    v128.store(out, changes, 32)
    store<u64>(out, load<u64>(from, STALE), 48)
  }
}

function emitPeers(tile: usize, lane: u32, row: usize, t: f64): void {
  const table = peersAt(load<u32>(lineOf(tile, lane), COHORT), t)
  const values = valuesOf(tile, lane)
  for (let p: u32 = 0; p < peerCount; p++) {
    const value = load<f32>(values + load<u32>(PEER_VALUE + p * 4))
    put(row + load<u32>(PEER_FEATURE + p * 4), placeAmong(table, p, value))
  }
}

function hours(ms: f64): f32 {
  return f32Of(ms / HOUR)
}

function put(out: usize, value: f32): void {
  if (value == value) store<f32>(out, value)
  else store<u32>(out, NAN_BITS)
}
