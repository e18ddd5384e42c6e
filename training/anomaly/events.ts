/**
 * An alarm judged by events, without point adjustment: samples at or over the threshold form runs, runs
 * with at most `GAP_MAX` samples between them are one, a run that touches no anomaly is a false one, and
 * an anomaly is found when a sample within it is at or over the threshold.
 */
import { segmentIndex, segmentsOf } from './segments.ts'

/** Samples between two runs that are told as one. */
export const GAP_MAX = 10

export interface AlarmCounts {
  readonly falseRunCount: number
  readonly foundCount: number
}

/** `over`: one for each sample whose score is at or over its threshold. */
export function countRuns(over: Uint8Array, labels: Uint8Array): AlarmCounts {
  const eventOf = segmentIndex(segmentsOf(labels), labels.length)
  const found = new Set<number>()
  let falseRunCount = 0
  let touched = true
  let lastOver = -Infinity
  for (let i = 0; i < over.length; i++) {
    if (over[i] === 0) continue
    if (i - lastOver > GAP_MAX + 1) {
      if (!touched) falseRunCount++
      touched = false
    }
    if (eventOf[i] >= 0) {
      touched = true
      found.add(eventOf[i])
    }
    lastOver = i
  }
  if (!touched) falseRunCount++
  return { falseRunCount, foundCount: found.size }
}

/**
 * Anomalies found at the lowest threshold down to which there were never more than `falseRunsMax` false
 * runs. Lower thresholds may have fewer again, when runs grow together: they do not count.
 */
export function foundWithin(
  scores: Float64Array,
  labels: Uint8Array,
  falseRunsMax: number,
): number {
  const eventOf = segmentIndex(segmentsOf(labels), labels.length)
  const runs = new GrowingRuns(scores.length, eventOf)
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a])
  let within = 0
  for (let i = 0; i < order.length;) {
    const threshold = scores[order[i]]
    while (i < order.length && scores[order[i]] === threshold) runs.add(order[i++])
    if (runs.falseCount > falseRunsMax) break
    within = runs.found.size
  }
  return within
}

/** Runs while the threshold falls: a disjoint-set forest over the samples. */
class GrowingRuns {
  readonly found = new Set<number>()
  falseCount = 0
  readonly #eventOf: Int32Array
  /** -1: under the threshold. */
  readonly #parent: Int32Array
  /** Of a root: the run touches no anomaly. */
  readonly #isFalse: Uint8Array

  constructor(sampleCount: number, eventOf: Int32Array) {
    this.#eventOf = eventOf
    this.#parent = new Int32Array(sampleCount).fill(-1)
    this.#isFalse = new Uint8Array(sampleCount)
  }

  add(sample: number): void {
    const event = this.#eventOf[sample]
    this.#parent[sample] = sample
    if (event >= 0) {
      this.found.add(event)
    } else {
      this.#isFalse[sample] = 1
      this.falseCount++
    }
    for (const step of [-1, 1]) {
      for (let distance = 1; distance <= GAP_MAX + 1; distance++) {
        const other = sample + step * distance
        if (!(this.#parent[other] >= 0)) continue
        this.#join(sample, other)
        break
      }
    }
  }

  #join(a: number, b: number): void {
    const [to, from] = [this.#rootOf(a), this.#rootOf(b)]
    if (to === from) return
    // One false run less: either two become one, or a true run takes a false one in.
    if (this.#isFalse[to] === 1 || this.#isFalse[from] === 1) this.falseCount--
    this.#isFalse[to] &= this.#isFalse[from]
    this.#parent[from] = to
  }

  #rootOf(sample: number): number {
    let root = sample
    while (this.#parent[root] !== root) root = this.#parent[root]
    for (let at = sample; at !== root;) {
      const next = this.#parent[at]
      this.#parent[at] = root
      at = next
    }
    return root
  }
}
