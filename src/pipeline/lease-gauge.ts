/** How far an owner of a partition is behind, and how full its queues are: for people, never for decisions. */
import type { Bus, Lease, LeaseBuffer } from '../core/bus.ts'

/** The lag is asked for this often at most: on Kafka it is a question to the broker. */
const ASK_INTERVAL_MS = 1_000

export interface LeaseFigures {
  /** Committed records not yet taken, when last asked; null before the first answer. */
  readonly lagRecords: number | null
  readonly buffer: LeaseBuffer
  /** Outputs that wait for the next transaction. */
  readonly pendingOutputs: number
}

export class LeaseGauge {
  readonly #lease: Lease
  readonly #bus: Pick<Bus, 'nowMs'>
  #lagRecords: number | null = null
  #askDueMs = Number.NEGATIVE_INFINITY
  #asking = false

  constructor(lease: Lease, bus: Pick<Bus, 'nowMs'>) {
    this.#lease = lease
    this.#bus = bus
  }

  /** Call it as often as you like: it asks when it is time, and keeps nobody waiting. */
  sample(): void {
    const nowMs = this.#bus.nowMs()
    if (this.#asking || nowMs < this.#askDueMs) return
    this.#askDueMs = nowMs + ASK_INTERVAL_MS
    this.#asking = true
    void this.#ask()
  }

  /** The owner has asked for its own sake. */
  note(lagRecords: number): void {
    this.#lagRecords = lagRecords
  }

  /** Whoever looks has it asked for as well: an owner that is stuck in its fold cannot. */
  figures(pendingOutputs: number): LeaseFigures {
    this.sample()
    return { lagRecords: this.#lagRecords, buffer: this.#lease.buffer(), pendingOutputs }
  }

  async #ask(): Promise<void> {
    try {
      this.#lagRecords = await this.#lease.behind()
    } catch {
      // An outage, which the bus's health tells: the lag is not known, and nobody waits for it.
      this.#lagRecords = null
    } finally {
      this.#asking = false
    }
  }
}
