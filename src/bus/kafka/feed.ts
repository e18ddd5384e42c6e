/**
 * One consumer that is kept alive: a session ends (crash, lost coordinator, watchdog), everything it
 * held is given up, and the next one begins, until `stop`. kafkajs's own restart is switched off,
 * because it neither covers every error nor says when it begins anew.
 */
import type { Consumer } from 'kafkajs'
import { setTimeout as sleep } from 'node:timers/promises'

import { alignedAssigner } from './assigner.ts'
import type { KafkaBusOptions } from './client.ts'
import { SESSION_TIMEOUT_MS, kafkaClient } from './client.ts'
import type { FetchedBatch } from './fetched-batch.ts'
import type { OutOfRange } from './mends.ts'
import { OUT_OF_RANGE } from './mends.ts'
import type { Pulse } from './pulse.ts'

export interface FeedOptions {
  readonly group: string
  readonly owner: string
  readonly topics: readonly string[]
  readonly hooks: FeedHooks
}

export interface FeedHooks {
  /** Runs inside the join, before any fetch: what must not flow is paused here. */
  onJoin(partitions: readonly number[], memberId: string): void
  /** The group has confirmed that this member is still one of it. */
  onHeartbeat(): void
  /** Records of one partition. It must not wait: heartbeats go out between two calls. */
  onBatch(batch: FetchedBatch): void
  /** The consumer is past this offset, also where it was only control or aborted records. */
  onAdvance(topic: string, partition: number, next: number): void
  onOutOfRange(at: OutOfRange): void
  /** The session is over and with it every assignment. */
  onEnd(): void
}

const HEARTBEAT_MS = 500
const FETCH_WAIT_MS = 100
export const FETCH_BYTES_MAX = 16 * 1024 * 1024
export const PARTITION_FETCH_BYTES_MAX = 2 * 1024 * 1024
const REJOIN_MS_MIN = 50
const REJOIN_MS_MAX = 2_000
/** About five seconds, then the session is given up: shorter than a group waits for its member. */
const FEED_RETRY = { initialRetryTime: 5, maxRetryTime: 500, retries: 16 }

export class Feed {
  #consumer: Consumer | undefined
  #end: ((because: unknown) => void) | undefined
  #stopped = false
  /** Sought and not yet fetched from: batches fetched before the seek are still in the queue. */
  readonly #seeks = new Set<string>()
  #running: Promise<void> | undefined
  readonly #bus: KafkaBusOptions
  readonly #options: FeedOptions
  readonly #pulse: Pulse

  constructor(bus: KafkaBusOptions, pulse: Pulse, options: FeedOptions) {
    this.#bus = bus
    this.#pulse = pulse
    this.#options = options
  }

  start(): void {
    this.#running ??= this.#sessions()
  }

  pause(partitions: readonly number[]): void {
    this.#steer((consumer) => consumer.pause(this.#everyTopic(partitions)))
  }

  resume(partitions: readonly number[]): void {
    this.#steer((consumer) => consumer.resume(this.#everyTopic(partitions)))
  }

  seek(topic: string, partition: number, offset: number): void {
    this.#seeks.add(`${topic}/${partition}`)
    this.#steer((consumer) => consumer.seek({ topic, partition, offset: String(offset) }))
  }

  /** Ends this session; the next one begins with a new membership. */
  restart(because: Error): void {
    this.#end?.(because)
  }

  /** Leaves the group, so that others need not wait for the session to time out. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#end?.(undefined)
    await this.#running
  }

  /** A consumer that crashed a moment ago refuses; its end, which gives up everything, is on its way. */
  #steer(turn: (consumer: Consumer) => void): void {
    try {
      if (this.#consumer !== undefined) turn(this.#consumer)
    } catch (error) {
      this.#end?.(error)
    }
  }

  async #sessions(): Promise<void> {
    let waitMs = REJOIN_MS_MIN
    while (!this.#stopped) {
      const startedAtMs = performance.now()
      const because = await this.#session()
      this.#options.hooks.onEnd()
      if (this.#stopped) return
      this.#pulse.note('consumer ended, joining again', because, { group: this.#options.group })
      if (performance.now() - startedAtMs > REJOIN_MS_MAX) waitMs = REJOIN_MS_MIN
      await sleep(waitMs)
      waitMs = Math.min(waitMs * 2, REJOIN_MS_MAX)
    }
  }

  async #session(): Promise<unknown> {
    const ended = new Promise<unknown>((resolve) => (this.#end = resolve))
    const consumer = this.#consumerOf()
    this.#listen(consumer)
    this.#consumer = consumer
    const begin = async (): Promise<void> => {
      await consumer.connect()
      await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatch: async (fetched) => {
          if (!fetched.isStale())
            this.#options.hooks.onBatch(fetched.batch as unknown as FetchedBatch)
        },
      })
    }
    const begun = begin().catch((error: unknown) => this.#end?.(error))
    const because = await ended
    this.#consumer = undefined
    await begun
    await consumer.disconnect().catch(() => undefined)
    return because
  }

  #listen(consumer: Consumer): void {
    const { hooks, topics } = this.#options
    const guard = (run: () => void): void => {
      if (this.#consumer === consumer) run()
    }
    consumer.on('consumer.group_join', ({ payload: { memberAssignment, memberId } }) =>
      guard(() => hooks.onJoin(memberAssignment[topics[0]] ?? [], memberId)),
    )
    consumer.on('consumer.heartbeat', () => guard(() => hooks.onHeartbeat()))
    consumer.on('consumer.end_batch_process', ({ payload: { topic, partition, lastOffset } }) =>
      guard(() => {
        if (this.#seeks.has(`${topic}/${partition}`)) return
        hooks.onAdvance(topic, partition, Number(lastOffset) + 1)
      }),
    )
    consumer.on('consumer.fetch_start', () => this.#seeks.clear())
    consumer.on('consumer.crash', ({ payload: { error } }) => this.#end?.(error))
  }

  #consumerOf(): Consumer {
    const client = kafkaClient(this.#bus, {
      retry: FEED_RETRY,
      onLog: (message, content) => {
        if (message === OUT_OF_RANGE) {
          this.#options.hooks.onOutOfRange(content as unknown as OutOfRange)
        }
      },
    })
    const sessionTimeout = this.#bus.sessionTimeoutMs ?? SESSION_TIMEOUT_MS
    return client.consumer({
      groupId: this.#options.group,
      partitionAssigners: [alignedAssigner(this.#options.owner)],
      sessionTimeout,
      rebalanceTimeout: sessionTimeout,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES_MAX,
      maxBytesPerPartition: PARTITION_FETCH_BYTES_MAX,
      allowAutoTopicCreation: false,
      retry: { ...FEED_RETRY, restartOnFailure: async () => false },
    })
  }

  #everyTopic(partitions: readonly number[]): { topic: string; partitions: number[] }[] {
    return this.#options.topics.map((topic) => ({ topic, partitions: [...partitions] }))
  }
}
