/**
 * Scores of a tree ensemble, 16 rows at a time, by dead leaves instead of by walking: every split of
 * a tree is compared, a row above a split's threshold marks the leaves left of that split as dead, and
 * the first leaf that is still alive is the one a walk would end at. There is no branch on data.
 *
 * A tree's leaves, left to right, are cut into words of 32. A group is one word: the splits that have
 * dead leaves in it, and its leaf values. Groups of a tree follow each other from the last word to
 * the first, so that the last one with a leaf alive wins.
 *
 *   slot    8 B    u32 byte offset of the feature in a row; i32 key that stands for a missing value
 *   split  12 B    u32 byte offset of the slot's 16 lanes; i32 key of the threshold; u32 dead leaves
 *   group   8 B    u32 number of splits; u32 flags: FIRST, LAST of its tree
 *   leaves 132 B   f32 x 33 of a group; the last is read where no leaf is alive, and never used
 *
 * Keys are integers in the order of the floats, so that a missing value is below or above all others
 * as its slot says. src/predict/tree-plan.ts writes slots, splits, groups and leaves.
 */
import { allocate } from './layout'

const ROWS: u32 = 16
const FIRST: u32 = 1
const LAST: u32 = 2
const SLOT_BYTES: usize = 8
const SPLIT_BYTES: usize = 12
const GROUP_BYTES: usize = 8
const LEAVES_BYTES: usize = 132
const LANES_BYTES: usize = 64

let rowBytes: usize = 0
let slotCount: usize = 0
let groupCount: usize = 0
let rowsAt: usize = 0
let scoresAt: usize = 0
let slotsAt: usize = 0
let splitsAt: usize = 0
let groupsAt: usize = 0
let leavesAt: usize = 0
let lanesAt: usize = 0

/** Makes room for a model and for `rows` rows, a multiple of 16. Call it once, first. */
export function layOutTrees(features: u32, rows: u32, slots: u32, splits: u32, groups: u32): void {
  rowBytes = features << 2
  slotCount = slots
  groupCount = groups
  rowsAt = allocate(rows * features * 4)
  scoresAt = allocate(rows * 4)
  slotsAt = allocate(<usize>slots * SLOT_BYTES)
  splitsAt = allocate(<usize>splits * SPLIT_BYTES)
  groupsAt = allocate(<usize>groups * GROUP_BYTES)
  leavesAt = allocate(<usize>groups * LEAVES_BYTES)
  lanesAt = allocate(<usize>slots * LANES_BYTES)
}

export function treeRowsPointer(): u32 {
  return <u32>rowsAt
}
export function treeScoresPointer(): u32 {
  return <u32>scoresAt
}
export function treeSlotsPointer(): u32 {
  return <u32>slotsAt
}
export function treeSplitsPointer(): u32 {
  return <u32>splitsAt
}
export function treeGroupsPointer(): u32 {
  return <u32>groupsAt
}
export function treeLeavesPointer(): u32 {
  return <u32>leavesAt
}

/**
 * Sums of the leaf values of `count` rows, f32, in the order of the trees; the rows up to the next
 * multiple of 16 are scored too, whatever they hold. Reference: `reference` in tree-cases.ts.
 */
export function scoreTrees(count: u32): void {
  for (let row: u32 = 0; row < count; row += ROWS) {
    spread(rowsAt + <usize>row * rowBytes)
    scoreBlock(scoresAt + ((<usize>row) << 2))
  }
}

/** Four lanes of keys from one feature of four rows. */
function keys(at: usize, missing: v128): v128 {
  const stride = rowBytes
  let x = v128.load32_zero(at)
  x = v128.load32_lane(at + stride, x, 1)
  x = v128.load32_lane(at + stride * 2, x, 2)
  x = v128.load32_lane(at + stride * 3, x, 3)
  const isMissing = f32x4.ne(x, x)
  // -0 equals 0; adding 0 makes it 0.
  x = f32x4.add(x, f32x4.splat(0))
  const ordered = v128.xor(x, v128.and(i32x4.shr_s(x, 31), i32x4.splat(0x7fffffff)))
  return v128.bitselect(missing, ordered, isMissing)
}

