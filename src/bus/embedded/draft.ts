/**
 * The next state of the store while one group of writes is made ready. Nothing of it counts until
 * it is on disk; if that fails it is thrown away, and no caller has seen any of it.
 */
import type { Offsets, Output, Position } from '../../core/bus.ts'
import { ServiceError } from '../../core/errors.ts'
import type { Fence } from '../local/log-store.ts'
import { partitionKey } from '../local/log-store.ts'
import type { Write } from './environment.ts'
import type { PartitionState, StoredTopic } from './layout.ts'
import {
  EMPTY_PARTITION,
  encodeMeta,
  encodeRecord,
  fenceKey,
  offsetKey,
  partitionStateKey,
  recordKey,
  storedBytes,
  topicKey,
} from './layout.ts'

/** What is on disk, kept in memory as well: all but the records. Keys are texts. */
export interface StoreState {
  readonly topics: Map<string, StoredTopic>
  readonly partitions: Map<string, PartitionState>
  readonly offsets: Map<string, number>
  readonly tokens: Map<string, number>
  bytes: number
}

export class Draft {
  readonly writes: Write[] = []
  readonly appended = new Map<string, Position>()
  readonly #state: StoreState
  readonly #nowMs: number
  readonly #bytesMax: number
  readonly #directory: string
  readonly #topics = new Map<string, StoredTopic>()
  readonly #partitions = new Map<string, { readonly id: number; readonly state: PartitionState }>()
  readonly #offsets = new Map<string, number>()
  readonly #tokens = new Map<string, number>()
  #bytes: number

  constructor(state: StoreState, nowMs: number, bytesMax: number, directory: string) {
    this.#state = state
    this.#nowMs = nowMs
    this.#bytesMax = bytesMax
    this.#directory = directory
    this.#bytes = state.bytes
  }

  topic(name: string): StoredTopic | undefined {
    return this.#topics.get(name) ?? this.#state.topics.get(name)
  }

  addTopic(spec: StoredTopic['spec']): void {
    const id = this.#state.topics.size + this.#topics.size + 1
    this.#topics.set(spec.name, { id, spec })
    this.#put('meta', topicKey(spec.name), encodeMeta({ id, spec }))
  }

  partition(topic: string, partition: number): PartitionState {
    const key = partitionKey(topic, partition)
    return this.#partitions.get(key)?.state ?? this.#state.partitions.get(key) ?? EMPTY_PARTITION
  }

  /** Throws STORE_FULL before anything is drafted. Topics and partitions were checked before. */
  append(outputs: readonly Output[]): readonly Position[] {
    const records = outputs.map((output) => {
      const { lastAppendedAtMs } = this.partition(output.topic, output.partition)
      // A machine's clock may step back; the time of a log does not.
      return encodeRecord(output, Math.max(lastAppendedAtMs, this.#nowMs))
    })
    const added = records.reduce((sum, record) => sum + storedBytes(record.length), 0)
    if (this.#bytes + added > this.#bytesMax) throw this.#full()
    return outputs.map(({ topic, partition }, i) => this.#appendOne(topic, partition, records[i]))
  }

  /** Removes records of one partition; `start` moves to where the oldest kept one is. */
  remove(
    topic: string,
    partition: number,
    records: readonly { readonly offset: number; readonly bytes: number }[],
    start: number,
  ): void {
    const { id } = this.topic(topic)!
    const removed = records.reduce((sum, record) => sum + storedBytes(record.bytes), 0)
    for (const { offset } of records) this.#put('records', recordKey(id, partition, offset), null)
    const state = this.partition(topic, partition)
    this.#setPartition(topic, partition, id, { ...state, start, bytes: state.bytes - removed })
    this.#bytes -= removed
  }

  token(fence: Fence): number {
    const key = fenceKey(fence).toString()
    return this.#tokens.get(key) ?? this.#state.tokens.get(key) ?? 0
  }

  raiseToken(fence: Fence): number {
    const token = this.token(fence) + 1
    this.#tokens.set(fenceKey(fence).toString(), token)
    this.#put('meta', fenceKey(fence), encodeMeta(token))
    return token
  }

  committed(group: string, topic: string, partition: number): number {
    const key = offsetKey(group, topic, partition).toString()
    return this.#offsets.get(key) ?? this.#state.offsets.get(key) ?? 0
  }

  storeOffsets(group: string, partition: number, next: Offsets): void {
    for (const [topic, offset] of Object.entries(next)) {
      const key = offsetKey(group, topic, partition)
      this.#offsets.set(key.toString(), offset)
      this.#put('meta', key, encodeMeta(offset))
    }
  }

  /** Every write of the group, the partitions' states once each. */
  allWrites(): readonly Write[] {
    const states = [...this.#partitions].map(([key, { id, state }]): Write => {
      const partition = Number(key.slice(key.lastIndexOf('/') + 1))
      return { table: 'meta', key: partitionStateKey(id, partition), value: encodeMeta(state) }
    })
    return [...this.writes, ...states]
  }

  /** The group is on disk: its state becomes the store's. */
  adopt(): void {
    for (const [name, topic] of this.#topics) this.#state.topics.set(name, topic)
    for (const [key, { state }] of this.#partitions) this.#state.partitions.set(key, state)
    for (const [key, offset] of this.#offsets) this.#state.offsets.set(key, offset)
    for (const [key, token] of this.#tokens) this.#state.tokens.set(key, token)
    this.#state.bytes = this.#bytes
  }

  #appendOne(topic: string, partition: number, record: Buffer): Position {
    const { id } = this.topic(topic)!
    const state = this.partition(topic, partition)
    const offset = state.end
    this.#put('records', recordKey(id, partition, offset), record)
    const bytes = state.bytes + storedBytes(record.length)
    const lastAppendedAtMs = record.readDoubleLE(0)
    this.#setPartition(topic, partition, id, { ...state, end: offset + 1, lastAppendedAtMs, bytes })
    this.#bytes += storedBytes(record.length)
    const position = { topic, partition, offset }
    this.appended.set(partitionKey(topic, partition), position)
    return position
  }

  #setPartition(topic: string, partition: number, id: number, state: PartitionState): void {
    this.#partitions.set(partitionKey(topic, partition), { id, state })
  }

  #put(table: Write['table'], key: Buffer, value: Buffer | null): void {
    this.writes.push({ table, key, value })
  }

  #full(): ServiceError {
    return new ServiceError(
      'STORE_FULL',
      `the store in ${this.#directory} holds its ${this.#bytesMax} bytes at most: ` +
        'shorten the retention of its topics or raise the limit',
    )
  }
}
