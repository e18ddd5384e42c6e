/**
 * Virtual time. Nothing passes unless somebody advances it, and before each step everything that can
 * run without waiting has run: so the same program with the same seed takes the same course.
 *
 * Only promises may be awaited by the simulated parties. Real I/O would end at a time of its own;
 * `hold` keeps time still while there is some.
 */
import type { WaitClock } from '../local/log-store.ts'

interface Alarm {
  readonly atMs: number
  /** Alarms of one moment go off in the order in which they were set. */
  readonly turn: number
  readonly callback: () => void
  cancelled: boolean
}

/** Of the event loop. */
const SETTLES_PER_TURN = 256

export class VirtualClock implements WaitClock {
  #nowMs: number
  #turn = 0
  #heap: Alarm[] = []
  readonly #holds = new Set<Promise<unknown>>()
  #settleCount = 0

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, callback: () => void): () => void {
    this.#turn += 1
    const atMs = this.#nowMs + Math.max(0, ms)
    const alarm: Alarm = { atMs, turn: this.#turn, callback, cancelled: false }
    this.#push(alarm)
    return () => {
      alarm.cancelled = true
    }
  }

  /** Time stands still until the work is done: for real I/O in a simulated party. */
  async hold<Value>(work: Promise<Value>): Promise<Value> {
    this.#holds.add(work)
    try {
      return await work
    } finally {
      this.#holds.delete(work)
    }
  }

  /** Lets so much time pass, going from alarm to alarm. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await this.settle()
    while (await this.#next(untilMs)) await this.settle()
    this.#nowMs = untilMs
  }

  /** Lets time pass until the condition holds; false when it never did within the limit. */
  async advanceUntil(condition: () => boolean, limitMs: number): Promise<boolean> {
    const untilMs = this.#nowMs + limitMs
    await this.settle()
    while (!condition()) {
      if (!(await this.#next(untilMs))) return false
      await this.settle()
    }
    return true
  }

  /**
   * Advances by itself from alarm to alarm while everybody waits, for tests whose own code waits as
   * well. The answer ends it.
   */
  run(): () => void {
    const state = { running: true }
    const turn = async (): Promise<void> => {
      while (state.running) {
        await this.settle()
        await this.#next(Number.POSITIVE_INFINITY)
      }
    }
    void turn()
    return () => {
      state.running = false
    }
  }

  /**
   * Until nothing can run without waiting: a tick comes after the last promise. A turn of the event loop does too,
   * but costs more, so it is taken only now and then, for those outside who wait for one (signals).
   */
  async settle(): Promise<void> {
    this.#settleCount = (this.#settleCount + 1) % SETTLES_PER_TURN
    if (this.#settleCount === 0) await turnOfTheLoop()
    else await new Promise<void>((resolve) => process.nextTick(resolve))
    while (this.#holds.size > 0) {
      await Promise.allSettled(this.#holds)
      await turnOfTheLoop()
    }
  }

  async #next(untilMs: number): Promise<boolean> {
    while (this.#heap.length > 0 && this.#heap[0].cancelled) this.#pop()
    if (this.#heap.length === 0 || this.#heap[0].atMs > untilMs) return false
    const alarm = this.#pop()
    this.#nowMs = Math.max(this.#nowMs, alarm.atMs)
    alarm.callback()
    return true
  }

  #push(alarm: Alarm): void {
    const heap = this.#heap
    let at = heap.push(alarm) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent], alarm)) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = alarm
  }

  #pop(): Alarm {
    const heap = this.#heap
    const first = heap[0]
    const moved = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1
      if (isBefore(moved, heap[child])) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = moved
    return first
  }
}

async function turnOfTheLoop(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve))
}

function isBefore(a: Alarm, b: Alarm): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn)
}
