/** The bus on a real broker keeps the port's promises. */
import kafkajs from 'kafkajs'
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe } from 'vitest'

import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import type { KafkaBusOptions } from '../../src/bus/kafka/client.ts'
import { PARTITION_FETCH_BYTES_MAX } from '../../src/bus/kafka/feed.ts'
import { Pulse } from '../../src/bus/kafka/pulse.ts'
import { byTopic } from '../../src/bus/kafka/record.ts'
import { PartitionProducer, transactionalId } from '../../src/bus/kafka/transaction.ts'
import type { Bus, Output } from '../../src/core/bus.ts'
import { logOutput } from '../../src/core/log.ts'
import { CommitFaults } from '../support/kafka-faults.ts'
import { kafkaBrokers, kcat, uniquePrefix } from '../support/kafka.ts'
import type { BusHarness, Codec, OpenTransaction, Seizure } from './harness.ts'
import { busContract } from './suite.ts'
import { textOf } from '../support/output.ts'

const PATIENCE_MS = 30_000
/** Long enough that a clause ends its transactions itself. */
const OPEN_TRANSACTION_MS = 60_000
/** A header that makes small records worth compressing: clients send them plain otherwise. */
const PADDING = 'a'.repeat(2_000)

const brokers = await kafkaBrokers()
const foreignClient = kcat()

describe.skipIf(brokers === null)('kafka', () => {
  busContract(
    async () => new KafkaHarness(brokers ?? []),
    foreignClient === null ? [] : ['compression'],
  )
})

class KafkaHarness implements BusHarness {
  readonly name = 'kafka'
  readonly prefix = uniquePrefix('contract')
  readonly patienceMs = PATIENCE_MS
  readonly overshootBytesMax = PARTITION_FETCH_BYTES_MAX
  readonly #faults = new CommitFaults()
  readonly #options: KafkaBusOptions
  readonly #closers: (() => Promise<unknown>)[] = []
  readonly #client: kafkajs.Kafka

  constructor(brokers: readonly string[]) {
    const { socketFactory } = this.#faults
    this.#options = { brokers, clientId: 'contract', prefix: this.prefix, socketFactory }
    this.#client = new kafkajs.Kafka({
      brokers: [...brokers],
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { initialRetryTime: 5, retries: 20, maxRetryTime: 200 },
    })
  }

  pause(ms: number): Promise<void> {
    return sleep(ms)
  }

  async open(): Promise<Bus> {
    const bus = await openKafkaBus(this.#options)
    this.#closers.unshift(() => bus.close())
    return bus
  }

  async seize({ role, claimTopic, partition }: Seizure): Promise<void> {
    const id = transactionalId(this.prefix, role, partition)
    const thief = new PartitionProducer(this.#options, new Pulse(undefined), id)
    this.#closers.unshift(() => thief.close())
    await thief.claim(
      claimTopic === null
        ? null
        : logOutput(claimTopic, partition, 'claim', null, { role, owner: 'thief' }),
    )
  }

  async openTransaction(): Promise<OpenTransaction> {
    const producer = this.#client.producer({
      transactionalId: `${this.prefix}open-${this.#closers.length}`,
      transactionTimeout: OPEN_TRANSACTION_MS,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    await producer.connect()
    this.#closers.unshift(() => producer.disconnect())
    const transaction = await producer.transaction()
    return {
      send: async (outputs) => {
        await transaction.sendBatch({ topicMessages: byTopic(outputs) })
      },
      commit: () => transaction.commit(),
      abort: () => transaction.abort(),
    }
  }

  async expire(topic: string, partition: number, offset: number): Promise<void> {
    const admin = this.#client.admin()
    await admin.connect()
    // kafkajs deletes only where it has looked before.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
    await admin.disconnect()
  }

  readonly failNextCommit: NonNullable<BusHarness['failNextCommit']> = (fault) => {
    this.#faults.failNext(fault)
  }

  readonly produceCompressed = async (codec: Codec, outputs: readonly Output[]): Promise<void> => {
    for (const { topic, partition, key, value } of outputs) {
      const words = ['-P', '-b', this.#options.brokers.join(','), '-t', topic, '-p', `${partition}`]
      const more = ['-z', codec, '-k', String(key), '-H', `padding=${PADDING}`]
      await run(foreignClient!, [...words, ...more], value === null ? '' : textOf(value))
    }
  }

  async dispose(): Promise<void> {
    for (const close of this.#closers) await close()
    const admin = this.#client.admin()
    await admin.connect()
    const topics = (await admin.listTopics()).filter((name) => name.startsWith(this.prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    await admin.disconnect()
  }
}

async function run(program: string, words: readonly string[], input: string): Promise<void> {
  const child = spawn(program, words, { stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.end(input)
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${status}`)
}
