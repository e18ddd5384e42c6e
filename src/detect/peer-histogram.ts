/**
 * Where the peers stand: counts of a shift in equal bins, window by window. Counts do not
 * depend on the order of what is counted, so neither do the quantiles.
 */

/** Logarithms from -4 to 8.8 in steps of a twentieth, 5 % each. */
const BINS = 256
const BINS_PER_E = 20
const LOWEST = -4

export interface PeerView {
  readonly count: number
  /** Natural logarithms. */
  readonly median: number
  /** A robust standard deviation: the interquartile range over 1.349. */
  readonly deviation: number
}

export class PeerHistogram {
  readonly #windowMs: number
  #window = -1
  #counts = new Uint32Array(BINS)
  #view: PeerView | null = null

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** Of the newest complete window in which anything was counted; null before. */
  view(nowMs: number): PeerView | null {
    this.#turn(nowMs)
    return this.#view
  }

  /** `logarithm`: natural, of how many times more than before. */
  add(logarithm: number, nowMs: number): void {
    this.#turn(nowMs)
    const bin = Math.floor((logarithm - LOWEST) * BINS_PER_E)
    this.#counts[Math.min(BINS - 1, Math.max(0, bin))]++
  }

  #turn(nowMs: number): void {
    const window = Math.floor(nowMs / this.#windowMs)
    if (window === this.#window) return
    this.#window = window
    const count = this.#counts.reduce((sum, n) => sum + n, 0)
    if (count === 0) return
    const at = (share: number) =>
      LOWEST + (quantileBin(this.#counts, share * count) + 0.5) / BINS_PER_E
    this.#view = { count, median: at(0.5), deviation: (at(0.75) - at(0.25)) / 1.349 }
    this.#counts = new Uint32Array(BINS)
  }
}

function quantileBin(counts: Uint32Array, rank: number): number {
  let seen = 0
  for (let bin = 0; bin < counts.length; bin++) {
    seen += counts[bin]
    if (seen >= rank) return bin
  }
  return counts.length - 1
}
