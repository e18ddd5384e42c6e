/** Topics and offsets: small questions, each with a few tries, through one connection of their own. */
import type { Admin as KafkaAdmin, Kafka } from 'kafkajs'

import type { TopicDescription, TopicSpec } from '../../core/bus.ts'
import { ServiceError, isServiceError } from '../../core/errors.ts'
import { kafkajs } from './library.ts'
import type { KafkaBusOptions } from './client.ts'
import { kafkaClient } from './client.ts'
import {
  busClosed,
  denied,
  failureOf,
  isTopicMissing,
  topicMissing,
  unreachable,
} from './failure.ts'
import { fetchGroupOffsets } from './group-offsets.ts'
import { LEADERLESS, TRIES_MAX, nap, patiently } from './patience.ts'
import type { Pulse } from './pulse.ts'
import { RECORD_BYTES_MAX } from './record.ts'

const ADMIN_RETRY = { initialRetryTime: 20, maxRetryTime: 500, retries: 5 }
const PING_MS = 1_000
/** How long `close` waits for what was asked. */
const CLOSE_MS_MAX = 5_000
/** Copies of each partition, where there are brokers for so many. */
const REPLICATION_MAX = 3
/** What a topic takes beyond the largest record: its frame. */
const FRAME_BYTES = 64 * 1024

export class Admin {
  readonly #options: KafkaBusOptions
  readonly #client: Kafka
  readonly #pulse: Pulse
  #admin: KafkaAdmin
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #pinging = false
  /** A topic that was there when it was last asked for. */
  #known: string | undefined
  readonly #asking = new Set<Promise<unknown>>()

  constructor(options: KafkaBusOptions, pulse: Pulse) {
    this.#options = options
    this.#pulse = pulse
    this.#client = kafkaClient(options, { retry: ADMIN_RETRY })
    this.#admin = this.#client.admin()
  }

  /** Fails with BUS_UNREACHABLE; from then on it asks once a second whether the broker is there. */
  async connect(): Promise<void> {
    await this.#admin.connect()
    this.#pulse.answered()
    this.#timer = setInterval(() => void this.#ping(), PING_MS)
    this.#timer.unref()
  }

  async create(specs: readonly TopicSpec[]): Promise<void> {
    const existing = await this.describe(specs.map(({ name }) => name))
    const missing = specs.filter(({ name }) => !existing.has(name))
    if (missing.length > 0) await this.#create(missing)
    const described = missing.length > 0 ? await this.describe(specs.map((s) => s.name)) : existing
    for (const { name, partitions } of specs) {
      const found = described.get(name)
      if (found === undefined || found.partitions === partitions) continue
      throw new ServiceError(
        'TOPIC_MISMATCH',
        `topic ${name} has ${found.partitions} partitions and not ${partitions}: set that number ` +
          'in the configuration, or use another prefix',
      )
    }
  }

