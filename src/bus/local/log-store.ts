/**
 * What a bus inside one process is built on: logs, offsets and fences that change together. The
 * embedded store keeps them in LMDB, the simulated one in memory; groups, leases and readers above
 * are the same code for both.
 */
import type {
  CommitOutcome,
  LogRecord,
  Offsets,
  Output,
  Position,
  TopicSpec,
} from '../../core/bus.ts'

/** Names what one owner at a time may write for: with Kafka it is the transactional id. */
export interface Fence {
  readonly group: string
  readonly role: string
  readonly partition: number
}

export interface Claimed {
  /** Rises at each claim of the fence; a commit with an older one is fenced. */
  readonly token: number
  /** Offset of the claim record, -1 without one. */
  readonly epoch: number
  readonly committed: Offsets
}

export interface Slice {
  readonly records: readonly LogRecord[]
  /** Where to read on; past gaps that compaction left, even when no record came. */
  readonly next: number
}

export interface LogStore {
  /** Throws TOPIC_MISSING. */
  topic(name: string): TopicSpec
  has(name: string): boolean
  create(specs: readonly TopicSpec[]): Promise<void>
  append(outputs: readonly Output[]): Promise<readonly Position[]>
  /** Raises the token, appends `claim` and reads the committed offsets, all at one moment. */
  claim(fence: Fence, topics: readonly string[], claim: Output | null): Promise<Claimed>
  commit(
    fence: Fence,
    token: number,
    outputs: readonly Output[],
    next: Offsets,
  ): Promise<CommitOutcome>
  /** At most `bytesMax` of keys and values, but at least one record where there is one. */
  read(topic: string, partition: number, from: number, bytesMax: number): Slice
  start(topic: string, partition: number): number
  end(topic: string, partition: number): number
  /** Offset of the first record appended at that time or later; the end where there is none. */
  offsetAt(topic: string, partition: number, timeMs: number): number
  committed(group: string, topic: string, partition: number): number
  /** Told after records became readable. */
  readonly bells: Bells
  readonly lastError: string | null
}

/** Time as the bus waits by it: the machine's, or a simulation's. */
export interface WaitClock {
  nowMs(): number
  /** Calls back once after so long; the answer cancels it. */
  after(ms: number, callback: () => void): () => void
}

export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

/** Wakes whoever waits for records of a partition, so that nobody polls. */
export class Bells {
  readonly #listeners = new Map<string, Set<() => void>>()

  /** The answer ends the subscription. */
  listen(topic: string, partition: number, listener: () => void): () => void {
    const key = partitionKey(topic, partition)
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(key) === listeners)
        this.#listeners.delete(key)
    }
  }

  ring(topic: string, partition: number): void {
    const listeners = this.#listeners.get(partitionKey(topic, partition))
    if (listeners !== undefined) for (const listener of listeners) listener()
  }
}
