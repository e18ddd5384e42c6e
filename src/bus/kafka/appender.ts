/**
 * Appends outside of transactions, idempotent. Requests are sent one after the other and gather what
 * was asked for meanwhile. One producer must never have two in flight that can fail: on failure
 * kafkajs gives the sequence numbers back, and records sent under used numbers are silently dropped.
 */
import type { Producer, RecordMetadata } from 'kafkajs'

import type { Output, Position } from '../../core/bus.ts'
import { kafkajs } from './library.ts'
import type { Admin } from './admin.ts'
import type { KafkaBusOptions } from './client.ts'
import { kafkaClient } from './client.ts'
import { busClosed, denied, failureOf, topicMissing, unreachable } from './failure.ts'
import type { Pulse } from './pulse.ts'
import { RequestRoom, byTopic, sizesOf } from './record.ts'
import { ServiceError } from '../../core/errors.ts'

/** An outage is waited out inside the one call that knows what was sent: an hour at a try a second. */
const OUTAGE_RETRY = { initialRetryTime: 5, maxRetryTime: 1_000, retries: 3_600 }
/** How long `close` waits for what is in flight. */
const CLOSE_MS_MAX = 5_000

/** What was asked for in one call. */
interface Ticket {
  readonly outputs: readonly Output[]
  readonly sizes: readonly number[]
  /** How many of the outputs are in a request, answered or not. */
  sentCount: number
  /** Of what was answered, which is in the order of the outputs. */
  readonly positions: Position[]
  resolve(positions: readonly Position[]): void
  reject(error: unknown): void
}

interface ProduceRequest {
  readonly outputs: Output[]
  /** The ticket of each output. */
  readonly tickets: Ticket[]
}

export class Appender {
  #producer: Producer | undefined
  #queue: Ticket[] = []
  #sending: Promise<void> | undefined
  #closed = false
  /** Topic → partitions, as last described. */
  readonly #partitions = new Map<string, number>()
  readonly #options: KafkaBusOptions
  readonly #pulse: Pulse
  readonly #admin: Admin

  constructor(options: KafkaBusOptions, pulse: Pulse, admin: Admin) {
    this.#options = options
    this.#pulse = pulse
    this.#admin = admin
  }

  async append(outputs: readonly Output[]): Promise<readonly Position[]> {
    const sizes = sizesOf(outputs)
    if (this.#closed) throw busClosed()
    const unknown = new Set(outputs.map(({ topic }) => topic))
    for (const topic of this.#partitions.keys()) unknown.delete(topic)
    if (unknown.size > 0) await this.#learn([...unknown])
    for (const output of outputs) this.#refuseMisdirected(output)
    if (this.#closed) throw busClosed()
    if (outputs.length === 0) return []
    return await new Promise((resolve, reject) => {
      this.#queue.push({ outputs, sizes, sentCount: 0, positions: [], resolve, reject })
      this.#sending ??= this.#drain()
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const refused = this.#queue.splice(0)
    for (const ticket of refused) ticket.reject(busClosed())
    const patience = new Promise((resolve) => setTimeout(resolve, CLOSE_MS_MAX).unref())
    await Promise.race([this.#sending, patience])
    await this.#producer?.disconnect().catch(() => undefined)
  }

  async #learn(topics: readonly string[]): Promise<void> {
    const described = await this.#admin.describe(topics)
    for (const topic of topics) {
      const found = described.get(topic)
      if (found === undefined) throw topicMissing(topic)
      this.#partitions.set(topic, found.partitions)
    }
  }

  #refuseMisdirected({ topic, partition }: Output): void {
    const count = this.#partitions.get(topic)!
    if (Number.isInteger(partition) && partition >= 0 && partition < count) return
    throw new ServiceError(
      'TOPIC_MISMATCH',
      `topic ${topic} has partitions 0 to ${count - 1} and no ${partition}`,
    )
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const sent = this.#nextRequest()
      try {
        settle(sent, await this.#send(sent.outputs))
      } catch (error) {
        await this.#refuse(sent, error)
      }
    }
    this.#sending = undefined
  }

  /** As much as one request holds, from the front of the queue. */
  #nextRequest(): ProduceRequest {
    const room = new RequestRoom()
    const request: ProduceRequest = { outputs: [], tickets: [] }
    for (let ticket = this.#queue[0]; ticket !== undefined; ticket = this.#queue[0]) {
      const { outputs, sizes } = ticket
      for (; ticket.sentCount < outputs.length; ticket.sentCount++) {
        const output = outputs[ticket.sentCount]
        if (!room.take(output, sizes[ticket.sentCount])) return request
        request.outputs.push(output)
        request.tickets.push(ticket)
      }
      this.#queue.shift()
    }
    return request
  }

  async #send(outputs: readonly Output[]): Promise<readonly RecordMetadata[]> {
    if (this.#producer === undefined) {
      const producer = kafkaClient(this.#options, { retry: OUTAGE_RETRY }).producer({
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        retry: OUTAGE_RETRY,
      })
      await producer.connect()
      this.#producer = producer
    }
    return await this.#producer.sendBatch({ topicMessages: byTopic(outputs) })
  }

  /** The producer's numbering is no longer that of the log, so it goes with the request. */
  async #refuse(sent: ProduceRequest, error: unknown): Promise<void> {
    const failure = failureOf(error)
    this.#pulse.note('produce failed', error)
    const producer = this.#producer
    this.#producer = undefined
    await producer?.disconnect().catch(() => undefined)
    const tickets = new Set(sent.tickets)
    this.#queue = this.#queue.filter((ticket) => !tickets.has(ticket))
    this.#partitions.clear()
    const known = denied(this.#options, error) ?? error
    const reason = failure.type === '' ? unreachable(this.#options, error) : known
    for (const ticket of tickets) ticket.reject(reason)
  }
}

/** The broker tells the first offset of each partition; the others follow it one by one. */
function settle(sent: ProduceRequest, answers: readonly RecordMetadata[]): void {
  const next = new Map<string, number[]>()
  for (const { topicName, partition, baseOffset } of answers) {
    const partitions = next.get(topicName) ?? []
    partitions[partition] = Number(baseOffset)
    next.set(topicName, partitions)
  }
  for (const [i, { topic, partition }] of sent.outputs.entries()) {
    const ticket = sent.tickets[i]
    const { outputs, positions } = ticket
    const offset = next.get(topic)![partition]++
    positions.push({ topic, partition, offset })
    if (positions.length === outputs.length) ticket.resolve(positions)
  }
}
