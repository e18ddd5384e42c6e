/**
 * Peer statistics: how often each value was seen in a cohort (pool x class x model) in a window of
 * one prediction interval, as 64 integer counts between the metric's bounds. Integers add up to the
 * same in any order, so the place of a node among its peers depends on no partitioning.
 */
import type { PoolId } from '../core/ids.ts'
import type { Metric } from '../core/node.ts'

export const BINS = 64
/** Windows counted at once, over all cohorts; beyond it the oldest is handed out early. */
const OPEN_MAX = 4096

/** Nodes that are alike: pool, class and the label `model`. */
export interface Cohort {
  /** Its name, pool/class/model. */
  readonly cohort: string
  readonly pool: PoolId
  readonly nodeClass: string
}

/** Counts of one cohort in one window; a sum of such counts over partitions is a cohort's table. */
export interface CohortTable extends Cohort {
  /** floor(t / predictionIntervalMs) of the rows counted. */
  readonly window: number
  /** Metric name to 64 counts. */
  readonly metrics: Readonly<Record<string, readonly number[]>>
}

/** Body of pool-log `cohort-counts` (from one watcher) and node-log `cohort-table` (from all of them). */
export interface CohortWindow {
  /** Watcher partition that counted. */
  readonly source: number
  readonly nodeClass: string
  readonly window: number
  readonly cohorts: readonly CohortTable[]
}

/** Bin of a value between the bounds; what lies outside counts in the outermost bin. */
export function binOf(value: number, min: number, max: number): number {
  const bin = Math.floor(((value - min) / (max - min)) * BINS)
  return bin < 0 ? 0 : bin > BINS - 1 ? BINS - 1 : bin
}

/** Share of the cohort below each bin plus half of those in it, 0..1; NaN when nobody was counted. */
export function percentiles(counts: readonly number[]): Float32Array {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const shares = new Float32Array(BINS).fill(Number.NaN)
  let below = 0
  if (total === 0) return shares
  for (let bin = 0; bin < BINS; bin++) {
    const count = counts[bin] ?? 0
    shares[bin] = (below + count / 2) / total
    below += count
  }
  return shares
}

/** Adds two counts of the same cohort and window. */
export function mergeCohorts(a: CohortTable, b: CohortTable): CohortTable {
  const metrics: Record<string, readonly number[]> = { ...a.metrics }
  for (const [name, counts] of Object.entries(b.metrics)) {
    const other = metrics[name]
    metrics[name] = other === undefined ? counts : counts.map((n, bin) => n + (other[bin] ?? 0))
  }
  return { ...a, metrics }
}

interface OpenWindow {
  readonly cohort: Cohort
  readonly window: number
  readonly counts: readonly Uint32Array[]
}

/** Counts the values of grid rows until their window is complete. */
export class CohortCounter {
  readonly #metrics: readonly Metric[]
  readonly #open = new Map<string, OpenWindow>()

  constructor(metrics: readonly Metric[]) {
    this.#metrics = metrics
  }

  /** `values` in the order of the metrics; NaN counts nowhere. */
  add(cohort: Cohort, window: number, values: readonly number[]): void {
    const key = `${window}/${cohort.cohort}`
    let open = this.#open.get(key)
    if (open === undefined) {
      open = { cohort, window, counts: this.#metrics.map(() => new Uint32Array(BINS)) }
      this.#open.set(key, open)
    }
    for (const [index, { min, max }] of this.#metrics.entries()) {
      const value = values[index]
      if (!Number.isNaN(value)) open.counts[index][binOf(value, min!, max!)] += 1
    }
  }

  /** Hands out, and forgets, the windows before `window`, and the oldest beyond the limit. */
  drain(window: number): readonly CohortTable[] {
    const drained: CohortTable[] = []
    for (const [key, open] of this.#open) {
      if (open.window >= window && this.#open.size <= OPEN_MAX) continue
      this.#open.delete(key)
      drained.push(this.#table(open))
    }
    return drained.sort((a, b) => a.window - b.window || (a.cohort < b.cohort ? -1 : 1))
  }

  #table({ cohort, window, counts }: OpenWindow): CohortTable {
    const metrics: Record<string, readonly number[]> = {}
    for (const [index, { name }] of this.#metrics.entries()) metrics[name] = [...counts[index]]
    return { ...cohort, window, metrics }
  }
}
