/**
 * Unpacks LZ4 frames (github.com/lz4/lz4, doc/lz4_Frame_format.md), as Kafka producers send them. It
 * is here because the codec that kafkajs recommends needs a native build, which an install without
 * scripts does not make. Checksums are stepped over: every Kafka batch carries a CRC of its own.
 */

const FRAME_MAGIC = 0x184d2204
/** Version 01 in the two upper bits of the flags. */
const VERSION_MASK = 0xc0
const VERSION = 0x40
const FLAG_BLOCK_CHECKSUM = 0x10
const FLAG_CONTENT_SIZE = 0x08
const FLAG_DICTIONARY = 0x01
/** Set in the size of a block that is stored as it is. */
const STORED = 0x80000000
const MATCH_MIN = 4
const LENGTH_MORE = 15

/** Throws a RangeError on damaged input and beyond `bytesMax`. */
export function unpackLz4(packed: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const flags = view.getUint8(4)
  if (view.getUint32(0, true) !== FRAME_MAGIC || (flags & VERSION_MASK) !== VERSION) {
    throw new RangeError('not an LZ4 frame')
  }
  let at = 6
  if (flags & FLAG_CONTENT_SIZE) at += 8
  if (flags & FLAG_DICTIONARY) at += 4
  at += 1
  const out = new Output(packed.length * 4, bytesMax)
  for (;;) {
    const header = view.getUint32(at, true)
    at += 4
    if (header === 0) return out.bytes()
    const size = header & ~STORED
    const block = packed.subarray(at, at + size)
    if (block.length !== size) throw new RangeError('an LZ4 block is cut off')
    if (header & STORED) out.copy(block, 0, size)
    else unpackBlock(block, out)
    at += size + (flags & FLAG_BLOCK_CHECKSUM ? 4 : 0)
  }
}

/** Sequences of literals and a match further back; the last one has no match. */
function unpackBlock(block: Uint8Array, out: Output): void {
  let at = 0
  const length = (nibble: number): number => {
    let total = nibble
    for (let more = nibble === LENGTH_MORE ? 255 : 0; more === 255; total += more) {
      if (at >= block.length) throw new RangeError('an LZ4 length is cut off')
      more = block[at]!
      at += 1
    }
    return total
  }
  while (at < block.length) {
    const token = block[at]
    at += 1
    const literals = length(token >> 4)
    if (at + literals > block.length) throw new RangeError('LZ4 literals are cut off')
    out.copy(block, at, at + literals)
    at += literals
    if (at === block.length) return
    if (at + 2 > block.length) throw new RangeError('an LZ4 match is cut off')
    const distance = block[at] | (block[at + 1] << 8)
    at += 2
    out.repeat(distance, length(token & 0x0f) + MATCH_MIN)
  }
}

/** Grows by doubling up to its limit. */
class Output {
  #buffer: Uint8Array
  #length = 0
  readonly #bytesMax: number

  constructor(bytes: number, bytesMax: number) {
    this.#buffer = new Uint8Array(Math.min(bytes, bytesMax))
    this.#bytesMax = bytesMax
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  copy(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start)
    this.#buffer.set(from.subarray(start, end), this.#length)
    this.#length += end - start
  }

  /** A match may overlap what it writes: distance 1 repeats one byte. */
  repeat(distance: number, count: number): void {
    if (distance === 0 || distance > this.#length) throw new RangeError('an LZ4 match is too far')
    this.#reserve(count)
    const from = this.#length - distance
    if (distance >= count) this.#buffer.copyWithin(this.#length, from, from + count)
    else for (let i = 0; i < count; i++) this.#buffer[this.#length + i] = this.#buffer[from + i]!
    this.#length += count
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    if (needed > this.#bytesMax) throw new RangeError(`more than ${this.#bytesMax} bytes unpacked`)
    const grown = new Uint8Array(Math.min(this.#bytesMax, Math.max(needed, needed * 2)))
    grown.set(this.bytes())
    this.#buffer = grown
  }
}
