/**
 * kafkajs's encoder on Node's pooled memory. It makes one of 512 zeroed bytes for each partition of
 * each request; memory of its own for each is slow to get, and is what garbage collections are begun for.
 */

interface Encoder {
  buf: Buffer
  offset: number
  ensureAvailable(length: number): void
}
export interface EncoderClass {
  readonly prototype: Encoder
  new (initialSize?: number): Encoder
}

/** A partition of a fetch takes 36. */
const BYTES_AT_FIRST = 64

/** Only what was written ever leaves an encoder, so its memory need not be zeroed. */
export function pooledEncoder(theirs: EncoderClass): EncoderClass {
  theirs.prototype.ensureAvailable = function ensureAvailable(length) {
    const needed = this.offset + length
    if (needed <= this.buf.length) return
    const grown = Buffer.allocUnsafe(2 * needed)
    this.buf.copy(grown, 0, 0, this.offset)
    this.buf = grown
  }
  const made = function PooledEncoder(bytes = BYTES_AT_FIRST): Encoder {
    const encoder = Object.create(theirs.prototype) as Encoder
    encoder.buf = Buffer.allocUnsafe(bytes)
    encoder.offset = 0
    return encoder
  }
  made.prototype = theirs.prototype
  Object.setPrototypeOf(made, theirs)
  return made as unknown as EncoderClass
}
