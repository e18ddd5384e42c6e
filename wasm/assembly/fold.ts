// Folds staged samples into the tiles. Each metric is a held signal: between two samples it stands at
// the older one's value, and means and variances are those of the signal, weighted by 2^(-age/half-life).
// Four metrics are folded at once. Mostly all four have a value in every sample, and then there is no
// branch on a metric; whatever is not so plain goes through `foldPart`.
// Reference: src/state/reference.ts.
import {
  FIRST_AT,
  GAPS,
  HISTORY_BYTES,
  LAST_AT,
  MOMENTS_BYTES,
  NEXT_GRID,
  NO_NODE,
  SAMPLED,
  VALUES_BYTES,
  flagsOf,
  historyOf,
  laneOf,
  lineOf,
  momentsOf,
  quadCount,
  rawOf,
  seenObservedOf,
  statesOf,
  tileOf,
  valuesOf,
} from './layout'
import { COUNTERS, COUNTER_INDEX, PADS, SIGNALS, VALUE_MAX } from './metrics'
import {
  LANE_FACTORS,
  NODE_FACTORS,
  copyFactors,
  decayLane,
  decayOver,
  f32Of,
  nodeElapsed,
} from './decay'
import { AT, CHANGED_AT, NEVER, TIME_MAX, lanesOf, setTimes, timeOf } from './times'
import {
  NEXT,
  flushed,
  gatherFew,
  gatherQuad,
  inBounds,
  outOfBounds,
  stagedOf,
  within,
} from './gather'
import { holdAll, holdSome } from './moments'
import { foldMissing } from './missing'
import { staged, stagedAppended, stagedAt, stagedNodes } from './staging'
import { emitDue, firstGrid, queueChanged } from './grid'
import { lifeSign } from './liveness'

const ALL: u32 = 15
/** Rows looked at before they are folded; what they touch fits the smallest cache. */
const AHEAD: u32 = 16
/** Only to be written, so that no touch is optimised away. */
let touched: u32 = 0

let cursor: u32 = 0
export let rowsFolded: f64 = 0
export let rowsLate: f64 = 0
export let rowsRejected: f64 = 0

export function beginFold(): void {
  cursor = 0
}

/** 0 when the row buffer is full: take the rows and call again. 1 when everything staged is folded. */
export function foldStaged(observedAt: f64, watermark: f64): u32 {
  for (; cursor < staged; cursor++) {
    if (cursor % AHEAD == 0) lookAhead()
    const node = load<u32>(stagedNodes + cursor * 4)
    const at = <f64>load<i64>(stagedAt + cursor * 8)
    if (node == NO_NODE || !(abs<f64>(at) <= TIME_MAX)) {
      rowsRejected += 1
      continue
    }
    const tile = tileOf(node)
    const lane = laneOf(node)
    const line = lineOf(tile, lane)
    if (load<f64>(line, NEXT_GRID) < at && !emitDue(node, line, at)) return 0
    if (foldRow(tile, lane, at)) {
      rowsFolded += 1
      queueChanged(node, flagsOf(tile, lane))
    } else {
      rowsLate += 1
    }
    const appendedAt = <f64>load<i64>(stagedAppended + cursor * 8)
    lifeSign(tile, lane, appendedAt, observedAt, watermark)
  }
  return 1
}

/**
 * Touches what the next rows will change, so that a large table's misses of the cache overlap instead
 * of following each other. Nodes in a row are left to the processor, which looks ahead by itself.
 */
function lookAhead(): void {
  const end = min<u32>(cursor + AHEAD, staged)
  const first = load<u32>(stagedNodes + cursor * 4)
  const last = load<u32>(stagedNodes + (end - 1) * 4)
  if (last - first == end - 1 - cursor) return
  const momentsBytes = quadCount * MOMENTS_BYTES
  let sum: u32 = 0
  for (let row = cursor; row < end; row++) {
    const node = load<u32>(stagedNodes + row * 4)
    if (node == NO_NODE) continue
    const tile = tileOf(node)
    const lane = laneOf(node)
    sum += load<u32>(lineOf(tile, lane)) + load<u32>(flagsOf(tile, lane))
    sum += load<u32>(seenObservedOf(tile, lane)) + load<u8>(statesOf(tile, lane))
    sum += load<u32>(valuesOf(tile, lane))
    const moments = momentsOf(tile, lane)
    for (let at: usize = 0; at < momentsBytes; at += 64) sum += load<u32>(moments + at)
  }
  touched = sum
}

