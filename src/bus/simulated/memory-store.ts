/** Logs, offsets and fences in memory. A write is whole at the moment it is called; acks may lag. */
import type { LogRecord, Offsets, Output, Position, TopicSpec } from '../../core/bus.ts'
import { toBytes } from '../../core/bytes.ts'
import { missingTopic, checkOutput, topicExists } from '../local/topic-check.ts'
import type { Fence, Slice } from '../local/log-store.ts'

export interface MemoryPartition {
  readonly topic: string
  readonly partition: number
  /** By offset, ascending; compaction and retention leave gaps. */
  records: LogRecord[]
  start: number
  end: number
  /** Readers see what is before it. */
  readable: number
  lastAppendedAtMs: number
}

export class MemoryStore {
  readonly #topics = new Map<string, TopicSpec>()
  /** Topic → by partition. */
  readonly #partitions = new Map<string, MemoryPartition[]>()
  readonly #offsets = new Map<string, number>()
  readonly #tokens = new Map<string, number>()

  has(name: string): boolean {
    return this.#topics.has(name)
  }

  topic(name: string): TopicSpec {
    const spec = this.#topics.get(name)
    if (spec === undefined) throw missingTopic(name)
    return spec
  }

  topics(): readonly TopicSpec[] {
    return [...this.#topics.values()]
  }

  create(specs: readonly TopicSpec[]): void {
    const missing = specs.filter((spec) => !topicExists(this.#topics.get(spec.name), spec))
    for (const spec of missing) {
      this.#topics.set(spec.name, spec)
      const logs = Array.from({ length: spec.partitions }, (_, partition) => {
        const ends = { start: 0, end: 0, readable: 0, lastAppendedAtMs: 0 }
        return { topic: spec.name, partition, records: [], ...ends }
      })
      this.#partitions.set(spec.name, logs)
    }
  }

  /** Throws before anything is written when one of them has nowhere to go. */
  check(outputs: readonly Output[]): void {
    for (const output of outputs) checkOutput(this.topic(output.topic), output)
  }

  append(outputs: readonly Output[], nowMs: number): readonly Position[] {
    this.check(outputs)
    return outputs.map((output) => {
      const log = this.partition(output.topic, output.partition)
      // A clock that steps back must not take the log's time with it.
      log.lastAppendedAtMs = Math.max(log.lastAppendedAtMs, nowMs)
      const offset = log.end
      log.records.push({
        topic: log.topic,
        partition: log.partition,
        offset,
        appendedAtMs: log.lastAppendedAtMs,
        key: copied(output.key),
        value: copied(output.value),
        headers: { ...output.headers },
      })
      log.end += 1
      return { topic: log.topic, partition: log.partition, offset }
    })
  }

  partition(topic: string, partition: number): MemoryPartition {
    const log = this.#partitions.get(topic)?.[partition]
    if (log === undefined) throw missingTopic(`${topic}[${partition}]`)
    return log
  }

  read(topic: string, partition: number, from: number, bytesMax: number): Slice {
    const log = this.partition(topic, partition)
    const records: LogRecord[] = []
    let bytes = 0
    let next = Math.max(from, log.readable)
    for (let i = firstAtOrAfter(log.records, from); i < log.records.length; i++) {
      const record = log.records[i]
      if (record.offset >= log.readable) break
      bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
      if (records.length > 0 && bytes > bytesMax) {
        next = record.offset
        break
      }
      records.push(record)
    }
    return { records, next }
  }

  offsetAt(topic: string, partition: number, timeMs: number): number {
    const log = this.partition(topic, partition)
    return log.records.find((record) => record.appendedAtMs >= timeMs)?.offset ?? log.end
  }

  claim(fence: Fence): number {
    const token = (this.#tokens.get(fenceKey(fence)) ?? 0) + 1
    this.#tokens.set(fenceKey(fence), token)
    return token
  }

  isFenced(fence: Fence, token: number): boolean {
    return this.#tokens.get(fenceKey(fence)) !== token
  }

  committed(group: string, topic: string, partition: number): number {
    return this.#offsets.get(offsetKey(group, topic, partition)) ?? 0
  }

  storeOffsets(group: string, partition: number, next: Offsets): void {
    for (const [topic, offset] of Object.entries(next)) {
      this.#offsets.set(offsetKey(group, topic, partition), offset)
    }
  }

  /** What retention does: drops what was appended before `timeMs`, oldest first. */
  dropBefore(topic: string, partition: number, timeMs: number): void {
    const log = this.partition(topic, partition)
    const kept = log.records.findIndex((record) => record.appendedAtMs >= timeMs)
    log.records = kept === -1 ? [] : log.records.slice(kept)
    log.start = log.records[0]?.offset ?? log.end
  }

  /** What compaction does: the last record of each key stays, a tombstone goes with its key. */
  compact(topic: string, partition: number): void {
    const log = this.partition(topic, partition)
    const lastOf = new Map(log.records.map((record) => [keyText(record), record.offset]))
    log.records = log.records.filter(
      (record) => lastOf.get(keyText(record)) === record.offset && record.value !== null,
    )
  }
}

/** Binary search: index of the first record at the offset or after it. */
function firstAtOrAfter(records: readonly LogRecord[], offset: number): number {
  let [low, high] = [0, records.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (records[middle].offset < offset) low = middle + 1
    else high = middle
  }
  return low
}

function keyText(record: LogRecord): string {
  return record.key === null ? '' : Buffer.from(record.key).toString('latin1')
}

/** The producer may use its buffer again. */
function copied(bytes: string | Uint8Array | null): Uint8Array | null {
  if (bytes === null) return null
  return typeof bytes === 'string' ? toBytes(bytes) : new Uint8Array(bytes)
}

function fenceKey({ group, role, partition }: Fence): string {
  return `${group}\n${role}\n${partition}`
}

function offsetKey(group: string, topic: string, partition: number): string {
  return `${group}\n${topic}\n${partition}`
}
