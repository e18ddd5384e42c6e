/**
 * Chance from a text: the same incident draws the same numbers wherever and whenever its log is folded.
 * splitmix32 over the text's murmur2; gamma by Marsaglia and Tsang (2000), beta from two gammas.
 */
import { toBytes } from '../core/bytes.ts'
import { murmur2 } from '../core/partition.ts'

export class Draws {
  #state: number

  constructor(seed: string) {
    this.#state = murmur2(toBytes(seed)) | 0
  }

  /** 0 ≤ x < 1. */
  ratio(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    let mixed = this.#state ^ (this.#state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    mixed ^= mixed >>> 15
    return (mixed >>> 0) / 4_294_967_296
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.ratio()))
    return radius * Math.cos(2 * Math.PI * this.ratio())
  }

  /** Of this shape, over zero, and scale 1. */
  gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * Math.pow(1 - this.ratio(), 1 / shape)
    const d = shape - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const v = Math.pow(1 + c * x, 3)
      if (v <= 0) continue
      if (Math.log(1 - this.ratio()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
    }
  }

  beta(successes: number, failures: number): number {
    const x = this.gamma(successes)
    return x / (x + this.gamma(failures))
  }
}
