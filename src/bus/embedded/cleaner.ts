/**
 * Retention and compaction, in steps small enough that writers hardly wait. LMDB reuses the pages;
 * the file does not shrink.
 */
import type { TopicSpec } from '../../core/bus.ts'
import { DAY_MS } from '../../core/time.ts'
import type { EmbeddedStore } from './embedded-store.ts'
import { appendedAtOf, decodeRecord } from './layout.ts'

const STEP_RECORDS_MAX = 1_000
/** A tombstone stays readable so long, for readers that are late. */
const TOMBSTONE_MS = DAY_MS

export class Cleaner {
  readonly #store: EmbeddedStore
  /** Per partition the end at the last compaction: nothing new, nothing to do. */
  readonly #compactedTo = new Map<string, number>()
  #running: Promise<void> | undefined
  #stopped = false

  constructor(store: EmbeddedStore) {
    this.#store = store
  }

  /** One pass over all topics. A second call joins the pass under way. */
  async clean(): Promise<void> {
    this.#running ??= this.#pass().finally(() => (this.#running = undefined))
    await this.#running
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running?.catch(() => undefined)
  }

  async #pass(): Promise<void> {
    for (const spec of this.#store.topics()) {
      for (let partition = 0; partition < spec.partitions; partition++) {
        if (spec.retentionMs !== undefined) await this.#retain(spec, partition, spec.retentionMs)
        if (spec.cleanup === 'compact') await this.#compact(spec, partition)
      }
    }
  }

  async #retain(spec: TopicSpec, partition: number, retentionMs: number): Promise<void> {
    const oldestMs = this.#store.logNowMs() - retentionMs
    while (!this.#stopped) {
      const { start, end } = this.#store.state(spec.name, partition)
      const dropped: { offset: number; bytes: number }[] = []
      let kept = end
      for (const { offset, value } of this.#store.scan(spec.name, partition, start, end)) {
        const keep = appendedAtOf(value) >= oldestMs
        if (keep || dropped.length === STEP_RECORDS_MAX) {
          kept = offset
          break
        }
        dropped.push({ offset, bytes: value.length })
      }
      if (dropped.length > 0) await this.#store.remove(spec.name, partition, dropped, kept)
      if (dropped.length < STEP_RECORDS_MAX) return
    }
  }

  async #compact(spec: TopicSpec, partition: number): Promise<void> {
    const { end } = this.#store.state(spec.name, partition)
    const mark = `${spec.name}/${partition}`
    if (this.#compactedTo.get(mark) === end) return
    const lastOf = new Map<string, number>()
    await this.#walk(spec, partition, end, ({ key, offset }) => void lastOf.set(key, offset))
    const deadBeforeMs = this.#store.logNowMs() - TOMBSTONE_MS
    let dropped: { offset: number; bytes: number }[] = []
    const drop = async (): Promise<void> => {
      const { start } = this.#store.state(spec.name, partition)
      if (dropped.length > 0) await this.#store.remove(spec.name, partition, dropped, start)
      dropped = []
    }
    await this.#walk(spec, partition, end, async ({ key, offset, bytes, tombstoneAtMs }) => {
      const stale = lastOf.get(key) !== offset
      const dead = tombstoneAtMs !== null && tombstoneAtMs < deadBeforeMs
      if (stale || dead) dropped.push({ offset, bytes })
      if (dropped.length === STEP_RECORDS_MAX) await drop()
    })
    await drop()
    if (!this.#stopped) this.#compactedTo.set(mark, end)
  }

  /** Every record before `end`, giving way to others after each step. */
  async #walk(
    spec: TopicSpec,
    partition: number,
    end: number,
    visit: (entry: Entry) => void | Promise<void>,
  ): Promise<void> {
    let next = this.#store.state(spec.name, partition).start
    while (next < end && !this.#stopped) {
      const step: Entry[] = []
      for (const { offset, value } of this.#store.scan(spec.name, partition, next, end)) {
        const record = decodeRecord(value, spec.name, partition, offset)
        step.push({
          offset,
          key: record.key === null ? '' : Buffer.from(record.key).toString('latin1'),
          bytes: value.length,
          tombstoneAtMs: record.value === null ? record.appendedAtMs : null,
        })
        if (step.length === STEP_RECORDS_MAX) break
      }
      if (step.length === 0) return
      for (const entry of step) await visit(entry)
      next = step.at(-1)!.offset + 1
      await new Promise<void>((resolve) => void setImmediate(resolve))
    }
  }
}

interface Entry {
  readonly offset: number
  readonly key: string
  readonly bytes: number
  readonly tombstoneAtMs: number | null
}
