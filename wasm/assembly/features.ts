// One row of the feature tensor: a node's state as of time t, decayed to t without changing it.
// The order is that of src/state/features.ts. Missing is NaN.
import {
  AT,
  ATTRIBUTES,
  ATTRIBUTE_SINCE,
  CHANGED_AT,
  CHANGES,
  CODE,
  COHORT,
  FIRST_AT,
  MAXIMUM,
  MEAN,
  METRIC_BYTES,
  METRIC_KIND,
  METRIC_PEER,
  VALUE,
  VARIANCE,
  attributeCount,
  entryOf,
  featureCount,
  field32,
  field64,
  matrix,
  metricCount,
  metricsAt,
  rowNodes,
  rowTimes,
  rowTriggers,
  rowsMax,
  tileOf,
} from './layout'
import { decay0, decay1, decay2, decayOver, f32Of } from './decay'
import { placeAmongPeers } from './cohort'

const HOUR: f64 = 3600000.0

export let rowCount: u32 = 0
let out: usize = 0

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
  out = matrix + <usize>rowCount * featureCount * 4
  const cohort = load<u32>(field32(node, COHORT))
  let block = tileOf(node) + metricsAt
  for (let m: u32 = 0; m < metricCount; m++, block += METRIC_BYTES) {
    const kind = load<u32>(METRIC_KIND + m * 4)
    const value = load<f32>(block + VALUE + (node & 15) * 4)
    emitMetric(entryOf(block, node), value, kind, t)
    const peer = load<i32>(METRIC_PEER + m * 4)
    if (peer >= 0) put(placeAmongPeers(cohort, <u32>peer, t, value))
  }
  for (let a: u32 = 0; a < attributeCount; a++) {
    const value = load<f64>(field64(node, ATTRIBUTES + a * 128))
    put(load<u32>(ATTRIBUTE_SINCE + a * 4) != 0 ? hours(t - value) : f32Of(value))
  }
  put(hours(t - load<f64>(field64(node, FIRST_AT))))
  rowCount++
  return true
}

function emitMetric(entry: usize, value: f32, kind: u32, t: f64): void {
  const at = load<f64>(entry + AT)
  if (at == -Infinity) {
    for (let i: u32 = kind == CODE ? 6 : 14; i > 0; i--) put(<f32>NaN)
    return
  }
  decayOver(t > at ? t - at : 0)
  put(value)
  if (kind != CODE) emitMoments(entry, <f64>value)
  put(f32Of(<f64>load<f32>(entry + CHANGES) * decay0))
  put(f32Of(<f64>load<f32>(entry + CHANGES, 4) * decay1))
  put(f32Of(<f64>load<f32>(entry + CHANGES, 8) * decay2))
  put(hours(t - load<f64>(entry + CHANGED_AT)))
  put(hours(t - at))
  if (kind != CODE) put(load<f32>(entry + MAXIMUM))
}

/** Residual and standard deviation at each half-life, and the trend: short mean minus long mean. */
function emitMoments(entry: usize, held: f64): void {
  const d0 = <f64>load<f32>(entry + MEAN) - held
  const d1 = <f64>load<f32>(entry + MEAN, 4) - held
  const d2 = <f64>load<f32>(entry + MEAN, 8) - held
  put(f32Of(-(d0 * decay0)))
  put(f32Of(-(d1 * decay1)))
  put(f32Of(-(d2 * decay2)))
  putDeviation(entry + VARIANCE, d0, decay0)
  putDeviation(entry + VARIANCE + 4, d1, decay1)
  putDeviation(entry + VARIANCE + 8, d2, decay2)
  put(f32Of(d0 * decay0 - d2 * decay2))
}

function putDeviation(variance: usize, d: f64, decay: f64): void {
  put(f32Of(sqrt<f64>(decay * <f64>load<f32>(variance) + decay * (1.0 - decay) * (d * d))))
}

function hours(ms: f64): f32 {
  return f32Of(ms / HOUR)
}

/** A NaN's bits differ between machines unless we choose them, and rows are compared bit by bit. */
function put(value: f32): void {
  if (value == value) store<f32>(out, value)
  else store<u32>(out, 0x7fc00000)
  out += 4
}