/** Of the row being folded. */
let rowAt: f64 = 0
/** Time of the node's newest sample before it; -Infinity before the first. */
let lastAt: f64 = 0
let raws: usize = 0

/** False when the sample is late: it changed nothing. */
function foldRow(tile: usize, lane: u32, at: f64): bool {
  const line = lineOf(tile, lane)
  rowAt = at
  lastAt = load<f64>(line, LAST_AT)
  raws = rawOf(tile, lane)
  const newer = at > lastAt
  if (newer) beginRow(tile, lane, line)
  let values = valuesOf(tile, lane)
  let moments = momentsOf(tile, lane)
  let history = historyOf(tile, lane)
  const stride = <usize>staged * 8
  let column = stagedOf(0, cursor)
  let absent: u64 = 0
  let taken: u32 = 0
  const states = statesOf(tile, lane)
  for (let q: u32 = 0; q < quadCount; q++) {
    const pads = <u32>load<u8>(PADS + q)
    const raw = pads == 0 ? gatherQuad(column, stride) : gatherFew(q, column, stride)
    const inside = within(q, raw)
    const present = <u32>i32x4.bitmask(inside) | pads
    const state = <u32>load<u8>(states + q)
    const odd = (present ^ ALL) | (state & ALL) | load<u8>(COUNTERS + q)
    if (newer && odd == 0) {
      foldWhole(q, states + q, state, values, moments, history, flushed(raw))
    } else {
      v128.store(NEXT, inBounds(raw, inside))
      absent |= (<u64>(present ^ ALL)) << (q * 4)
      // A sample that is not newer can tell only of metrics that were missing in the newest.
      const told = newer ? present : present & state & ALL
      if (newer || told != 0) taken |= foldPart(q, states + q, values, moments, history, told)
    }
    column += stride * 4
    values += VALUES_BYTES
    moments += MOMENTS_BYTES
    history += HISTORY_BYTES
  }
  if (!newer) return taken != 0
  store<f64>(line, at, LAST_AT)
  const flags = flagsOf(tile, lane)
  if (absent != 0 || (load<u32>(flags) & GAPS) != 0) foldGaps(tile, lane, absent)
  return true
}

function beginRow(tile: usize, lane: u32, line: usize): void {
  if (lastAt != -Infinity) {
    const elapsed = rowAt - lastAt
    // Asked here, because a call costs as much as the answer.
    if (elapsed != nodeElapsed) decayOver(elapsed)
    return
  }
  store<f64>(line, rowAt, FIRST_AT)
  store<f64>(line, firstGrid(rowAt), NEXT_GRID)
  store<u32>(flagsOf(tile, lane), load<u32>(flagsOf(tile, lane)) | SAMPLED)
}

/** The missing ratios, which mostly all are zero. `absent` has a bit per metric. */
function foldGaps(tile: usize, lane: u32, absent: u64): void {
  const flags = flagsOf(tile, lane)
  let gaps: u32 = 0
  for (let q: u32 = 0; q < quadCount; q++) {
    const history = historyOf(tile, lane) + q * HISTORY_BYTES
    const present = lanesOf(<u32>(~absent >> (q * 4)))
    if (foldMissing(history, present)) gaps = GAPS
  }
  store<u32>(flags, (load<u32>(flags) & ~GAPS) | gaps)
}

/** Four metrics that the sample before had too, and that no reading has to be worked out of. */
function foldWhole(
  q: u32,
  stateAt: usize,
  state: u32,
  values: usize,
  moments: usize,
  history: usize,
  next: v128,
): void {
  const held = v128.load(values)
  const changed = f32x4.ne(next, held)
  v128.store(values, next)
  const signals = <u32>load<u8>(SIGNALS + q)
  if (signals == 0) holdAll(moments, held, next, changed, NODE_FACTORS)
  else holdSome(moments, held, next, lanesOf(ALL), changed, lanesOf(signals), NODE_FACTORS)
  const fresh = (<u32>i32x4.bitmask(changed)) << 4
  if (fresh == state) return
  const settled = (state & ~fresh) >> 4
  if (settled != 0) setTimes(history, CHANGED_AT, settled, lastAt)
  store<u8>(stateAt, fresh)
}

