/**
 * Buffers that are used again. One of a megabyte costs more to allocate, to touch for the first time
 * and to free than to fill, and each allocation brings the next garbage collection nearer.
 */

const BYTES_MIN = 16 * 1024
/** What lies here unused, at most; what is given back over that is left to the collector. */
const IDLE_BYTES_MAX = 32 * 1024 * 1024

export class BufferPool {
  /** By log2 of their size: every buffer here is a power of two long. */
  readonly #idle = new Map<number, Buffer[]>()
  #idleBytes = 0

  get idleBytes(): number {
    return this.#idleBytes
  }

  /** At least so long; what it holds is whatever was there before. */
  take(bytes: number): Buffer {
    const size = sizeClass(bytes)
    const found = this.#idle.get(size)?.pop()
    if (found === undefined) return Buffer.allocUnsafeSlow(2 ** size)
    this.#idleBytes -= found.length
    return found
  }

  /** Whoever gives a buffer back must be the last who reads or writes it. */
  give(buffer: Buffer): void {
    if (this.#idleBytes + buffer.length > IDLE_BYTES_MAX) return
    const size = sizeClass(buffer.length)
    const idle = this.#idle.get(size)
    if (idle === undefined) this.#idle.set(size, [buffer])
    else idle.push(buffer)
    this.#idleBytes += buffer.length
  }
}

function sizeClass(bytes: number): number {
  return 32 - Math.clz32(Math.max(bytes, BYTES_MIN) - 1)
}
