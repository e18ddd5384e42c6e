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
    const own = this.#open(index)
    const warmingUp = own[COUNT] < WARM_UP_READINGS
    const threshold = this.#threshold(own)
    const over = !warmingUp && reading >= threshold
    const alarm = over && own[IN_ALARM] === 0
    const remembered = warmingUp
      ? reading
      : Math.min(reading, threshold + REMEMBERED_OVER_RATIO * (threshold - own[LEVEL]))
    this.#followRun(own, remembered, over)
    followLevel(own, remembered)
    return { warmingUp, threshold, alarm, over }
  }

  #open(index: number): Float64Array {
    const end = (index + 1) * WIDTH
    if (end > this.#states.length) {
      const grown = new Float64Array(2 * end)
      grown.set(this.#states)
      this.#states = grown
    }
    return this.#states.subarray(index * WIDTH, end)
  }

  #threshold(own: Float64Array): number {
    if (own[COUNT] < WARM_UP_READINGS) return Number.POSITIVE_INFINITY
    const { readingsPerDay, falseRunsPerDay } = this.#options
    // Before the first run has ended, excesses are thought to be as wide as the readings are.
    const mean = own[RUNS] === 0 ? own[SCALE] : own[MEAN]
    const rarity = (Math.max(own[RATE], 1 / READINGS_KEPT) * readingsPerDay) / falseRunsPerDay
    if (rarity <= 1) return own[LEVEL]
    const variance = own[SQUARE] - mean * mean
    const ratio = own[RUNS] < 5 || variance <= 0 ? 1 : (mean * mean) / variance
    const shape = Math.max(-SHAPE_MAX, Math.min(SHAPE_MAX, (1 - ratio) / 2))
    const scale = mean * (1 - shape)
    const isExponential = Math.abs(shape) < 1e-3
    return own[LEVEL] + scale * (isExponential ? Math.log(rarity) : (rarity ** shape - 1) / shape)
  }

  #followRun(own: Float64Array, value: number, over: boolean): void {
    if (over) own[IN_ALARM] = 1
    if (own[COUNT] < WARM_UP_READINGS / 2) return
    const isExcess = value > own[LEVEL]
    own[SINCE_OVER] = isExcess ? 0 : own[SINCE_OVER] + 1
    if (isExcess) own[PEAK] = Math.max(own[PEAK], value - own[LEVEL])
    const ended = own[PEAK] > 0 && own[SINCE_OVER] > GAP_MAX
    const weight = 1 / Math.min(own[COUNT] + 1, READINGS_KEPT)
    own[RATE] += weight * ((ended ? 1 : 0) - own[RATE])
    if (!ended) return
    const share = 1 / Math.min(++own[RUNS], RUNS_KEPT)
    own[MEAN] += share * (own[PEAK] - own[MEAN])
    own[SQUARE] += share * (own[PEAK] * own[PEAK] - own[SQUARE])
    own[PEAK] = 0
    own[IN_ALARM] = 0
  }
}

/** Steps up where the reading is over the level and down where it is not, in the ratio of the quantile. */
function followLevel(own: Float64Array, value: number): void {
  const count = ++own[COUNT]
  if (count === 1) {
    own[LEVEL] = value
    return
  }
  const pace = 1 / Math.min(count, READINGS_KEPT)
  own[SCALE] += pace * (Math.abs(value - own[LEVEL]) - own[SCALE])
  const step = own[SCALE] * Math.max(pace, 0.02)
  own[LEVEL] += value > own[LEVEL] ? step * LEVEL_QUANTILE : -step * (1 - LEVEL_QUANTILE)
}
