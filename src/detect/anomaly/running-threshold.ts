/**
 * Alarm thresholds of many nodes at once, by peaks over a level as in `peaks.ts`, but in constant memory:
 * the level is a running quantile, and the excesses of runs are told by their running mean and variance,
 * from which the generalised Pareto distribution follows by its moments (Hosking and Wallis 1987). All
 * of it forgets, so thresholds follow drift. A peak far over the threshold counts as half an excess over
 * it, so that one anomaly hardly hides the next.
 */

export interface RunningOptions {
  /** Readings of one node a day. */
  readonly readingsPerDay: number
  /** Alarms without an anomaly that are put up with, per node. */
  readonly falseRunsPerDay: number
}

export interface RunningReading {
  /** Too few readings of the node yet: nothing is said. */
  readonly warmingUp: boolean
  readonly threshold: number
  /** The reading begins a run over the threshold; the rest of the run is part of the same alarm. */
  readonly alarm: boolean
  readonly over: boolean
}

/** Readings before the first word. */
export const WARM_UP_READINGS = 60

const LEVEL_QUANTILE = 0.9
/** Readings, and runs, over which the level and the excesses forget. */
const READINGS_KEPT = 1_000
const RUNS_KEPT = 100
/** Readings under the level that end a run. */
const GAP_MAX = 10
const SHAPE_MAX = 0.5
/** Of the excess that raises an alarm: what is remembered of one that is higher. */
const REMEMBERED_OVER_RATIO = 0.5

// Of a node, by index.
const COUNT = 0
const LEVEL = 1
const SCALE = 2
const RUNS = 3
const MEAN = 4
const SQUARE = 5
const RATE = 6
const PEAK = 7
const SINCE_OVER = 8
const IN_ALARM = 9
const WIDTH = 10

export class RunningThresholds {
  readonly #options: RunningOptions
  #states = new Float64Array(64 * WIDTH)

  constructor(options: RunningOptions) {
    this.#options = options
  }

  /** The index serves another node from now on. */
  forget(index: number): void {
    this.#states.fill(0, index * WIDTH, (index + 1) * WIDTH)
  }

  /** A reading from 0 on, at the same distance from the last as any other. */
  push(index: number, reading: number): RunningReading {
    const own = index * WIDTH
    const all = this.#open(own)
    const warmingUp = all[own + COUNT] < WARM_UP_READINGS
    const threshold = this.#threshold(all, own)
    const over = !warmingUp && reading >= threshold
    const alarm = over && all[own + IN_ALARM] === 0
    const remembered = warmingUp
      ? reading
      : Math.min(reading, threshold + REMEMBERED_OVER_RATIO * (threshold - all[own + LEVEL]))
    this.#followRun(all, own, remembered, over)
    followLevel(all, own, remembered)
    return { warmingUp, threshold, alarm, over }
  }

  /** No view of a node's own numbers: one for each reading would be garbage by the million. */
  #open(own: number): Float64Array {
    const end = own + WIDTH
    if (end > this.#states.length) {
      const grown = new Float64Array(2 * end)
      grown.set(this.#states)
      this.#states = grown
    }
    return this.#states
  }

  #threshold(all: Float64Array, own: number): number {
    if (all[own + COUNT] < WARM_UP_READINGS) return Number.POSITIVE_INFINITY
    const { readingsPerDay, falseRunsPerDay } = this.#options
    // Before the first run has ended, excesses are thought to be as wide as the readings are.
    const mean = all[own + RUNS] === 0 ? all[own + SCALE] : all[own + MEAN]
    const rarity = (Math.max(all[own + RATE], 1 / READINGS_KEPT) * readingsPerDay) / falseRunsPerDay
    if (rarity <= 1) return all[own + LEVEL]
    const variance = all[own + SQUARE] - mean * mean
    const ratio = all[own + RUNS] < 5 || variance <= 0 ? 1 : (mean * mean) / variance
    const shape = Math.max(-SHAPE_MAX, Math.min(SHAPE_MAX, (1 - ratio) / 2))
    const scale = mean * (1 - shape)
    const isExponential = Math.abs(shape) < 1e-3
    return (
      all[own + LEVEL] + scale * (isExponential ? Math.log(rarity) : (rarity ** shape - 1) / shape)
    )
  }

  #followRun(all: Float64Array, own: number, value: number, over: boolean): void {
    if (over) all[own + IN_ALARM] = 1
    if (all[own + COUNT] < WARM_UP_READINGS / 2) return
    const isExcess = value > all[own + LEVEL]
    all[own + SINCE_OVER] = isExcess ? 0 : all[own + SINCE_OVER] + 1
    if (isExcess) all[own + PEAK] = Math.max(all[own + PEAK], value - all[own + LEVEL])
    const ended = all[own + PEAK] > 0 && all[own + SINCE_OVER] > GAP_MAX
    const weight = 1 / Math.min(all[own + COUNT] + 1, READINGS_KEPT)
    all[own + RATE] += weight * ((ended ? 1 : 0) - all[own + RATE])
    if (!ended) return
    const share = 1 / Math.min(++all[own + RUNS], RUNS_KEPT)
    all[own + MEAN] += share * (all[own + PEAK] - all[own + MEAN])
    all[own + SQUARE] += share * (all[own + PEAK] * all[own + PEAK] - all[own + SQUARE])
    all[own + PEAK] = 0
    all[own + IN_ALARM] = 0
  }
}

/** Steps up where the reading is over the level and down where it is not, in the ratio of the quantile. */
function followLevel(all: Float64Array, own: number, value: number): void {
  const count = ++all[own + COUNT]
  if (count === 1) {
    all[own + LEVEL] = value
    return
  }
  const pace = 1 / Math.min(count, READINGS_KEPT)
  all[own + SCALE] += pace * (Math.abs(value - all[own + LEVEL]) - all[own + SCALE])
  const step = all[own + SCALE] * Math.max(pace, 0.02)
  all[own + LEVEL] +=
    value > all[own + LEVEL] ? step * LEVEL_QUANTILE : -step * (1 - LEVEL_QUANTILE)
}
