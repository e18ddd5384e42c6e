/**
 * The transactional producer of one owned partition. Its id is stable, so that the next owner of the
 * partition, in whatever process, fences this one; one producer per process would not be fenced.
 *
 * A transaction is opened only at commit. Records and offsets go out side by side, so that a hop takes
 * three exchanges with the broker one after the other and not five.
 */
import type { Producer, Transaction } from 'kafkajs'

import { setTimeout as sleep } from 'node:timers/promises'

import type { CommitOutcome, Offsets, Output } from '../../core/bus.ts'
import { kafkajs } from './library.ts'
import type { CommitStep, KafkaBusOptions } from './client.ts'
import { QUICK_RETRY, TRANSACTION_TIMEOUT_MS, kafkaClient } from './client.ts'
import { failureOf, isFenced } from './failure.ts'
import type { Pulse } from './pulse.ts'
import { byTopic, requestEnd, sizesOf } from './record.ts'

const OFFSET_TRIES_MAX = 12
const OFFSET_RETRY_MS = 5
const OFFSET_RETRY_MS_MAX = 200

export interface TransactionTarget {
  readonly group: string
  readonly partition: number
}

export function transactionalId(prefix: string, role: string, partition: number): string {
  return `${prefix}${role}-${partition}`
}

export class PartitionProducer {
  readonly #producer: Producer
  readonly #pulse: Pulse
  readonly #id: string
  readonly #onStep: (step: CommitStep, outputs: readonly Output[]) => void

  constructor(options: KafkaBusOptions, pulse: Pulse, id: string) {
    const transactionTimeout = options.transactionTimeoutMs ?? TRANSACTION_TIMEOUT_MS
    this.#id = id
    this.#pulse = pulse
    this.#onStep = (step, outputs) => options.onCommitStep?.(id, step, outputs)
    this.#producer = kafkaClient(options, {
      retry: QUICK_RETRY,
      // A commit without an answer for longer than this is `unknown`: the broker has aborted it by then.
      requestTimeoutMs: 2 * transactionTimeout + 1_000,
    }).producer({
      transactionalId: id,
      transactionTimeout,
      idempotent: true,
      // Records of one request at a time, and offsets beside them.
      maxInFlightRequests: 2,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: QUICK_RETRY,
    })
  }

  /**
   * Fences the previous owner: by beginning a transaction (connecting fences nobody). Without a
   * record the transaction ends empty. Returns the offset of the claim record, or -1.
   */
  async claim(record: Output | null): Promise<number> {
    await this.#producer.connect()
    const transaction = await this.#producer.transaction()
    if (record === null) {
      await transaction.abort()
      return -1
    }
    const [at] = await transaction.sendBatch({ topicMessages: byTopic([record]) })
    await transaction.commit()
    return Number(at.baseOffset)
  }

  async commit(
    outputs: readonly Output[],
    next: Offsets,
    target: TransactionTarget,
  ): Promise<CommitOutcome> {
    let sizes: readonly number[]
    try {
      sizes = sizesOf(outputs)
    } catch (error) {
      this.#note(error, 'aborted')
      return 'aborted'
    }
    let transaction: Transaction
    try {
      transaction = await this.#producer.transaction()
      this.#onStep('begun', outputs)
    } catch (error) {
      return this.#note(error, isFenced(failureOf(error)) ? 'fenced' : 'unknown')
    }
    // Side by side: each is two exchanges with the broker, and neither needs the other's.
    const stored = settled(sendOffsets(transaction, next, target))
    try {
      await this.#send(transaction, outputs, sizes)
    } catch (error) {
      // What was sent may have arrived, and its sequence numbers would be used again for other
      // records, which the broker takes for repeats and drops. So this producer is finished, and
      // nobody waits for its offsets: without a broker they are tried again for minutes.
      return this.#note(error, isFenced(failureOf(error)) ? 'fenced' : 'unknown')
    }
    const refused = await stored
    if (refused !== null)
      return this.#note(refused.error, await abortAfter(refused.error, transaction))
    this.#onStep('offsets', outputs)
    try {
      await transaction.commit()
      this.#onStep('committed', outputs)
      return 'committed'
    } catch (error) {
      return this.#note(error, isFenced(failureOf(error)) ? 'fenced' : 'unknown')
    }
  }

  async #send(
    transaction: Transaction,
    outputs: readonly Output[],
    sizes: readonly number[],
  ): Promise<void> {
    for (let from = 0; from < outputs.length;) {
      const end = requestEnd(outputs, sizes, from)
      await transaction.sendBatch({ topicMessages: byTopic(outputs.slice(from, end)) })
      from = end
    }
    this.#onStep('sent', outputs)
  }

  async close(): Promise<void> {
    await this.#producer.disconnect().catch(() => undefined)
  }

  #note(error: unknown, outcome: CommitOutcome): CommitOutcome {
    this.#pulse.note(`commit ${outcome}`, error, { transactionalId: this.#id })
    return outcome
  }
}

/** Null when it was fulfilled. Never throws, so that it may be left alone. */
async function settled(work: Promise<void>): Promise<{ readonly error: unknown } | null> {
  try {
    await work
    return null
  } catch (error) {
    return { error }
  }
}

/** kafkajs retries one half of this exchange; the other answers "busy" while the last commit settles. */
async function sendOffsets(
  transaction: Transaction,
  next: Offsets,
  { group, partition }: TransactionTarget,
): Promise<void> {
  const topics = Object.entries(next).map(([topic, offset]) => ({
    topic,
    partitions: [{ partition, offset: String(offset) }],
  }))
  if (topics.length === 0) return
  for (let attempt = 1; ; attempt++) {
    try {
      await transaction.sendOffsets({ consumerGroupId: group, topics })
      return
    } catch (error) {
      const failure = failureOf(error)
      if (isFenced(failure) || !failure.retriable || attempt === OFFSET_TRIES_MAX) throw error
      await sleep(Math.min(OFFSET_RETRY_MS * 2 ** attempt, OFFSET_RETRY_MS_MAX) * Math.random())
    }
  }
}

/** The records are in the log and their sequence is in order, so an abort leaves the producer whole. */
async function abortAfter(error: unknown, transaction: Transaction): Promise<CommitOutcome> {
  if (isFenced(failureOf(error))) return 'fenced'
  try {
    await transaction.abort()
    return 'aborted'
  } catch (abortError) {
    return isFenced(failureOf(abortError)) ? 'fenced' : 'unknown'
  }
}
