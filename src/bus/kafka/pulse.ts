/** Whether the broker answers, as one steady small question finds out; told in log and health. */
import type { BusHealth } from '../../core/bus.ts'
import type { BusLog } from './client.ts'
import { failureOf } from './failure.ts'

export class Pulse {
  #connected = false
  #reconnectCount = 0
  #lastError: string | null = null
  #wasConnected = false
  readonly #log: BusLog | undefined

  constructor(log: BusLog | undefined) {
    this.#log = log
  }

  /** Something went wrong and is being retried; it does not say that the broker is gone. */
  note(what: string, error: unknown, detail: Readonly<Record<string, unknown>> = {}): void {
    const { message, type } = failureOf(error)
    this.#lastError = `${what}: ${message}`
    this.#log?.(what, { ...detail, error: message, ...(type === '' ? {} : { type }) })
  }

  answered(): void {
    if (this.#connected) return
    this.#connected = true
    if (this.#wasConnected) {
      this.#reconnectCount += 1
      this.#log?.('kafka is back', { reconnectCount: this.#reconnectCount })
    }
    this.#wasConnected = true
  }

  silent(error: unknown): void {
    const { message } = failureOf(error)
    this.#lastError = message
    if (this.#connected) this.#log?.('kafka does not answer, trying on', { error: message })
    this.#connected = false
  }

  health(stuckLeaseCount: number): BusHealth {
    return {
      connected: this.#connected,
      reconnectCount: this.#reconnectCount,
      lastError: this.#lastError,
      stuckLeaseCount,
    }
  }
}
