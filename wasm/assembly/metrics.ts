// What is known of each metric, laid out as the kernels read it: by quads, in the order of the class.
import { METRICS_MAX, VALUES_BYTES } from './layout'

export const GAUGE: u32 = 0
export const COUNTER: u32 = 1
export const CODE: u32 = 2
export const SIGNAL: u32 = 3

/** Beyond this a float32 could not hold the square. */
export const VALUE_MAX: f64 = 1e18
const GAUGE_FEATURES: u32 = 14
const CODE_FEATURES: u32 = 6

export const METRIC_KIND: usize = memory.data(64 * 4, 16)
/** f32 lanes: the bounds, within what a value may be at all. */
export const LOW: usize = memory.data(64 * 4, 16)
export const HIGH: usize = memory.data(64 * 4, 16)
/** Bytes from a row's begin to the metric's first feature. */
export const FEATURES_AT: usize = memory.data(64 * 4, 16)
/** u8 per quad: lanes that are no metric, that are counters, that are signals, that are codes. */
export const PADS: usize = memory.data(16, 16)
export const COUNTERS: usize = memory.data(16, 16)
export const SIGNALS: usize = memory.data(16, 16)
export const CODES: usize = memory.data(16, 16)
/** u32 per metric: index among the counters. */
export const COUNTER_INDEX: usize = memory.data(64 * 4, 16)
export let counterCount: u32 = 0

/** By index among the metrics with a peer feature: where value and feature lie; f64 bounds. */
export const PEER_VALUE: usize = memory.data(64 * 4, 16)
export const PEER_FEATURE: usize = memory.data(64 * 4, 16)
export const PEER_LOW: usize = memory.data(64 * 8, 16)
export const PEER_HIGH: usize = memory.data(64 * 8, 16)

/**
 * Health takes one metric of each part at a time. A round holds, for the four parts: u32 where the
 * value lies among the node's values, f32 bad, f32 1 / (good - bad); NaN where the part has no more metrics.
 */
export const ROUND_BYTES: u32 = 48
export const ROUNDS: usize = memory.data(64 * 48, 16)
export let roundCount: u32 = 0
const PART_SIZES: usize = memory.data(4 * 4, 16)

let featureBytes: u32 = 0

/** Call it for each metric in turn, before the table is laid out. */
export function configureMetric(
  metric: u32,
  kind: u32,
  min: f64,
  max: f64,
  peer: i32,
  part: i32,
  good: f32,
  bad: f32,
): void {
  if (metric >= METRICS_MAX) unreachable()
  store<u32>(METRIC_KIND + metric * 4, kind)
  store<f32>(LOW + metric * 4, <f32>Math.max(min, -VALUE_MAX))
  store<f32>(HIGH + metric * 4, <f32>Math.min(max, VALUE_MAX))
  store<u32>(FEATURES_AT + metric * 4, featureBytes)
  featureBytes += (kind == CODE ? CODE_FEATURES : GAUGE_FEATURES) * 4
  if ((metric & 3) == 0) store<u8>(PADS + (metric >> 2), 15)
  flipBit(PADS, metric)
  if (kind == SIGNAL) flipBit(SIGNALS, metric)
  if (kind == CODE) flipBit(CODES, metric)
  if (kind == COUNTER) {
    flipBit(COUNTERS, metric)
    store<u32>(COUNTER_INDEX + metric * 4, counterCount++)
  }
  if (peer >= 0) {
    store<u32>(PEER_VALUE + peer * 4, metric * 4)
    store<u32>(PEER_FEATURE + peer * 4, featureBytes)
    store<f64>(PEER_LOW + peer * 8, min)
    store<f64>(PEER_HIGH + peer * 8, max)
    featureBytes += 4
  }
  if (part >= 0) addToRound(metric, part, good, bad)
}

function flipBit(quads: usize, metric: u32): void {
  const quad = quads + (metric >> 2)
  store<u8>(quad, <u8>(<u32>load<u8>(quad) ^ (1 << (metric & 3))))
}

function addToRound(metric: u32, part: u32, good: f32, bad: f32): void {
  const size = PART_SIZES + part * 4
  const round = load<u32>(size)
  store<u32>(size, round + 1)
  const at = ROUNDS + round * ROUND_BYTES
  if (round == roundCount) {
    roundCount++
    v128.store(at, f32x4.splat(<f32>NaN), 32)
  }
  store<u32>(at + part * 4, metric * (VALUES_BYTES / 4))
  store<f32>(at + part * 4, bad, 16)
  store<f32>(at + part * 4, <f32>1 / (good - bad), 32)
}
