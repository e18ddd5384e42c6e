/** xorshift32 (Marsaglia, 2003): the same numbers from the same seed on every machine. */
export class SeededRandom {
  #state: number

  private constructor(state: number) {
    this.#state = state
  }

  static fromSeed(seed: number): SeededRandom {
    return new SeededRandom((Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1)
  }

  /** Goes on where another stood. */
  static fromState(state: number): SeededRandom {
    return new SeededRandom(state)
  }

  get state(): number {
    return this.#state
  }

  /** 0..1, without 1. */
  next(): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state >>> 0
    return this.#state / 2 ** 32
  }
}
