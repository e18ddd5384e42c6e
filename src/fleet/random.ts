/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna, 2018), seeded through splitmix32.
 *
 * Each thing in the fleet draws from a stream of its own, named by text, so that what one of them
 * does (or what a command makes it do) never shifts the luck of another.
 */
import { toBytes } from '../core/bytes.ts'
import { murmur2 } from '../core/partition.ts'

/** Least and most of a parameter. */
export type Range = readonly [least: number, most: number]

export class Random {
  private a: number
  private b: number
  private c: number
  private d: number
  private spareNormal: number | null = null

  constructor(seed: number, stream: string) {
    let state = (seed ^ murmur2(toBytes(`${seed}/${stream}`))) | 0
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0
      let z = state ^ (state >>> 16)
      z = Math.imul(z, 0x21f0aaad)
      z ^= z >>> 15
      z = Math.imul(z, 0x735a2d97)
      return z ^ (z >>> 15)
    }
    this.a = next()
    this.b = next()
    this.c = next()
    // The all-zero state would stay zero for ever.
    this.d = next() | 1
  }

  /** 0 ≤ x < 1, in steps of 2^-32. */
  ratio(): number {
    const product = Math.imul(this.b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9)
    const shifted = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= shifted
    this.d = (this.d << 11) | (this.d >>> 21)
    return (result >>> 0) / 4_294_967_296
  }

  between([least, most]: Range): number {
    return least + (most - least) * this.ratio()
  }

  /** Even over the orders of magnitude; both ends above zero. */
  logBetween([least, most]: Range): number {
    return least * Math.pow(most / least, this.ratio())
  }

  chance(probability: number): boolean {
    return this.ratio() < probability
  }

  /** 0 ≤ index < count. */
  index(count: number): number {
    return Math.floor(this.ratio() * count)
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.index(items.length)]
  }

  /** One of the items, each as likely as its weight says. */
  weighted<Item extends { readonly weight: number }>(items: readonly Item[]): Item {
    let rest = this.ratio() * items.reduce((sum, item) => sum + item.weight, 0)
    for (const item of items) {
      rest -= item.weight
      if (rest < 0) return item
    }
    return items[items.length - 1]
  }

  /** Time to the next event of a Poisson process. */
  exponential(mean: number): number {
    return -Math.log(1 - this.ratio()) * mean
  }

  /** Standard normal, by Marsaglia's polar method. */
  normal(): number {
    const spare = this.spareNormal
    if (spare !== null) {
      this.spareNormal = null
      return spare
    }
    for (;;) {
      const x = 2 * this.ratio() - 1
      const y = 2 * this.ratio() - 1
      const square = x * x + y * y
      if (square >= 1 || square === 0) continue
      const factor = Math.sqrt((-2 * Math.log(square)) / square)
      this.spareNormal = y * factor
      return x * factor
    }
  }

  /** Events of a Poisson process with this expectation (Knuth below 30, normal above). */
  poisson(expected: number): number {
    if (expected <= 0) return 0
    if (expected > 30)
      return Math.max(0, Math.round(expected + Math.sqrt(expected) * this.normal()))
    const limit = Math.exp(-expected)
    let count = 0
    for (let product = this.ratio(); product > limit; product *= this.ratio()) count++
    return count
  }
}
