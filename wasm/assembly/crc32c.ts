/**
 * CRC-32C of what lies at `INPUT`, which is overwritten. A module of its own, with a memory of its own:
 * whoever writes to Kafka wants it and no other kernel. Reference: src/bus/kafka/checksum.ts.
 *
 * A checksum is a remainder modulo the polynomial P, so adding a multiple of P changes nothing. One of
 * six terms, x^209 + x^144 + x^54 + x^39 + x^14 + 1, has P as a factor, and so has it with x^128 for x,
 * since squaring adds no terms in GF(2). Each vector of 128 bits can thus be struck out and added to
 * five later ones: no table, no dependency nearer than 65 vectors. What remains are the last 209
 * vectors; these go through tables, eight bytes a step.
 */

const POLYNOMIAL: u32 = 0x82f63b78
const TABLE: u32 = 1024
const VECTOR: usize = 16
/** How far back the five others lie of a vector that is struck out. */
const LAG_A: usize = 65 * VECTOR
const LAG_B: usize = 155 * VECTOR
const LAG_C: usize = 170 * VECTOR
const LAG_D: usize = 195 * VECTOR
const LAG_E: usize = 209 * VECTOR

const tables: usize = memory.data(8192, 16)
/** Zeros before the input: there is nothing to add from before its beginning. */
const before: usize = memory.data(3344, 16)

export const INPUT: usize = before + LAG_E
export const INPUT_BYTES_MAX: usize = 131072
memory.data(131072, 16)

for (let byte: u32 = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1
  store<u32>(tables + (byte << 2), crc)
}
for (let at = tables; at < tables + 7 * TABLE; at += 4) {
  const crc = load<u32>(at)
  store<u32>(at + TABLE, load<u32>(tables + ((crc & 0xff) << 2)) ^ (crc >> 8))
}

/** Of `length` bytes that follow others with checksum `crc`: 0 where none come before. */
export function crc32c(crc: u32, length: usize): u32 {
  let state = ~crc
  let from = INPUT
  if (length > 2 * LAG_E) {
    store<u32>(INPUT, load<u32>(INPUT) ^ state)
    state = 0
    from = INPUT + ((length - LAG_E) & ~(VECTOR - 1))
    strikeOut(from)
  }
  return ~throughTables(state, from, INPUT + length)
}

/** Everything before `end`; what it adds up to lands in the vectors from there on. */
function strikeOut(end: usize): void {
  for (let at = INPUT; at < end; at += VECTOR) {
    const near = v128.xor(v128.load(at), v128.load(at - LAG_A))
    const middle = v128.xor(v128.load(at - LAG_B), v128.load(at - LAG_C))
    const far = v128.xor(v128.load(at - LAG_D), v128.load(at - LAG_E))
    v128.store(at, v128.xor(near, v128.xor(middle, far)))
  }
  carry(end, LAG_A)
  carry(end, LAG_B)
  carry(end, LAG_C)
  carry(end, LAG_D)
  carry(end, LAG_E)
}

function carry(end: usize, lag: usize): void {
  for (let at = end; at < end + lag; at += VECTOR) {
    v128.store(at, v128.xor(v128.load(at), v128.load(at - lag)))
  }
}

function throughTables(crc: u32, from: usize, end: usize): u32 {
  let state = crc
  let at = from
  for (; at + 8 <= end; at += 8) {
    const low = load<u32>(at) ^ state
    const high = load<u32>(at, 4)
    state =
      load<u32>(tables + ((low & 0xff) << 2), 7 * TABLE) ^
      load<u32>(tables + (((low >> 8) & 0xff) << 2), 6 * TABLE) ^
      load<u32>(tables + (((low >> 16) & 0xff) << 2), 5 * TABLE) ^
      load<u32>(tables + ((low >> 24) << 2), 4 * TABLE) ^
      load<u32>(tables + ((high & 0xff) << 2), 3 * TABLE) ^
      load<u32>(tables + (((high >> 8) & 0xff) << 2), 2 * TABLE) ^
      load<u32>(tables + (((high >> 16) & 0xff) << 2), TABLE) ^
      load<u32>(tables + ((high >> 24) << 2))
  }
  for (; at < end; at++) {
    state = load<u32>(tables + (((state ^ load<u8>(at)) & 0xff) << 2)) ^ (state >> 8)
  }
  return state
}
