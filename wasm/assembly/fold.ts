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
  HALF_LIFE_STEP,
  LAST_AT,
  MAXIMUM,
  MEAN,
  METRIC_BYTES,
  METRIC_KIND,
  METRIC_MAX,
  METRIC_MIN,
  MISSING,
  NEXT_GRID,
  NO_NODE,
  RAW,
  VALUE,
  VARIANCE,
  field64,
  metricCount,
  metricsAt,
  tileOf,
} from './layout'
import { decay0, decay1, decay2, decayOver, f32Of } from './decay'
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
  const lane = node & 15
  let block = tileOf(node) + metricsAt
  let taken: u32 = 0
  for (let m: u32 = 0; m < metricCount; m++, block += METRIC_BYTES) {
    let raw = load<f64>(stagedValues + (<usize>m * staged + cursor) * 8)
    if (raw == raw && !inBounds(m, raw)) {
      valuesOutOfBounds += 1
      raw = NaN
    }
    const present = raw == raw
    if (newer) foldMissing(block + MISSING + lane * 4, present)
    if (present && at > load<f64>(block + AT + lane * 8)) {
      foldValue(block, lane, load<u32>(METRIC_KIND + m * 4), at, raw)
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
  store<f32>(at, f32Of(ratio + ((present ? 0.0 : 1.0) - ratio) * MISSING_WEIGHT))
}

function foldValue(block: usize, lane: u32, kind: u32, at: f64, raw: f64): void {
  const lane64 = block + lane * 8
  const lane32 = block + lane * 4
  const lastAt = load<f64>(lane64 + AT)
  const lastRaw = load<f64>(lane64 + RAW)
  store<f64>(lane64 + AT, at)
  store<f64>(lane64 + RAW, raw)
  const first = lastAt == -Infinity
  if (!first) decayOver(at - lastAt)
  if (!first) foldChanges(lane64, lane32, at, raw != lastRaw)
  if (kind == COUNTER && first) return
  let value = raw
  // A counter that fell was reset: it counts from zero again (the rule that Prometheus has).
  if (kind == COUNTER) value = (raw >= lastRaw ? raw - lastRaw : raw) / ((at - lastAt) / 1000.0)
  foldHeld(lane32, kind, f32Of(min<f64>(value, VALUE_MAX)))
}

function foldChanges(lane64: usize, lane32: usize, at: f64, changed: bool): void {
  const one = changed ? 1.0 : 0.0
  const changes = lane32 + CHANGES
  store<f32>(changes, f32Of(<f64>load<f32>(changes) * decay0 + one))
  store<f32>(
    changes + HALF_LIFE_STEP,
    f32Of(<f64>load<f32>(changes + HALF_LIFE_STEP) * decay1 + one),
  )
  store<f32>(
    changes + HALF_LIFE_STEP * 2,
    f32Of(<f64>load<f32>(changes + HALF_LIFE_STEP * 2) * decay2 + one),
  )
  if (changed) store<f64>(lane64 + CHANGED_AT, at)
}

function foldHeld(lane32: usize, kind: u32, value: f32): void {
  const held = load<f32>(lane32 + VALUE)
  const maximum = load<f32>(lane32 + MAXIMUM)
  store<f32>(lane32 + VALUE, value)
  if (!(maximum >= value)) store<f32>(lane32 + MAXIMUM, value)
  if (kind == CODE) return
  if (held == held) {
    foldMoment(lane32, <f64>held, decay0)
    foldMoment(lane32 + HALF_LIFE_STEP, <f64>held, decay1)
    foldMoment(lane32 + HALF_LIFE_STEP * 2, <f64>held, decay2)
    return
  }
  for (let h: u32 = 0; h < 3; h++) store<f32>(lane32 + MEAN + h * HALF_LIFE_STEP, value)
}

function foldMoment(lane32: usize, held: f64, decay: f64): void {
  const mean = <f64>load<f32>(lane32 + MEAN)
  const variance = <f64>load<f32>(lane32 + VARIANCE)
  const d = mean - held
  store<f32>(lane32 + MEAN, f32Of(held + d * decay))
  store<f32>(lane32 + VARIANCE, f32Of(decay * variance + decay * (1.0 - decay) * (d * d)))
}

/** Rows seen, folded, late, rejected, values out of bounds: since the table was made. */
export function countOf(which: u32): f64 {
  if (which == 0) return rowsSeen
  if (which == 1) return rowsFolded
  if (which == 2) return rowsLate
  return which == 3 ? rowsRejected : valuesOutOfBounds
}
