/** Logs, offsets and fences in one LMDB environment, so that one transaction spans them all. */
import type {
  CommitOutcome,
  LogRecord,
  Offsets,
  Output,
  Position,
  TopicSpec,
} from '../../core/bus.ts'
import type { Claimed, Fence, LogStore, Slice } from '../local/log-store.ts'
import { Bells, partitionKey } from '../local/log-store.ts'
import { checkOutput, missingTopic, topicExists } from '../local/topic-check.ts'
import type { StoreState } from './draft.ts'
import { Draft } from './draft.ts'
import type { Environment } from './environment.ts'
import { GroupWriter } from './group-writer.ts'
import type { PartitionState, StoredTopic } from './layout.ts'
import {
  appendedAtOf,
  decodeMeta,
  decodeRecord,
  EMPTY_PARTITION,
  offsetKey,
  offsetOfKey,
  recordKey,
} from './layout.ts'

export interface EmbeddedStoreSetup {
  readonly environment: Environment
  readonly directory: string
  readonly bytesMax: number
  /** Stamps what is appended. */
  readonly logNowMs: () => number
}

export class EmbeddedStore implements LogStore {
  readonly bells = new Bells()
  lastError: string | null = null
  readonly #setup: EmbeddedStoreSetup
  readonly #state: StoreState
  readonly #writer: GroupWriter<Draft>

  constructor(setup: EmbeddedStoreSetup) {
    this.#setup = setup
    this.#state = loadState(setup.environment)
    const { bytesMax, directory } = setup
    this.#writer = new GroupWriter({
      begin: () => new Draft(this.#state, setup.logNowMs(), bytesMax, directory),
      flush: async (draft) => await this.#flush(draft),
    })
  }

  has(name: string): boolean {
    return this.#state.topics.has(name)
  }

  topic(name: string): TopicSpec {
    return this.stored(name).spec
  }

  stored(name: string): StoredTopic {
    const topic = this.#state.topics.get(name)
    if (topic === undefined) throw missingTopic(name)
    return topic
  }

  topics(): readonly TopicSpec[] {
    return [...this.#state.topics.values()].map(({ spec }) => spec)
  }

  async create(specs: readonly TopicSpec[]): Promise<void> {
    await this.#writer.submit((draft) => {
      const missing = specs.filter((spec) => !topicExists(draft.topic(spec.name)?.spec, spec))
      for (const spec of missing) draft.addTopic(spec)
    })
  }

  async append(outputs: readonly Output[]): Promise<readonly Position[]> {
    this.#check(outputs)
    return await this.#submit((draft) => draft.append(outputs))
  }

  async claim(fence: Fence, topics: readonly string[], claim: Output | null): Promise<Claimed> {
    if (claim !== null) this.#check([claim])
    return await this.#submit((draft) => {
      const epoch = claim === null ? -1 : draft.append([claim])[0].offset
      const committed = Object.fromEntries(
        topics.map((topic) => [topic, draft.committed(fence.group, topic, fence.partition)]),
      )
      return { token: draft.raiseToken(fence), epoch, committed }
    })
  }

  async commit(
    fence: Fence,
    token: number,
    outputs: readonly Output[],
    next: Offsets,
  ): Promise<CommitOutcome> {
    this.#check(outputs)
    return await this.#submit((draft) => {
      if (draft.token(fence) !== token) return 'fenced'
      draft.append(outputs)
      draft.storeOffsets(fence.group, fence.partition, next)
      return 'committed'
    })
  }

  read(topic: string, partition: number, from: number, bytesMax: number): Slice {
    const { end } = this.state(topic, partition)
    const records: LogRecord[] = []
    let bytes = 0
    for (const { offset, value } of this.scan(topic, partition, from, end)) {
      const record = decodeRecord(value, topic, partition, offset)
      bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
      if (records.length > 0 && bytes > bytesMax) return { records, next: offset }
      records.push(record)
    }
    return { records, next: Math.max(from, end) }
  }

  start(topic: string, partition: number): number {
    return this.state(topic, partition).start
  }

  end(topic: string, partition: number): number {
    return this.state(topic, partition).end
  }

  /** Append times never fall, so the first at that time is found by halving. */
  offsetAt(topic: string, partition: number, timeMs: number): number {
    const { start, end } = this.state(topic, partition)
    let [low, high] = [start, end]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const [first] = this.scan(topic, partition, middle, end)
      if (first === undefined || appendedAtOf(first.value) >= timeMs) high = middle
      else low = first.offset + 1
    }
    return low
  }

  committed(group: string, topic: string, partition: number): number {
    return this.#state.offsets.get(offsetKey(group, topic, partition).toString()) ?? 0
  }

  state(topic: string, partition: number): PartitionState {
    return this.#state.partitions.get(partitionKey(topic, partition)) ?? EMPTY_PARTITION
  }

  *scan(
    topic: string,
    partition: number,
    from: number,
    to: number,
  ): Generator<{ readonly offset: number; readonly value: Buffer }> {
    if (from >= to) return
    const { id } = this.stored(topic)
    const range = this.#setup.environment.records.getRange({
      start: recordKey(id, partition, from),
      end: recordKey(id, partition, to),
    })
    for (const { key, value } of range) yield { offset: offsetOfKey(key), value }
  }

  async remove(
    topic: string,
    partition: number,
    records: readonly { readonly offset: number; readonly bytes: number }[],
    start: number,
  ): Promise<void> {
    await this.#submit((draft) => draft.remove(topic, partition, records, start))
  }

  logNowMs(): number {
    return this.#setup.logNowMs()
  }

  async idle(): Promise<void> {
    await this.#writer.idle()
  }

  #check(outputs: readonly Output[]): void {
    for (const output of outputs) checkOutput(this.topic(output.topic), output)
  }

  async #submit<Value>(apply: (draft: Draft) => Value): Promise<Value> {
    try {
      const value = await this.#writer.submit(apply)
      this.lastError = null
      return value
    } catch (error) {
      this.lastError = String(error)
      throw error
    }
  }

  async #flush(draft: Draft): Promise<void> {
    const writes = draft.allWrites()
    if (writes.length > 0) await this.#setup.environment.write(writes)
    draft.adopt()
    for (const { topic, partition } of draft.appended.values()) this.bells.ring(topic, partition)
  }
}

/** Reads back what the last process left. */
function loadState({ meta }: Environment): StoreState {
  const entries = [...meta.getRange({})].map(({ key, value }) => {
    return { key: Buffer.from(key).toString(), value: decodeMeta(value) }
  })
  const of = (kind: string): typeof entries => entries.filter(({ key }) => key.startsWith(kind))
  const topics = of('t').map(({ value }) => value as StoredTopic)
  const nameOf = new Map(topics.map(({ id, spec }) => [id, spec.name]))
  const partitions = of('p').map(({ key, value }): [string, PartitionState] => {
    const [id, partition] = JSON.parse(key.slice(1)) as [number, number]
    return [partitionKey(nameOf.get(id)!, partition), value as PartitionState]
  })
  return {
    topics: new Map(topics.map((topic) => [topic.spec.name, topic])),
    partitions: new Map(partitions),
    offsets: new Map(of('o').map(({ key, value }) => [key, value as number])),
    tokens: new Map(of('f').map(({ key, value }) => [key, value as number])),
    bytes: partitions.reduce((sum, [, { bytes }]) => sum + bytes, 0),
  }
}
