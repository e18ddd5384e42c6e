// Fingerprints of the rows in the buffer, eight rows at a time: the lanes of two vectors are rows.
// Reference: src/state/row-hash.ts.
import { featureCount, matrix, rowHashesAt } from './layout'
import { rowCount } from './features'

const PRIME_A: u32 = 0x9e3779b1
const PRIME_B: u32 = 0x85ebca6b

/** Writes two u32 per row, high word first. */
export function rowHashes(): void {
  for (let row: u32 = 0; row < rowCount; row += 8) hashEight(row)
}

/** Where each of the eight rows is. */
const AT: usize = memory.data(32, 16)
/** Four words of each row: per four rows, four vectors of one word. */
const WORDS: usize = memory.data(128, 16)

/**
 * Rows `first` to `first + 7`, as two vectors of four. A row's steps follow from each other, so those of
 * one vector fill the time that those of the other take. The last row stands in for what is not there.
 */
function hashEight(first: u32): void {
  for (let row: u32 = 0; row < 8; row++) {
    store<u32>(AT + row * 4, <u32>rowAt(min<u32>(first + row, rowCount - 1)))
  }
  let a0 = i32x4.splat(0x243f6a88)
  let b0 = i32x4.splat(0x13198a2e)
  let a1 = a0
  let b1 = b0
  let i: u32 = 0
  for (; i + 4 <= featureCount; i += 4) {
    turnFour(AT, i, WORDS)
    turnFour(AT + 16, i, WORDS + 64)
    for (let word = WORDS; word < WORDS + 64; word += 16) {
      const w0 = v128.load(word)
      const w1 = v128.load(word, 64)
      a0 = mixA(a0, w0)
      a1 = mixA(a1, w1)
      b0 = mixB(b0, w0)
      b1 = mixB(b1, w1)
    }
  }
  for (; i < featureCount; i++) {
    const w0 = wordOfFour(AT, i)
    const w1 = wordOfFour(AT + 16, i)
    a0 = mixA(a0, w0)
    a1 = mixA(a1, w1)
    b0 = mixB(b0, w0)
    b1 = mixB(b1, w1)
  }
  put(first, a0, b0)
  put(first + 4, a1, b1)
}

function turnFour(at: usize, word: u32, to: usize): void {
  const offset = <usize>word * 4
  const r0 = v128.load(<usize>load<u32>(at) + offset)
  const r1 = v128.load(<usize>load<u32>(at, 4) + offset)
  const r2 = v128.load(<usize>load<u32>(at, 8) + offset)
  const r3 = v128.load(<usize>load<u32>(at, 12) + offset)
  const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5)
  const low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5)
  const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7)
  const high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7)
  v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2))
  v128.store(to, v128.shuffle<i64>(low01, low23, 1, 3), 16)
  v128.store(to, v128.shuffle<i64>(high01, high23, 0, 2), 32)
  v128.store(to, v128.shuffle<i64>(high01, high23, 1, 3), 48)
}

function wordOfFour(at: usize, word: u32): v128 {
  const offset = <usize>word * 4
  let x = v128.load32_zero(<usize>load<u32>(at) + offset)
  x = v128.load32_lane(<usize>load<u32>(at, 4) + offset, x, 1)
  x = v128.load32_lane(<usize>load<u32>(at, 8) + offset, x, 2)
  return v128.load32_lane(<usize>load<u32>(at, 12) + offset, x, 3)
}

function put(first: u32, a: v128, b: v128): void {
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
