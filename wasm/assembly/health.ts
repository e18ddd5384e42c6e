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
  field32,
  field64,
  metricCount,
  metricsAt,
  tileOf,
} from './layout'
import { healthAt, slotCount } from './node-slot'

const WORST: usize = memory.data(4 * 16, 16)

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
  for (let quad: u32 = 0; quad < 4; quad++)
    scoreQuad(tile, quad * 16, healthAt + (first + quad * 4) * 4)
  for (let node = first; node < first + LANES; node++) {
    const used = (load<u32>(field32(node, FLAGS)) & USED) != 0
    if (!used || load<f64>(field64(node, LAST_AT)) == -Infinity)
      store<f32>(healthAt + node * 4, <f32>NaN)
  }
}

function scoreQuad(tile: usize, offset: u32, to: usize): void {
  for (let part: u32 = 0; part < 4; part++) v128.store(WORST + part * 16, f32x4.splat(1))
  for (let m: u32 = 0; m < metricCount; m++) {
    const part = load<i32>(METRIC_HEALTH + m * 4)
    if (part < 0) continue
    const value = v128.load(tile + metricsAt + m * METRIC_BYTES + VALUE + offset)
    const bad = load<f32>(HEALTH_BAD + m * 4)
    const range = load<f32>(HEALTH_GOOD + m * 4) - bad
    const ratio = f32x4.div(f32x4.sub(value, f32x4.splat(bad)), f32x4.splat(range))
    // pmin and pmax keep the first operand where the other is NaN: a missing value says nothing.
    const worst = v128.load(WORST + part * 16)
    v128.store(WORST + part * 16, f32x4.pmax(f32x4.pmin(worst, ratio), f32x4.splat(0)))
  }
  let score = f32x4.mul(v128.load(WORST), f32x4.splat(0.4))
  score = f32x4.add(score, f32x4.mul(v128.load(WORST, 16), f32x4.splat(0.3)))
  score = f32x4.add(score, f32x4.mul(v128.load(WORST, 32), f32x4.splat(0.2)))
  score = f32x4.add(score, f32x4.mul(v128.load(WORST, 48), f32x4.splat(0.1)))
  v128.store(to, score)
}