/** Turns 16 rows into 16 lanes of keys for each slot. */
function spread(rows: usize): void {
  const stride = rowBytes << 2
  const end = slotsAt + slotCount * SLOT_BYTES
  let lanes = lanesAt
  for (let slot = slotsAt; slot < end; slot += SLOT_BYTES) {
    const at = rows + <usize>load<u32>(slot)
    const missing = v128.load32_splat(slot, 4)
    v128.store(lanes, keys(at, missing))
    v128.store(lanes, keys(at + stride, missing), 16)
    v128.store(lanes, keys(at + stride * 2, missing), 32)
    v128.store(lanes, keys(at + stride * 3, missing), 48)
    lanes += LANES_BYTES
  }
}

/** The value of the first leaf alive in each lane. */
function leafValues(dead: v128, leaves: usize): v128 {
  const alive = v128.not(dead)
  let x = v128.load32_zero(leaves + ((<usize>ctz(i32x4.extract_lane(alive, 0))) << 2))
  x = v128.load32_lane(leaves + ((<usize>ctz(i32x4.extract_lane(alive, 1))) << 2), x, 1)
  x = v128.load32_lane(leaves + ((<usize>ctz(i32x4.extract_lane(alive, 2))) << 2), x, 2)
  return v128.load32_lane(leaves + ((<usize>ctz(i32x4.extract_lane(alive, 3))) << 2), x, 3)
}

/** `later` where no leaf of this word is alive. */
function orLater(values: v128, later: v128, dead: v128): v128 {
  return v128.bitselect(later, values, i32x4.eq(dead, i32x4.splat(-1)))
}

function scoreBlock(out: usize): void {
  const lanes = lanesAt
  const end = groupsAt + groupCount * GROUP_BYTES
  let split = splitsAt
  let leaves = leavesAt
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0
  let v0 = s0,
    v1 = s0,
    v2 = s0,
    v3 = s0
  for (let group = groupsAt; group < end; group += GROUP_BYTES) {
    let d0 = i32x4.splat(0),
      d1 = d0,
      d2 = d0,
      d3 = d0
    const splitsEnd = split + <usize>load<u32>(group) * SPLIT_BYTES
    for (; split < splitsEnd; split += SPLIT_BYTES) {
      const at = lanes + <usize>load<u32>(split)
      const threshold = v128.load32_splat(split, 4)
      const left = v128.load32_splat(split, 8)
      d0 = v128.or(d0, v128.and(i32x4.gt_s(v128.load(at), threshold), left))
      d1 = v128.or(d1, v128.and(i32x4.gt_s(v128.load(at, 16), threshold), left))
      d2 = v128.or(d2, v128.and(i32x4.gt_s(v128.load(at, 32), threshold), left))
      d3 = v128.or(d3, v128.and(i32x4.gt_s(v128.load(at, 48), threshold), left))
    }
    const flags = load<u32>(group, 4)
    const w0 = leafValues(d0, leaves),
      w1 = leafValues(d1, leaves)
    const w2 = leafValues(d2, leaves),
      w3 = leafValues(d3, leaves)
    if (flags & FIRST) {
      ;((v0 = w0), (v1 = w1), (v2 = w2), (v3 = w3))
    } else {
      ;((v0 = orLater(w0, v0, d0)), (v1 = orLater(w1, v1, d1)))
      ;((v2 = orLater(w2, v2, d2)), (v3 = orLater(w3, v3, d3)))
    }
    if (flags & LAST) {
      ;((s0 = f32x4.add(s0, v0)), (s1 = f32x4.add(s1, v1)))
      ;((s2 = f32x4.add(s2, v2)), (s3 = f32x4.add(s3, v3)))
    }
    leaves += LEAVES_BYTES
  }
  v128.store(out, s0)
  v128.store(out, s1, 16)
  v128.store(out, s2, 32)
  v128.store(out, s3, 48)
}
