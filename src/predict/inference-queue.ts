/**
 * Rows of several watchers for one model, put together: a GPU takes as long for a few rows as for thousands.
 * Whatever waits when a run ends goes into the next one.
 */
import { setImmediate as otherTurns } from 'node:timers/promises'
import type { GpuModel } from './gpu-model.ts'
import type { EncodedRows } from './row-keys.ts'
import type { Scores } from './session.ts'

/** Requests that may wait; a watcher has one under way, so this is far beyond their number. */
const WAITING_MAX = 4_096

interface Job {
  readonly rows: EncodedRows
  readonly rowCount: number
  resolve(scores: Scores): void
  reject(error: unknown): void
}

export type QueuedModel = Pick<GpuModel, 'run' | 'rowsPerRun'> & {
  readonly encoder: { readonly width: number }
}

export class InferenceQueue {
  readonly #model: QueuedModel
  readonly #waiting: Job[] = []
  #isRunning = false
  #runCount = 0

  constructor(model: QueuedModel) {
    this.#model = model
  }

  /** Runs so far: fewer than requests where they were put together. */
  get runCount(): number {
    return this.#runCount
  }

  /** Fails as the device does, for each request that was in the run. */
  run(rows: EncodedRows, rowCount: number): Promise<Scores> {
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(new Error(`${WAITING_MAX} requests wait for the GPU`))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ rows, rowCount, resolve, reject })
      if (!this.#isRunning) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      // A run blocks this thread: what arrived meanwhile is heard of only in between.
      await otherTurns()
      await this.#runOnce(this.#take())
    }
    this.#isRunning = false
  }

  /** Jobs in order until a run is full; a larger one goes alone. */
  #take(): readonly Job[] {
    let rowCount = 0
    let taken = 0
    for (const job of this.#waiting) {
      if (taken > 0 && rowCount + job.rowCount > this.#model.rowsPerRun) break
      rowCount += job.rowCount
      taken++
    }
    return this.#waiting.splice(0, taken)
  }

  async #runOnce(jobs: readonly Job[]): Promise<void> {
    const rowCount = jobs.reduce((sum, job) => sum + job.rowCount, 0)
    try {
      this.#runCount++
      const scores = await this.#model.run(together(jobs, this.#model.encoder.width), rowCount)
      let from = 0
      for (const job of jobs) {
        const to = from + job.rowCount
        job.resolve({
          probability: scores.probability.slice(from, to),
          margin: scores.margin.slice(from, to),
        })
        from = to
      }
    } catch (error) {
      for (const job of jobs) job.reject(error)
    }
  }
}

function together(jobs: readonly Job[], width: number): EncodedRows {
  const [first] = jobs
  if (jobs.length === 1) return first.rows
  const length = jobs.reduce((sum, job) => sum + job.rowCount, 0) * width
  const all = first.rows instanceof Int32Array ? new Int32Array(length) : new Float32Array(length)
  let at = 0
  for (const job of jobs) {
    all.set(job.rows.subarray(0, job.rowCount * width), at)
    at += job.rowCount * width
  }
  return all
}
