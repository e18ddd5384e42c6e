/** What a service takes while it is measured: memory, records it is behind, and samples it accounts for. */
import type { Service } from '../pipeline/service.ts'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 1_000
/** Samples that come later than this after the last one was sent count as missing. */
const PATIENCE_MS = 30_000
const POLL_MS = 100

export interface Watched {
  /** In the state of their nodes, or counted as late. */
  readonly accountedCount: number
  /** Records not yet taken, of one partition, at most. */
  readonly lagRecordsMax: number
  /** Of this process. */
  readonly memoryBytesMax: number
  /** User and system time of this process, in ms. */
  readonly cpuMs: number
}

export class ServiceWatch {
  readonly #service: Service
  readonly #timer: NodeJS.Timeout
  readonly #before = process.cpuUsage()
  #lagRecordsMax = 0
  #memoryBytesMax = 0

  constructor(service: Service) {
    this.#service = service
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  /** Waits for `samples` to be accounted for, and ends. */
  async end(samples: number): Promise<Watched> {
    this.#look()
    const { user, system } = process.cpuUsage(this.#before)
    for (let waitedMs = 0; this.#accounted() < samples && waitedMs < PATIENCE_MS;) {
      await sleep(POLL_MS)
      waitedMs += POLL_MS
    }
    this.stop()
    return {
      accountedCount: this.#accounted(),
      lagRecordsMax: this.#lagRecordsMax,
      memoryBytesMax: this.#memoryBytesMax,
      cpuMs: (user + system) / 1_000,
    }
  }

  /** Safe to call twice. */
  stop(): void {
    clearInterval(this.#timer)
  }

  #accounted(): number {
    const { sampleCount = 0, lateCount = 0 } = this.#service.totals()
    return sampleCount + lateCount
  }

  #look(): void {
    for (const { lagRecords } of this.#service.figures()) {
      this.#lagRecordsMax = Math.max(this.#lagRecordsMax, lagRecords ?? 0)
    }
    this.#memoryBytesMax = Math.max(this.#memoryBytesMax, process.memoryUsage.rss())
  }
}
