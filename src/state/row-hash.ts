/**
 * A fingerprint of one feature row, bit by bit. Predictions carry it, so that anyone can prove that
 * training, replay and serving saw the same features: equal rows have equal hashes on every machine.
 * The readable reference of the kernel of the same name.
 */

const PRIME_A = 0x9e3779b1
const PRIME_B = 0x85ebca6b

/**
 * @param bits the matrix seen as 32-bit words: NaN must have one bit pattern, as in the table's rows.
 * @param from first word of the row. @param width features per row.
 * @returns 16 hexadecimal digits.
 */
export function rowHash(bits: Uint32Array, from: number, width: number): string {
  let a = 0x243f6a88
  let b = 0x13198a2e
  for (let i = from; i < from + width; i++) {
    a = Math.imul(rotate(a ^ bits[i], 13), PRIME_A)
    b = Math.imul(rotate(b + bits[i], 17), PRIME_B)
  }
  return hashText(finish(a ^ width), finish(b ^ a))
}

/** A hash as text, of its two words: those that the kernel gives for a row. */
export function hashText(high: number, low: number): string {
  return hex(high) + hex(low)
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by))
}

function finish(word: number): number {
  let h = word ^ (word >>> 16)
  h = Math.imul(h, 0x7feb352d)
  h ^= h >>> 15
  h = Math.imul(h, 0x846ca68b)
  return h ^ (h >>> 16)
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
