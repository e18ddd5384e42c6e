/**
 * Four faults of kafkajs 2.2.4 that no option switches off, mended from outside. It is unmaintained,
 * so they will stay; `mendKafkajs` refuses any other version rather than guess at its inside.
 *
 * 1. Records of aborted transactions leak to read-committed consumers. Its filter takes the broker's
 *    list of aborted transactions to be sorted by first offset and begins at most one per record; the
 *    broker lists them in the order of their aborts. We filter the fetched records ourselves and mark
 *    what was aborted as control records, which kafkajs steps over but never delivers.
 * 2. A fetch below the log's start silently jumps, and *commits* the jump to the group. Instead the
 *    partition is paused and `OUT_OF_RANGE` is logged, which the owner of the consumer acts on.
 * 3. An admin client asks for offsets as read-uncommitted, so that an open transaction looks readable.
 * 4. To describe a topic makes a client forget the others, and what asks for offsets at that moment asks
 *    for those of no partition. What is described does not take the place of what is known any more.
 */
import { createRequire } from 'node:module'

import { assert } from '../../core/errors.ts'
import { type CoordinatorClasses, rememberCoordinators } from './coordinators.ts'
import type { FetchedRecord } from './fetched-records.ts'

export const KAFKAJS_VERSION = '2.2.4'
/** The log message by which a paused partition is told of; its content is {@link OutOfRange}. */
export const OUT_OF_RANGE = 'foreshock: offset out of range'

export interface OutOfRange {
  readonly topic: string
  readonly partition: number
}

type MarkedRecord = Pick<FetchedRecord, 'offset' | 'key' | 'isControlRecord' | 'batchContext'>

export interface FetchedPartition {
  readonly messages: readonly MarkedRecord[]
  abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[]
}

interface FetchResponse {
  readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[]
}

type Method<This, Result> = (this: This, ...args: readonly unknown[]) => Promise<Result>
interface BrokerClass {
  readonly prototype: { fetch: Method<unknown, FetchResponse> }
}
interface Pool {
  refreshMetadataIfNecessary(topics: readonly string[]): Promise<void>
  withBroker(ask: unknown): Promise<unknown>
}
interface Described {
  readonly brokerPool: Pool
  readonly targetTopics: ReadonlySet<string>
}
interface ClusterClass {
  readonly prototype: {
    fetchTopicsOffset: Method<{ isolationLevel?: number }, unknown>
    metadata: Method<Described, unknown>
  }
}
interface Group {
  pause(what: readonly { readonly topic: string; readonly partitions: readonly number[] }[]): void
  readonly logger: { error(message: string, content: object): void }
}
interface GroupClass {
  readonly prototype: { recoverFromOffsetOutOfRange: Method<Group, void> }
}
type BatchClass = new (
  topic: string,
  fetchedOffset: string,
  partition: FetchedPartition,
) => { readonly messages: readonly MarkedRecord[]; lastOffset(): string | number }

const READ_COMMITTED = 1
/** Version 0, type 0: the key of the control record that ends an aborted transaction. */
const ABORT_MARKER = '0,0,0,0'
const MENDED = Symbol.for('foreshock.kafkajs.mended')

/** Safe to call again, also from a second copy of this module in the same process. */
export function mendKafkajs(): void {
  const require = createRequire(import.meta.url)
  const { version } = require('kafkajs/package.json') as { version: string }
  assert(version === KAFKAJS_VERSION, `kafkajs ${version} is not the ${KAFKAJS_VERSION} we mend`)
  const { prototype: broker } = require('kafkajs/src/broker') as BrokerClass
  if (MENDED in broker) return
  const { prototype: cluster } = require('kafkajs/src/cluster') as ClusterClass
  const { prototype: group } = require('kafkajs/src/consumer/consumerGroup') as GroupClass

  const { fetch } = broker
  broker.fetch = async function fetchAndHide(...args) {
    const response = await fetch.apply(this, [...args])
    for (const topic of response.responses) for (const each of topic.partitions) hideAborted(each)
    return response
  }
  assert(typeof group.recoverFromOffsetOutOfRange === 'function', 'kafkajs has no recovery to mend')
  group.recoverFromOffsetOutOfRange = async function pauseAndTell(...args) {
    const { topic, partition } = args[0] as OutOfRange
    this.pause([{ topic, partitions: [partition] }])
    this.logger.error(OUT_OF_RANGE, { topic, partition })
  }
  const { fetchTopicsOffset } = cluster
  cluster.fetchTopicsOffset = async function fetchCommitted(...args) {
    this.isolationLevel ??= READ_COMMITTED
    return await fetchTopicsOffset.apply(this, [...args])
  }
  const { metadata } = cluster
  cluster.metadata = async function describeBeside(...args) {
    const { brokerPool, targetTopics } = this
    const apart: Pool = {
      refreshMetadataIfNecessary: async (topics) => {
        const all = topics.length === 0 ? topics : [...new Set([...targetTopics, ...topics])]
        try {
          await brokerPool.refreshMetadataIfNecessary(all)
        } catch {
          // Another one may be gone. Of those that were asked for, their own error is told.
          await brokerPool.refreshMetadataIfNecessary(topics)
        }
      },
      withBroker: (ask) => brokerPool.withBroker(ask),
    }
    const beside = Object.create(this, { brokerPool: { value: apart } }) as typeof this
    return await metadata.apply(beside, [...args])
  }
  rememberCoordinators({ broker, cluster } as unknown as CoordinatorClasses)
  Object.defineProperty(broker, MENDED, { value: true })
  proveMended(require('kafkajs/src/consumer/batch') as BatchClass)
}

/** Marks what belongs to an aborted transaction, whatever the order of the broker's list. */
export function hideAborted(partition: FetchedPartition): void {
  const aborted = partition.abortedTransactions ?? []
  if (aborted.length === 0) return
  const due = aborted
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: Number(firstOffset) }))
    .sort((a, b) => a.firstOffset - b.firstOffset)
  const open = new Set<string>()
  let begun = 0
  for (const record of partition.messages) {
    while (begun < due.length && due[begun].firstOffset <= record.offset) {
      open.add(due[begun].producerId)
      begun += 1
    }
    const { producerId, inTransaction, isControlBatch } = record.batchContext
    if (isControlBatch) {
      if (record.key?.join() === ABORT_MARKER) open.delete(producerId)
    } else if (inTransaction && open.has(producerId)) {
      record.isControlRecord = true
    }
  }
  partition.abortedTransactions = []
}

/** Through kafkajs's own batch: A opens before B and aborts after it; neither may come out. */
function proveMended(Batch: BatchClass): void {
  const record = (offset: number, producerId: string, control = false): MarkedRecord => ({
    offset,
    key: control ? new Uint8Array(4) : null,
    isControlRecord: control,
    batchContext: { producerId, inTransaction: producerId !== '-1', isControlBatch: control },
  })
  const partition: FetchedPartition = {
    messages: [
      record(5, '2'),
      record(6, '1'),
      record(7, '2', true),
      record(8, '1', true),
      record(9, '-1'),
    ],
    abortedTransactions: [
      { producerId: '2', firstOffset: '1' },
      { producerId: '1', firstOffset: '0' },
    ],
  }
  hideAborted(partition)
  const batch = new Batch('proof', '5', partition)
  const seen = batch.messages.map((each) => each.offset).join()
  assert(
    seen === '9' && String(batch.lastOffset()) === '9',
    `kafkajs still leaks aborted records: ${seen}`,
  )
}
