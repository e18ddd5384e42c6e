// Signs of life: when each node was last seen, how regularly, and who fell silent. Silence counts
// observed time only, so that our own lag never looks like a dead node.
import {
  ARRIVAL_MEAN,
  ARRIVAL_VARIANCE,
  FLAGS,
  LANES,
  LAST_SEEN,
  LAST_SEEN_OBSERVED,
  SEEN,
  SILENT,
  USED,
  field32,
  field64,
  tileOf,
} from './layout'
import { f32Of } from './decay'
import { listed, slotCount } from './node-slot'

/** How much an append time may lie after the watermark and still move what was observed. */
const AHEAD_MAX: f64 = 2000
const ARRIVAL_WEIGHT: f64 = 1.0 / 16.0

export function lifeSign(node: u32, appendedAt: f64, observedAt: f64, watermark: f64): void {
  const flags = field32(node, FLAGS)
  const seen = (load<u32>(flags) & SEEN) != 0
  store<u32>(flags, load<u32>(flags) | SEEN)
  const lastSeen = field64(node, LAST_SEEN)
  if (!seen || appendedAt > load<f64>(lastSeen)) store<f64>(lastSeen, appendedAt)
  const ahead = appendedAt - watermark
  const at = observedAt + (ahead > 0 ? min<f64>(ahead, AHEAD_MAX) : 0)
  const lastObserved = field64(node, LAST_SEEN_OBSERVED)
  const gap = at - load<f64>(lastObserved)
  if (seen && !(gap > 0)) return
  store<f64>(lastObserved, at)
  if (seen) foldArrival(node, gap)
}

function foldArrival(node: u32, gap: f64): void {
  const mean = field32(node, ARRIVAL_MEAN)
  const variance = field32(node, ARRIVAL_VARIANCE)
  const d = gap - <f64>load<f32>(mean)
  store<f32>(mean, f32Of(<f64>load<f32>(mean) + d * ARRIVAL_WEIGHT))
  const spread = <f64>load<f32>(variance) + ARRIVAL_WEIGHT * (d * d)
  store<f32>(variance, f32Of((1.0 - ARRIVAL_WEIGHT) * spread))
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
      const flags = tile + FLAGS + lane * 4
      const before = load<u32>(flags)
      if ((before & (USED | SEEN)) != (USED | SEEN)) continue
      const silent = observedNow - load<f64>(tile + LAST_SEEN_OBSERVED + lane * 8) > silence
      if (silent == ((before & SILENT) != 0)) continue
      store<u32>(flags, before ^ SILENT)
      const node = first + lane
      store<u32>(listed + count * 4, silent ? node | 0x80000000 : node)
      count++
    }
  }
  return count
}

export function isSilent(node: u32): u32 {
  return load<u32>(field32(node, FLAGS)) & SILENT
}
export function lastSeenAt(node: u32): f64 {
  return load<f64>(field64(node, LAST_SEEN))
}
export function lastSeenObservedAt(node: u32): f64 {
  return load<f64>(field64(node, LAST_SEEN_OBSERVED))
}
export function arrivalMean(node: u32): f64 {
  return <f64>load<f32>(field32(node, ARRIVAL_MEAN))
}
export function arrivalVariance(node: u32): f64 {
  return <f64>load<f32>(field32(node, ARRIVAL_VARIANCE))
}

/** For JavaScript: a sign of life without a sample. */
export function signLife(node: u32, appendedAt: f64, observedAt: f64, watermark: f64): void {
  lifeSign(node, appendedAt, observedAt, watermark)
}