/** Any quad: the next values are in NEXT. Returns the lanes that took theirs. */
function foldPart(
  q: u32,
  stateAt: usize,
  values: usize,
  moments: usize,
  history: usize,
  present: u32,
): u32 {
  const state = <u32>load<u8>(stateAt)
  const apart = state & ALL
  let takes = present
  let known = present
  copyFactors()
  for (let own = present & apart; own != 0; own &= own - 1) {
    const lane = ctz(own)
    const at = timeOf(history, AT, lane)
    if (at == NEVER) known ^= 1 << lane
    else if (rowAt > at) decayLane(lane, rowAt - at)
    else takes ^= 1 << lane
  }
  if (takes == 0) {
    if (rowAt > lastAt) move(stateAt, history, state, present, 0)
    return 0
  }
  const counters = load<u8>(COUNTERS + q) & takes
  const held = v128.load(values)
  const moved = counters == 0 ? 0 : foldCounters(q, history, apart, counters, known)
  const next = v128.load(NEXT)
  const differs = <u32>i32x4.bitmask(f32x4.ne(next, held))
  const changed = ((differs & ~counters) | moved) & takes & known
  const mask = lanesOf(takes)
  v128.store(values, v128.bitselect(next, held, mask))
  const signals = lanesOf(load<u8>(SIGNALS + q))
  holdSome(moments, held, next, mask, lanesOf(changed), signals, LANE_FACTORS)
  if (rowAt > lastAt) move(stateAt, history, state, present, changed)
  else catchUp(stateAt, history, state, takes, changed)
  return takes
}

/** The node's newest sample is now this one: what it has no word of, or did not move, keeps its time. */
function move(stateAt: usize, history: usize, state: u32, present: u32, changed: u32): void {
  const settled = (state >> 4) & ~changed
  if (settled != 0) setTimes(history, CHANGED_AT, settled, lastAt)
  const absent = ~present & ALL
  const left = absent & ~state
  if (left != 0) setTimes(history, AT, left, lastAt)
  store<u8>(stateAt, absent | (changed << 4))
}

/** The node's newest sample stays: the lanes come nearer to it, or up to it. */
function catchUp(stateAt: usize, history: usize, state: u32, takes: u32, changed: u32): void {
  if (rowAt == lastAt) {
    store<u8>(stateAt, (state & ~takes) | (changed << 4))
    return
  }
  setTimes(history, AT, takes, rowAt)
  setTimes(history, CHANGED_AT, changed, rowAt)
}

/**
 * Makes rates per second of the counters' readings in NEXT; NaN for a first one. Returns the lanes whose
 * reading moved.
 */
function foldCounters(q: u32, history: usize, apart: u32, lanes: u32, known: u32): u32 {
  let moved: u32 = 0
  for (let left = lanes; left != 0; left &= left - 1) {
    const lane = ctz(left)
    const bit: u32 = 1 << lane
    const raw = load<f64>(stagedOf(q * 4 + lane, cursor))
    const rawAt = raws + load<u32>(COUNTER_INDEX + (q * 4 + lane) * 4) * 8
    const lastRaw = load<f64>(rawAt)
    store<f64>(rawAt, raw)
    let rate: f64 = NaN
    if ((known & bit) != 0) {
      const elapsed = rowAt - ((apart & bit) != 0 ? timeOf(history, AT, lane) : lastAt)
      // A counter that fell was reset: it counts from zero again (the rule that Prometheus has).
      rate = (raw >= lastRaw ? raw - lastRaw : raw) / (elapsed / 1000.0)
      if (raw != lastRaw) moved |= bit
    }
    store<f32>(NEXT + lane * 4, f32Of(min<f64>(rate, VALUE_MAX)))
  }
  return moved
}

/** Rows seen, folded, late, rejected, values out of bounds: since the table was made. */
export function countOf(which: u32): f64 {
  if (which == 0) return rowsFolded + rowsLate + rowsRejected
  if (which == 1) return rowsFolded
  if (which == 2) return rowsLate
  return which == 3 ? rowsRejected : outOfBounds
}
