/** Counts what the ingest partitions of a process have read, by topic. */
import type { LogRecord } from '../core/bus.ts'

export interface TopicIntake {
  readonly recordCount: number
  /** Of keys and values. */
  readonly byteCount: number
}

export class Intake {
  readonly #topics = new Map<string, { recordCount: number; byteCount: number }>()

  count({ topic, key, value }: LogRecord): void {
    let counts = this.#topics.get(topic)
    if (counts === undefined) {
      counts = { recordCount: 0, byteCount: 0 }
      this.#topics.set(topic, counts)
    }
    counts.recordCount++
    counts.byteCount += (key?.length ?? 0) + (value?.length ?? 0)
  }

  topics(): ReadonlyMap<string, TopicIntake> {
    return this.#topics
  }
}