  async describe(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    return await this.#ask(async (admin) => {
      const present = new Set(await admin.listTopics())
      const topics = names.filter((name) => present.has(name))
      const described = new Map<string, TopicDescription>()
      this.#known = topics[0]
      if (topics.length === 0) return described
      const metadata = await admin.fetchTopicMetadata({ topics })
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: topics.map((name) => ({
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name,
          configNames: ['cleanup.policy', 'message.timestamp.type'],
        })),
      })
      for (const { name, partitions } of metadata.topics) {
        const entries = resources.find((each) => each.resourceName === name)?.configEntries ?? []
        const setting = (key: string): string | undefined =>
          entries.find(({ configName }) => configName === key)?.configValue
        described.set(name, {
          name,
          partitions: partitions.length,
          cleanup: setting('cleanup.policy')?.includes('compact') ? 'compact' : 'delete',
          logAppendTime: setting('message.timestamp.type') === 'LogAppendTime',
        })
      }
      return described
    })
  }

  async starts(topic: string): Promise<readonly number[]> {
    return byPartition(await this.#offsets(topic), ({ low }) => low)
  }

  async ends(topic: string): Promise<readonly number[]> {
    return byPartition(await this.#offsets(topic), ({ high }) => high)
  }

  /** Per partition the first offset appended at this time or later; the end where there is none. */
  async atTime(topic: string, timeMs: number): Promise<readonly number[]> {
    const found = await this.#ask(
      (admin) => patiently(() => admin.fetchTopicOffsetsByTimestamp(topic, timeMs)),
      topic,
    )
    return byPartition(found, ({ offset }) => offset)
  }

  /** Topic → per partition the next offset; 0 where the group never committed. */
  async groupOffsets(
    group: string,
    topics: readonly string[],
  ): Promise<ReadonlyMap<string, readonly number[]>> {
    return await this.#ask((admin) => fetchGroupOffsets(admin, group, topics))
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    // A question under way would connect again after it was disconnected.
    const patience = new Promise((resolve) => setTimeout(resolve, CLOSE_MS_MAX).unref())
    await Promise.race([Promise.allSettled(this.#asking), patience])
    await this.#admin.disconnect().catch(() => undefined)
  }

  async #create(specs: readonly TopicSpec[]): Promise<void> {
    await this.#ask(async (admin) => {
      const { brokers } = await admin.describeCluster()
      const replication = Math.min(REPLICATION_MAX, brokers.length)
      const topics = specs.map((spec) => topicConfig(spec, replication))
      try {
        // kafkajs would wait for the leaders as well, but gives up where a broker has not heard of a topic.
        await admin.createTopics({ waitForLeaders: false, topics })
      } catch (error) {
        if (failureOf(error).type !== 'TOPIC_ALREADY_EXISTS' && !alreadyExists(error)) {
          const [first = error] = (error as Aggregate).errors ?? []
          throw first
        }
      }
      await untilLed(
        admin,
        specs.map(({ name }) => name),
      )
    })
  }

  async #offsets(topic: string) {
    return await this.#ask((admin) => patiently(() => admin.fetchTopicOffsets(topic)), topic)
  }

  async #ask<Answer>(
    question: (admin: KafkaAdmin) => Promise<Answer>,
    topic?: string,
  ): Promise<Answer> {
    if (this.#closed) throw busClosed()
    const answer = this.#tracked(question(this.#admin))
    try {
      return await answer
    } catch (error) {
      if (isServiceError(error)) throw error
      if (this.#closed) throw busClosed()
      const failure = failureOf(error)
      if (topic !== undefined && isTopicMissing(failure)) throw topicMissing(topic)
      if (failure.type === '') throw unreachable(this.#options, error)
      throw denied(this.#options, error) ?? error
    }
  }

  #tracked<Answer>(answer: Promise<Answer>): Promise<Answer> {
    this.#asking.add(answer)
    const forget = () => void this.#asking.delete(answer)
    answer.then(forget, forget)
    return answer
  }

  async #ping(): Promise<void> {
    if (this.#pinging || this.#closed) return
    this.#pinging = true
    try {
      await this.#tracked(this.#smallQuestion())
      this.#pulse.answered()
    } catch (error) {
      if (!this.#closed) await this.#reconnect(error)
    }
    this.#pinging = false
  }

  /** Of the cluster as a whole a broker answers with all its topics, which are thousands somewhere. */
  async #smallQuestion(): Promise<void> {
    if (this.#known === undefined) {
      await this.#admin.describeCluster()
      return
    }
    try {
      await this.#admin.fetchTopicMetadata({ topics: [this.#known] })
    } catch (error) {
      this.#known = undefined
      if (!isTopicMissing(failureOf(error))) throw error
    }
  }

  /** A client that lost every broker it knew does not always find back: a new one begins at the seeds. */
  async #reconnect(cause: unknown): Promise<void> {
    this.#pulse.silent(cause)
    const lost = this.#admin
    this.#admin = this.#client.admin()
    await lost.disconnect().catch(() => undefined)
    if (!this.#closed) await this.#admin.connect().catch(() => undefined)
  }
}

function topicConfig({ name, partitions, cleanup, retentionMs }: TopicSpec, replication: number) {
  const entry = (key: string, value: string | number) => ({ name: key, value: String(value) })
  return {
    topic: name,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: [
      entry('cleanup.policy', cleanup),
      entry('message.timestamp.type', 'LogAppendTime'),
      // With three copies one broker may die without a record lost, or a writer held up.
      entry('min.insync.replicas', Math.max(1, replication - 1)),
      entry('max.message.bytes', RECORD_BYTES_MAX + FRAME_BYTES),
      // A broker's own limit on bytes would cut what must outlive the longest time without a checkpoint.
      entry('retention.bytes', -1),
      entry('retention.ms', retentionMs ?? -1),
    ],
  }
}

/** Waits until every partition of new topics has a leader. */
async function untilLed(admin: KafkaAdmin, names: readonly string[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [...names] })
      const led = topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))
      if (led && topics.length === names.length) return
    } catch (error) {
      const failure = failureOf(error)
      const passing = isTopicMissing(failure) || LEADERLESS.has(failure.type)
      if (!passing || attempt === TRIES_MAX) throw error
    }
    if (attempt === TRIES_MAX) return
    await nap(attempt)
  }
}

/** As kafkajs tells that several topics were refused. */
interface Aggregate {
  readonly errors?: readonly unknown[]
}

function alreadyExists(error: unknown): boolean {
  const errors = (error as Aggregate).errors ?? []
  return (
    errors.length > 0 && errors.every((each) => failureOf(each).type === 'TOPIC_ALREADY_EXISTS')
  )
}

function byPartition<Row extends { readonly partition: number }>(
  rows: readonly Row[],
  offset: (row: Row) => string,
): readonly number[] {
  return [...rows].sort((a, b) => a.partition - b.partition).map((row) => Number(offset(row)))
}
