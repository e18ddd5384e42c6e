/** The newest items of a stream, each with a sequence number that never comes again. */
import { assert } from '../core/errors.ts'

export interface Numbered<Item> {
  readonly sequence: number
  readonly item: Item
}

/** Holds `countMax` items; when full, the oldest is dropped. */
export class Ring<Item> {
  readonly #slots: (Numbered<Item> | undefined)[]
  #next = 0

  constructor(countMax: number) {
    assert(countMax > 0, 'a ring holds at least one item')
    this.#slots = Array.from({ length: countMax })
  }

  /** Sequence number of the next item. */
  get next(): number {
    return this.#next
  }

  /** Sequence number of the oldest item still held; equals `next` when empty. */
  get oldest(): number {
    return Math.max(0, this.#next - this.#slots.length)
  }

  push(item: Item): Numbered<Item> {
    const numbered = { sequence: this.#next, item }
    this.#slots[this.#next % this.#slots.length] = numbered
    this.#next++
    return numbered
  }

  /** Oldest first, from `sequence` on. */
  *after(sequence: number): Generator<Numbered<Item>> {
    for (let at = Math.max(this.oldest, sequence); at < this.#next; at++) {
      yield this.#slots[at % this.#slots.length]!
    }
  }

  /** Newest first, those older than `sequence`. */
  *before(sequence: number): Generator<Numbered<Item>> {
    for (let at = Math.min(this.#next, sequence) - 1; at >= this.oldest; at--) {
      yield this.#slots[at % this.#slots.length]!
    }
  }
}
