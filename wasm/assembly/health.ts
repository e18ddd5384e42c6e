// Health of every node: 0.40 network + 0.30 uptime + 0.20 resources + 0.10 trust. A part is as healthy
// as its worst metric. The four parts of a node are the lanes of one vector. Reference: src/state/health.ts.
import {
  LANES,
  SAMPLED,
  USED,
  VALUES_BYTES,
  flagsOf,
  laneOf,
  quadCount,
  tileOf,
  valuesOf,
} from './layout'
import { ROUNDS, ROUND_BYTES, roundCount } from './metrics'
import { healthAt, slotCount } from './node-slot'

export function healthPointer(): u32 {
  return <u32>healthAt
}

/** Writes f32 [slots]: NaN before a node's first sample. */
export function healthScores(): void {
  for (let node: u32 = 0; node < slotCount; node += LANES) {
    const tile = tileOf(node)
    const nodes = min<u32>(LANES, slotCount - node)
    for (let lane: u32 = 0; lane < nodes; lane += 4) scoreFour(tile, lane, node + lane)
  }
}

/** Health of one node; NaN before its first sample. */
export function healthOf(node: u32): f64 {
  const first = node & ~3
  scoreFour(tileOf(node), laneOf(first), first)
  return <f64>load<f32>(healthAt + node * 4)
}

function scoreFour(tile: usize, lane: u32, first: u32): void {
  const step = quadCount * VALUES_BYTES
  const values = valuesOf(tile, lane)
  let a = f32x4.splat(1)
  let b = a
  let c = a
  let d = a
  let round = ROUNDS
  for (let r: u32 = 0; r < roundCount; r++, round += ROUND_BYTES) {
    const bad = v128.load(round, 16)
    const scale = v128.load(round, 32)
    const network = values + load<u32>(round)
    const uptime = values + load<u32>(round, 4)
    const resources = values + load<u32>(round, 8)
    const trust = values + load<u32>(round, 12)
    a = worse(a, network, uptime, resources, trust, bad, scale)
    b = worse(b, network + step, uptime + step, resources + step, trust + step, bad, scale)
    const two = step * 2
    c = worse(c, network + two, uptime + two, resources + two, trust + two, bad, scale)
    const three = step * 3
    d = worse(d, network + three, uptime + three, resources + three, trust + three, bad, scale)
  }
  const live = i32x4.splat(USED | SAMPLED)
  const known = i32x4.eq(v128.and(v128.load(flagsOf(tile, lane)), live), live)
  const score = v128.bitselect(scores(a, b, c, d), f32x4.splat(<f32>NaN), known)
  v128.store(healthAt + first * 4, score)
}

/** Takes one metric of each part into the worst of the parts. */
function worse(
  worst: v128,
  network: usize,
  uptime: usize,
  resources: usize,
  trust: usize,
  bad: v128,
  scale: v128,
): v128 {
  let value = v128.load32_zero(network)
  value = v128.load32_lane(uptime, value, 1)
  value = v128.load32_lane(resources, value, 2)
  value = v128.load32_lane(trust, value, 3)
  const ratio = f32x4.mul(f32x4.sub(value, bad), scale)
  // pmin and pmax keep the first operand where the other is NaN: a missing value says nothing.
  return f32x4.pmax(f32x4.pmin(worst, ratio), f32x4.splat(0))
}

/** The weighted sums of four nodes. */
function scores(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5)
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5)
  const ef = v128.shuffle<f32>(a, b, 2, 6, 3, 7)
  const gh = v128.shuffle<f32>(c, d, 2, 6, 3, 7)
  const network = f32x4.mul(v128.shuffle<i64>(ab, cd, 0, 2), f32x4.splat(0.4))
  const uptime = f32x4.mul(v128.shuffle<i64>(ab, cd, 1, 3), f32x4.splat(0.3))
  const resources = f32x4.mul(v128.shuffle<i64>(ef, gh, 0, 2), f32x4.splat(0.2))
  const trust = f32x4.mul(v128.shuffle<i64>(ef, gh, 1, 3), f32x4.splat(0.1))
  return f32x4.add(f32x4.add(f32x4.add(network, uptime), resources), trust)
}
