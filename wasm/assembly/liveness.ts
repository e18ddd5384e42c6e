// Signs of life: when each node was last seen, how regularly, and who fell silent. Silence counts
// observed time only, so that our own lag never looks like a dead node.
import {
  ARRIVAL_MEAN,
  ARRIVAL_VARIANCE,
  LANES,
  LAST_SEEN,
  SEEN,
  SILENT,
  USED,
  fieldOf,
  flagsOf,
  laneOf,
  lineOf,
  seenObservedOf,
  tileOf,
} from './layout'
import { listed, slotCount } from './node-slot'

/** How much an append time may lie after the watermark and still move what was observed. */
const AHEAD_MAX: f64 = 2000
const ARRIVAL_WEIGHT: f64 = 1.0 / 16.0
/** Less is none, in ms²: a sender as regular as that would end in denormals. */
const SPREAD_MIN: f64 = 1e-6

export function lifeSign(
  tile: usize,
  lane: u32,
  appendedAt: f64,
  observedAt: f64,
  watermark: f64,
): void {
  const line = lineOf(tile, lane)
  const flags = flagsOf(tile, lane)
  const seen = (load<u32>(flags) & SEEN) != 0
  if (!seen) store<u32>(flags, load<u32>(flags) | SEEN)
  if (!seen || appendedAt > load<f64>(line, LAST_SEEN)) store<f64>(line, appendedAt, LAST_SEEN)
  const ahead = appendedAt - watermark
  const at = observedAt + (ahead > 0 ? min<f64>(ahead, AHEAD_MAX) : 0)
  const lastObserved = seenObservedOf(tile, lane)
  const gap = at - load<f64>(lastObserved)
  if (seen && !(gap > 0)) return
  store<f64>(lastObserved, at)
  if (seen) foldArrival(line, gap)
}

function foldArrival(line: usize, gap: f64): void {
  const mean = <f64>load<f32>(line, ARRIVAL_MEAN)
  const variance = <f64>load<f32>(line, ARRIVAL_VARIANCE)
  const d = gap - mean
  store<f32>(line, <f32>(mean + d * ARRIVAL_WEIGHT), ARRIVAL_MEAN)
  const spread = (1.0 - ARRIVAL_WEIGHT) * (variance + ARRIVAL_WEIGHT * (d * d))
  store<f32>(line, spread < SPREAD_MIN ? 0 : <f32>spread, ARRIVAL_VARIANCE)
}

/**
 * Lists the nodes whose liveness changed, silent ones with the top bit set, and remembers it. A node
 * is silent when observed time since its last sign of life exceeds `silence`. Returns the count.
 */
export function sweep(observedNow: f64, silence: f64): u32 {
  let count: u32 = 0
  for (let first: u32 = 0; first < slotCount; first += LANES) {
    const tile = tileOf(first)
    const lanes = min<u32>(LANES, slotCount - first)
    for (let lane: u32 = 0; lane < lanes; lane++) {
      const flags = flagsOf(tile, lane)
      const before = load<u32>(flags)
      if ((before & (USED | SEEN)) != (USED | SEEN)) continue
      const silent = observedNow - load<f64>(seenObservedOf(tile, lane)) > silence
      if (silent == ((before & SILENT) != 0)) continue
      store<u32>(flags, before ^ SILENT)
      const node = first + lane
      store<u32>(listed + count * 4, silent ? node | 0x80000000 : node)
      count++
    }
  }
  return count
}

/** Regular senders would otherwise be suspected after a hair's delay; see src/state/phi.ts. */
const DEVIATION_RATIO_MIN: f64 = 0.25

/**
 * Lists the nodes that are not silent and have been quiet for longer than `quiet`, and for longer than
 * their habit by so many deviations. Returns the count.
 */
export function suspects(observedNow: f64, quiet: f64, deviations: f64): u32 {
  let count: u32 = 0
  for (let first: u32 = 0; first < slotCount; first += LANES) {
    const tile = tileOf(first)
    const lanes = min<u32>(LANES, slotCount - first)
    for (let lane: u32 = 0; lane < lanes; lane++) {
      // Nearly every node spoke within its interval: one comparison each.
      const gap = observedNow - load<f64>(seenObservedOf(tile, lane))
      if (!(gap > quiet)) continue
      const flags = load<u32>(flagsOf(tile, lane))
      if ((flags & (USED | SEEN | SILENT)) != (USED | SEEN)) continue
      const line = lineOf(tile, lane)
      const mean = <f64>load<f32>(line, ARRIVAL_MEAN)
      const spread = sqrt<f64>(<f64>load<f32>(line, ARRIVAL_VARIANCE))
      const deviation = max<f64>(max<f64>(spread, mean * DEVIATION_RATIO_MIN), 1)
      if (gap - mean < deviations * deviation) continue
      store<u32>(listed + count * 4, first + lane)
      count++
    }
  }
  return count
}

export function isSilent(node: u32): u32 {
  return load<u32>(flagsOf(tileOf(node), laneOf(node))) & SILENT
}
export function lastSeenAt(node: u32): f64 {
  return load<f64>(fieldOf(node, LAST_SEEN))
}
export function lastSeenObservedAt(node: u32): f64 {
  return load<f64>(seenObservedOf(tileOf(node), laneOf(node)))
}
export function arrivalMean(node: u32): f64 {
  return <f64>load<f32>(fieldOf(node, ARRIVAL_MEAN))
}
export function arrivalVariance(node: u32): f64 {
  return <f64>load<f32>(fieldOf(node, ARRIVAL_VARIANCE))
}

/** For JavaScript: a sign of life without a sample. */
export function signLife(node: u32, appendedAt: f64, observedAt: f64, watermark: f64): void {
  lifeSign(tileOf(node), laneOf(node), appendedAt, observedAt, watermark)
}
