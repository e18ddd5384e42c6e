/**
 * The height at which an alarm is raised, so that a node raises as many as were asked for. It is worked
 * out anew four times a day from the last days of the statistic, so it follows drift both ways. What is
 * far over the threshold is remembered as one excess over it, and never as less than the excess of the
 * node's past: one long anomaly hardly raises the threshold for the next, yet a node that alarms too
 * often, or never stops, raises it step by step.
 */
import { heightFor, type Height, type RunRule } from './peaks.ts'

/** Of the statistic that is remembered. */
const MEMORY_DAYS = 7
const WORKED_OUT_PER_DAY = 4

export class AlarmThreshold {
  readonly #runsPerDay: number
  readonly #rule: RunRule
  /** The last days, oldest first from `#next` on. */
  readonly #memory: Float64Array
  #remembered = 0
  #next = 0
  #untilDue: number
  #current: Height
  /** Of the threshold over the level, at first. */
  readonly #excessMin: number

  /** `statistic` in time order, not empty, of samples that the detector was not fitted on. */
  constructor(statistic: Float64Array, runsPerDay: number, rule: RunRule) {
    this.#runsPerDay = runsPerDay
    this.#rule = rule
    this.#memory = new Float64Array(Math.max(1, Math.round(MEMORY_DAYS * rule.samplesPerDay)))
    for (const value of statistic.subarray(-this.#memory.length)) this.#remember(value)
    this.#untilDue = this.#interval
    this.#current = this.#work()
    this.#excessMin = this.#current.height - this.#current.level
  }

  get height(): number {
    return this.#current.height
  }

  /** Whether the value is at or over the threshold, which then takes it into account. */
  push(value: number): boolean {
    const { level, height } = this.#current
    this.#remember(Math.min(value, height + Math.max(height - level, this.#excessMin)))
    if (--this.#untilDue === 0) {
      this.#untilDue = this.#interval
      this.#current = this.#work()
    }
    return value >= height
  }

  #remember(value: number): void {
    this.#memory[this.#next] = value
    this.#next = (this.#next + 1) % this.#memory.length
    this.#remembered = Math.min(this.#remembered + 1, this.#memory.length)
  }

  get #interval(): number {
    return Math.max(1, Math.round(this.#rule.samplesPerDay / WORKED_OUT_PER_DAY))
  }

  #work(): Height {
    const inOrder =
      this.#remembered < this.#memory.length
        ? this.#memory.subarray(0, this.#remembered)
        : rotated(this.#memory, this.#next)
    return heightFor(inOrder, this.#runsPerDay, this.#rule)
  }
}

function rotated(values: Float64Array, from: number): Float64Array {
  const turned = new Float64Array(values.length)
  turned.set(values.subarray(from))
  turned.set(values.subarray(0, from), values.length - from)
  return turned
}
