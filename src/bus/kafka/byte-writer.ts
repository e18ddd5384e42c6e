/**
 * Writes the protocol's types one after the other into a buffer that was made long enough for all of
 * them. Numbers are big-endian; a varint is zigzag, so that small negatives are short.
 */

export type Content = string | Uint8Array | null | undefined

/** Text up to here goes letter by letter: a call out of JavaScript costs as much as fifty letters. */
export const SHORT_TEXT = 48
const INT32_VALUES = 2 ** 32
const INT32_MAX = 0x7fff_ffff

export class ByteWriter {
  readonly buffer: Buffer
  at = 0

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  int8(value: number): void {
    this.buffer[this.at++] = value
  }

  int16(value: number): void {
    this.at = this.buffer.writeInt16BE(value, this.at)
  }

  int32(value: number): void {
    this.at = this.buffer.writeInt32BE(value, this.at)
  }

  /** Of a number that is exact, so below 2^53. */
  int64(value: number): void {
    this.buffer.writeInt32BE(Math.floor(value / INT32_VALUES), this.at)
    this.at = this.buffer.writeUInt32BE(value >>> 0, this.at + 4)
  }

  bigint64(value: bigint): void {
    this.at = this.buffer.writeBigInt64BE(value, this.at)
  }

  /** A length of 16 bits, -1 for none, and the text. */
  string(value: string | null): void {
    const from = this.at + 2
    const bytes = value === null ? -1 : this.#text(value, from)
    this.int16(bytes)
    if (bytes > 0) this.at += bytes
  }

  varint(value: number): void {
    const { buffer } = this
    let rest = zigzag(value)
    let at = this.at
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) buffer[at++] = (rest & 0x7f) | 0x80
    buffer[at++] = rest
    this.at = at
  }

  /** A varint for the length, -1 for none, and the bytes. */
  content(content: Content): void {
    if (content === null || content === undefined) {
      this.varint(-1)
    } else if (typeof content === 'string') {
      const start = this.at
      // Its letters are mostly its bytes, so the length is mostly as long as that of the letters.
      this.at += varintBytes(content.length)
      const from = this.at
      const bytes = this.#text(content, from)
      this.at = from + bytes
      this.prefix(start, from)
    } else {
      this.varint(content.length)
      this.buffer.set(content, this.at)
      this.at += content.length
    }
  }

  /** Puts the length of what was written from `from` on before it, and moves it where it does not fit. */
  prefix(start: number, from: number): void {
    const bytes = this.at - from
    const moved = start + varintBytes(bytes)
    if (moved !== from) this.buffer.copyWithin(moved, from, this.at)
    this.at = start
    this.varint(bytes)
    this.at = moved + bytes
  }

  /** Returns how many bytes it took. */
  #text(text: string, from: number): number {
    const { length } = text
    if (length > SHORT_TEXT) return this.buffer.write(text, from, 'utf8')
    const { buffer } = this
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return buffer.write(text, from, 'utf8')
      buffer[from + i] = code
    }
    return length
  }
}

/** What a length and its content take at most, without counting the bytes of short text. */
export function contentBytesMax(content: Content): number {
  if (content === null || content === undefined) return 1
  if (typeof content !== 'string') return VARINT_BYTES_MAX + content.length
  const bytes = content.length > SHORT_TEXT ? Buffer.byteLength(content) : 3 * content.length
  return VARINT_BYTES_MAX + bytes
}

export const VARINT_BYTES_MAX = 5

export function varintBytes(value: number): number {
  const code = zigzag(value)
  if (code < 0x80) return 1
  if (code < 0x4000) return 2
  if (code < 0x20_0000) return 3
  return code < 0x1000_0000 ? 4 : 5
}

function zigzag(value: number): number {
  if (value > INT32_MAX || value < -INT32_MAX)
    throw new Error(`bug: ${value} does not fit a varint`)
  return value >= 0 ? value * 2 : -value * 2 - 1
}
