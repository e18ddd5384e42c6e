// Place of a node among its cohort, from tables that came back through the log. The table of window w
// applies from window w + 2 on, so that every partition has it and a replay finds the same one.
// Reference: src/state/cohorts.ts.
import { NO_COHORT, allocate, gridInterval, peerCount } from './layout'
import { PEER_HIGH, PEER_LOW } from './metrics'

export const COHORTS_MAX: u32 = 1024
export const BINS: u32 = 64
/** Tables kept per cohort; older rows than these cover have no peers. */
export const WINDOWS: u32 = 4

/** Per cohort: WINDOWS x (f64 window, then peerCount x 64 f32 percentiles). Allocated at first use. */
const DIRECTORY: usize = memory.data(1024 * 4, 16)

function tableBytes(): u32 {
  return 64 + peerCount * BINS * 4
}

/** Where JavaScript writes the percentiles, f32 [peers x 64]: over the oldest table of the cohort. */
export function cohortTablePointer(cohort: u32, window: f64): u32 {
  let tables = <usize>load<u32>(DIRECTORY + cohort * 4)
  if (tables == 0) {
    tables = allocate(tableBytes() * WINDOWS)
    store<u32>(DIRECTORY + cohort * 4, <u32>tables)
    for (let w: u32 = 0; w < WINDOWS; w++) store<f64>(tables + w * tableBytes(), -Infinity)
  }
  let oldest = tables
  for (let w: u32 = 0; w < WINDOWS; w++) {
    const table = tables + w * tableBytes()
    const at = load<f64>(table)
    if (at == window) return <u32>table + 64
    if (at < load<f64>(oldest)) oldest = table
  }
  if (load<f64>(oldest) > window) return 0
  store<f64>(oldest, window)
  return <u32>oldest + 64
}

/** The cohort's newest table that applies at t; 0 without one. */
export function peersAt(cohort: u32, t: f64): usize {
  if (cohort == NO_COHORT) return 0
  const tables = <usize>load<u32>(DIRECTORY + cohort * 4)
  if (tables == 0) return 0
  const applies = floor<f64>(t / gridInterval) - 2
  let best: usize = 0
  let bestWindow: f64 = -Infinity
  for (let w: u32 = 0; w < WINDOWS; w++) {
    const table = tables + w * tableBytes()
    const window = load<f64>(table)
    if (window <= applies && window > bestWindow) {
      best = table
      bestWindow = window
    }
  }
  return best
}

/** Percentile 0..1 of the value in the table; NaN without one. */
export function placeAmong(table: usize, peer: u32, value: f32): f32 {
  if (table == 0 || value != value) return <f32>NaN
  return load<f32>(table + 64 + (peer * BINS + binOf(peer, value)) * 4)
}

/** Bin 0..63 between the metric's bounds; what lies outside counts in the outermost bin. */
export function binOf(peer: u32, value: f32): u32 {
  const low = load<f64>(PEER_LOW + peer * 8)
  const high = load<f64>(PEER_HIGH + peer * 8)
  const bin = floor<f64>(((<f64>value - low) / (high - low)) * <f64>BINS)
  return bin < 0 ? 0 : bin > 63 ? 63 : <u32>bin
}
