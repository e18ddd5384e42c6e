/** Records fetched and not yet taken. When it is full the owner of the buffer pauses its partitions. */
import type { LogRecord } from '../../core/bus.ts'
import { recordBytes } from './record.ts'

/** Longest time that Node's timers can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1

export class RecordBuffer {
  #records: LogRecord[] = []
  #bytes = 0
  #ended = false
  #error: Error | undefined
  readonly #waiting = new Set<() => void>()
  readonly #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get count(): number {
    return this.#records.length
  }

  get bytes(): number {
    return this.#bytes
  }

  get full(): boolean {
    return this.#bytes >= this.#bytesMax
  }

  push(records: readonly LogRecord[]): void {
    if (this.#ended) return
    for (const record of records) {
      this.#records.push(record)
      this.#bytes += recordBytes(record)
    }
    this.#wake()
  }

  /** Everything there is; empty when `waitMs` passed or the buffer was ended. Throws what `fail` gave. */
  async take(waitMs: number): Promise<readonly LogRecord[]> {
    if (this.#records.length === 0 && !this.#ended && this.#error === undefined) {
      await this.#something(waitMs)
    }
    if (this.#error !== undefined) throw this.#error
    const records = this.#records
    this.#records = []
    this.#bytes = 0
    return records
  }

  end(): void {
    this.#ended = true
    this.#records = []
    this.#bytes = 0
    this.#wake()
  }

  fail(error: Error): void {
    this.#error ??= error
    this.#wake()
  }

  async #something(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, Math.min(Math.max(0, waitMs), TIMER_MS_MAX))
      this.#waiting.add(wake)
    })
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}
