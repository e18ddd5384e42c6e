// Health of every node: 0.40 network + 0.30 uptime + 0.20 resources + 0.10 trust, over whole tiles,
// four lanes at a time. A part is as healthy as its worst metric. Reference: src/state/health.ts.
import {
  FLAGS,
  HEALTH_BAD,
  HEALTH_GOOD,
  LANES,
  LAST_AT,
  METRIC_BYTES,
  METRIC_HEALTH,
  USED,
  VALUE,
  metricCount,
  metricsAt,
  tileOf,
} from './layout'
import { healthAt, slotCount } from './node-slot'

/** f32 of each part for 16 nodes. */
const WORST_BYTES: usize = 4 * 64
const WORST: usize = memory.data(4 * 64, 16)

export function healthPointer(): u32 {
  return <u32>healthAt
}

/** Writes f32 [slots]: NaN before a node's first sample. */
export function healthScores(): void {
  for (let node: u32 = 0; node < slotCount; node += LANES) scoreTile(node)
}

/** Health of one node; NaN before its first sample. */
export function healthOf(node: u32): f64 {
  scoreTile(node & ~(LANES - 1))
  return <f64>load<f32>(healthAt + node * 4)
}

function scoreTile(first: u32): void {
  const tile = tileOf(first)
  for (let part: usize = 0; part < WORST_BYTES; part += 16) {
    v128.store(WORST + part, f32x4.splat(1))
  }
  for (let m: u32 = 0; m < metricCount; m++) {
    const part = load<i32>(METRIC_HEALTH + m * 4)
    if (part >= 0) worsen(WORST + part * 64, tile + metricsAt + m * METRIC_BYTES + VALUE, m)
  }
  const to = healthAt + first * 4
  for (let quad: usize = 0; quad < 64; quad += 16) {
    let score = f32x4.mul(v128.load(WORST + quad), f32x4.splat(0.4))
    score = f32x4.add(score, f32x4.mul(v128.load(WORST + quad, 64), f32x4.splat(0.3)))
    score = f32x4.add(score, f32x4.mul(v128.load(WORST + quad, 128), f32x4.splat(0.2)))
    score = f32x4.add(score, f32x4.mul(v128.load(WORST + quad, 192), f32x4.splat(0.1)))
    v128.store(to + quad, score)
  }
  for (let lane: u32 = 0; lane < LANES; lane++) {
    const used = (load<u32>(tile + FLAGS + lane * 4) & USED) != 0
    const sampled = load<f64>(tile + LAST_AT + lane * 8) != -Infinity
    if (!(used && sampled)) store<f32>(to + lane * 4, <f32>NaN)
  }
}

/** Takes one metric of 16 nodes into the worst of its part. */
function worsen(worst: usize, values: usize, metric: u32): void {
  const bad = load<f32>(HEALTH_BAD + metric * 4)
  const range = f32x4.splat(load<f32>(HEALTH_GOOD + metric * 4) - bad)
  for (let quad: usize = 0; quad < 64; quad += 16) {
    const ratio = f32x4.div(f32x4.sub(v128.load(values + quad), f32x4.splat(bad)), range)
    // pmin and pmax keep the first operand where the other is NaN: a missing value says nothing.
    const least = f32x4.pmin(v128.load(worst + quad), ratio)
    v128.store(worst + quad, f32x4.pmax(least, f32x4.splat(0)))
  }
}
