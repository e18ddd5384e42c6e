/**
 * Memory for copies that are moved to a thread and come back. A new buffer for each record costs more
 * to touch for the first time and to free than the copy, and brings the next garbage collection nearer.
 */

const BYTES_MIN = 4_096
/** What lies here unused, at most; what comes back over that is left to the collector. */
const IDLE_BYTES_MAX = 16 * 1_048_576

export class SpareBuffers {
  /** By log2 of their size: every buffer here is a power of two long. */
  readonly #idle = new Map<number, ArrayBuffer[]>()
  #idleBytes = 0

  get idleBytes(): number {
    return this.#idleBytes
  }

  /** The bytes, in memory that is theirs alone, perhaps with room behind them. */
  copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    if (bytes.length < BYTES_MIN) return Uint8Array.from(bytes)
    const size = sizeClass(bytes.length)
    const spare = this.#idle.get(size)?.pop()
    if (spare !== undefined) this.#idleBytes -= spare.byteLength
    const copy = new Uint8Array(spare ?? new ArrayBuffer(2 ** size), 0, bytes.length)
    copy.set(bytes)
    return copy
  }

  /** Nobody reads or writes it any more. */
  give(buffer: ArrayBuffer): void {
    const { byteLength } = buffer
    if (byteLength < BYTES_MIN || this.#idleBytes + byteLength > IDLE_BYTES_MAX) return
    const size = sizeClass(byteLength)
    if (2 ** size !== byteLength) return
    const idle = this.#idle.get(size)
    if (idle === undefined) this.#idle.set(size, [buffer])
    else idle.push(buffer)
    this.#idleBytes += byteLength
  }
}

function sizeClass(bytes: number): number {
  return 32 - Math.clz32(bytes - 1)
}
