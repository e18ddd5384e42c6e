// Fingerprints of the rows in the buffer, four rows at a time: the lanes of a vector are rows.
// Reference: src/state/row-hash.ts.
import { featureCount, matrix, rowHashesAt } from './layout'
import { rowCount } from './features'

const PRIME_A: u32 = 0x9e3779b1
const PRIME_B: u32 = 0x85ebca6b

/** Writes two u32 per row, high word first. */
export function rowHashes(): void {
  for (let row: u32 = 0; row < rowCount; row += 4) hashFour(row)
}

/** Words of rows `first` to `first + 3`; the last row stands in for those that are not there. */
function hashFour(first: u32): void {
  const last = rowCount - 1
  let p0 = rowAt(first)
  let p1 = rowAt(min<u32>(first + 1, last))
  let p2 = rowAt(min<u32>(first + 2, last))
  let p3 = rowAt(min<u32>(first + 3, last))
  let a = i32x4.splat(0x243f6a88)
  let b = i32x4.splat(0x13198a2e)
  let i: u32 = 0
  for (; i + 4 <= featureCount; i += 4) {
    // Four words of each row, turned into four words of four rows.
    const r0 = v128.load(p0)
    const r1 = v128.load(p1)
    const r2 = v128.load(p2)
    const r3 = v128.load(p3)
    const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5)
    const low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5)
    const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7)
    const high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7)
    const w0 = v128.shuffle<i64>(low01, low23, 0, 2)
    const w1 = v128.shuffle<i64>(low01, low23, 1, 3)
    const w2 = v128.shuffle<i64>(high01, high23, 0, 2)
    const w3 = v128.shuffle<i64>(high01, high23, 1, 3)
    a = mixA(mixA(mixA(mixA(a, w0), w1), w2), w3)
    b = mixB(mixB(mixB(mixB(b, w0), w1), w2), w3)
    p0 += 16
    p1 += 16
    p2 += 16
    p3 += 16
  }
  for (; i < featureCount; i++) {
    let word = v128.load32_zero(p0)
    word = v128.load32_lane(p1, word, 1)
    word = v128.load32_lane(p2, word, 2)
    word = v128.load32_lane(p3, word, 3)
    a = mixA(a, word)
    b = mixB(b, word)
    p0 += 4
    p1 += 4
    p2 += 4
    p3 += 4
  }
  const high = finish(v128.xor(a, i32x4.splat(featureCount)))
  const low = finish(v128.xor(b, a))
  const to = rowHashesAt + first * 8
  v128.store(to, v128.shuffle<i32>(high, low, 0, 4, 1, 5))
  v128.store(to, v128.shuffle<i32>(high, low, 2, 6, 3, 7), 16)
}

function rowAt(row: u32): usize {
  return matrix + <usize>row * featureCount * 4
}

function mixA(a: v128, word: v128): v128 {
  return i32x4.mul(rotated(v128.xor(a, word), 13), i32x4.splat(PRIME_A))
}

function mixB(b: v128, word: v128): v128 {
  return i32x4.mul(rotated(i32x4.add(b, word), 17), i32x4.splat(PRIME_B))
}

function rotated(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by))
}

function finish(word: v128): v128 {
  let h = v128.xor(word, i32x4.shr_u(word, 16))
  h = i32x4.mul(h, i32x4.splat(0x7feb352d))
  h = v128.xor(h, i32x4.shr_u(h, 15))
  h = i32x4.mul(h, i32x4.splat(0x846ca68b))
  return v128.xor(h, i32x4.shr_u(h, 16))
}
