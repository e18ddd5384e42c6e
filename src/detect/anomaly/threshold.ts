/**
 * The height at which an alarm is raised, so that a node raises as many as were asked for. It is worked
 * out anew each day from the last days of the statistic, so it follows drift both ways. What was over
 * the threshold is kept as if it had just reached it: a long anomaly does not raise the threshold for the
 * next one, yet a node that alarms too often does.
 */
import { heightFor, type RunRule } from './peaks.ts'

/** Of the statistic that is remembered. */
const MEMORY_DAYS = 15

export class AlarmThreshold {
  readonly #runsPerDay: number
  readonly #rule: RunRule
  /** The last days, oldest first from `#next` on. */
  readonly #memory: Float64Array
  #remembered = 0
  #next = 0
  #untilDue: number
  #height: number

  /** `statistic` in time order, of samples that the detector was not fitted on. */
  constructor(statistic: Float64Array, runsPerDay: number, rule: RunRule) {
    this.#runsPerDay = runsPerDay
    this.#rule = rule
    this.#memory = new Float64Array(Math.max(1, Math.round(MEMORY_DAYS * rule.samplesPerDay)))
    for (const value of statistic.subarray(-this.#memory.length)) this.#remember(value)
    this.#untilDue = Math.round(rule.samplesPerDay)
    this.#height = this.#remembered === 0 ? Infinity : this.#work()
  }

  get height(): number {
    return this.#height
  }

  /** Whether the value is at or over the threshold, which then takes it into account. */
  push(value: number): boolean {
    const over = value >= this.#height
    this.#remember(over ? this.#height : value)
    if (--this.#untilDue === 0) {
      this.#untilDue = Math.round(this.#rule.samplesPerDay)
      this.#height = this.#work()
    }
    return over
  }

  #remember(value: number): void {
    this.#memory[this.#next] = value
    this.#next = (this.#next + 1) % this.#memory.length
    this.#remembered = Math.min(this.#remembered + 1, this.#memory.length)
  }

  #work(): number {
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
