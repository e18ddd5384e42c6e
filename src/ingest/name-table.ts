/**
 * Names by their bytes, without a text of them. Producers repeat themselves, so a reader first asks
 * whether the name that followed last time follows again, which takes a comparison and no hash.
 */
import { toBytes } from '../core/bytes.ts'

const QUOTE = 0x22
/** In JSON such a name is written with escapes, so its own bytes are never to be found. */
const ESCAPED = /["\\\p{Cc}]/u
const NAME_BYTES_MAX = 256
const WORDS_AT_FIRST = 64
/** As an index: there is none. */
export const NO_NAME = -1

export class NameTable {
  /** The first so many never leave. */
  readonly knownCount: number
  /** Which name came after each; the last one stands for the beginning. */
  readonly following: Int32Array
  readonly #namesMax: number
  readonly #slots: Int32Array
  /** Names with the quote that ends each, four bytes a word, as they lie in memory. */
  #words = new Int32Array(WORDS_AT_FIRST)
  readonly #wordStarts: Int32Array
  /** Which bits of a name's last word belong to it. */
  readonly #masks: Int32Array
  /** Without the quote. */
  readonly #lengths: Int32Array
  #count = 0

  /** Learns `learnedMax` names beside those known from the start. */
  constructor(known: readonly string[], learnedMax: number) {
    const namesMax = known.length + learnedMax
    this.knownCount = known.length
    this.#namesMax = namesMax
    this.following = new Int32Array(namesMax + 1).fill(NO_NAME)
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * namesMax + 2))).fill(NO_NAME)
    this.#wordStarts = new Int32Array(namesMax + 1)
    this.#masks = new Int32Array(namesMax)
    this.#lengths = new Int32Array(namesMax)
    for (const name of known) {
      const bytes = toBytes(name)
      this.#add(new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length, !ESCAPED.test(name))
    }
  }

  /** Number that stands for the beginning in `following`. */
  get beginning(): number {
    return this.#namesMax
  }

  /**
   * Where the quote after name `index` is, if that name begins at `start`; or NO_NAME. The bytes must
   * end in four zeros.
   */
  endOf(index: number, bytes: DataView, start: number): number {
    if (index === NO_NAME) return NO_NAME
    const words = this.#words
    const last = this.#wordStarts[index + 1] - 1
    let at = start
    for (let word = this.#wordStarts[index]; word < last; word++, at += 4) {
      if (bytes.getInt32(at, true) !== words[word]) return NO_NAME
    }
    const differing = bytes.getInt32(at, true) ^ words[last]
    return (differing & this.#masks[index]) === 0 ? start + this.#lengths[index] : NO_NAME
  }

  /**
   * The index of the name at `[start, end)`, behind which a quote stands; of a new name, a new one. When
   * it is full the table forgets all that it has learned, and says NO_NAME this once; also of names too
   * long to learn.
   */
  indexOf(bytes: DataView, start: number, end: number): number {
    const mask = this.#slots.length - 1
    let slot = hashOf(bytes, start, end) & mask
    for (; this.#slots[slot] !== NO_NAME; slot = (slot + 1) & mask) {
      if (this.endOf(this.#slots[slot], bytes, start) === end) return this.#slots[slot]
    }
    if (end - start > NAME_BYTES_MAX) return NO_NAME
    if (this.#count < this.#namesMax) return this.#add(bytes, start, end, true)
    this.#forget()
    return NO_NAME
  }

  #add(bytes: DataView, start: number, end: number, findable: boolean): number {
    const index = this.#count++
    const length = end - start
    const first = this.#wordStarts[index]
    const last = first + (length >> 2)
    if (last >= this.#words.length) {
      const grown = new Int32Array(2 * last + 1)
      grown.set(this.#words)
      this.#words = grown
    }
    this.#words.fill(0, first, last + 1)
    for (let i = 0; i <= length; i++) {
      const byte = i < length ? bytes.getUint8(start + i) : QUOTE
      this.#words[first + (i >> 2)] |= byte << (8 * (i & 3))
    }
    this.#wordStarts[index + 1] = last + 1
    this.#masks[index] = -1 >>> (8 * (3 - (length & 3)))
    this.#lengths[index] = length
    if (findable) this.#enter(index, hashOf(bytes, start, end))
    return index
  }

  #enter(index: number, hash: number): void {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== NO_NAME) slot = (slot + 1) & mask
    this.#slots[slot] = index
  }

  #forget(): void {
    const learned = this.#slots.filter((index) => index >= this.knownCount)
    if (learned.length === 0) return
    const known = this.#slots.filter((index) => index !== NO_NAME && index < this.knownCount)
    this.#slots.fill(NO_NAME)
    this.following.fill(NO_NAME)
    this.#count = this.knownCount
    for (const index of known) {
      const words = this.#words.slice(this.#wordStarts[index], this.#wordStarts[index + 1])
      this.#enter(index, hashOf(new DataView(words.buffer), 0, this.#lengths[index]))
    }
  }
}

/** FNV-1a. */
function hashOf(bytes: DataView, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes.getUint8(i), 0x01000193)
  return hash ^ (hash >>> 15)
}
