/** Mean of the last samples; of fewer while there are fewer. */
export class TrailingMean {
  readonly #last: Float64Array
  #count = 0

  constructor(length: number) {
    this.#last = new Float64Array(length)
  }

  push(value: number): number {
    this.#last[this.#count++ % this.#last.length] = value
    const count = Math.min(this.#count, this.#last.length)
    // Summed anew, so that rounding never gathers.
    let sum = 0
    for (let i = 0; i < count; i++) sum += this.#last[i]
    return sum / count
  }
}
