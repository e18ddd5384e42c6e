/** Reads without committing: a consumer that is alone in a group of its own and seeks where it likes. */
import { randomUUID } from 'node:crypto'

import type { LogRecord, Reader, ReaderOptions } from '../../core/bus.ts'
import { ServiceError } from '../../core/errors.ts'
import type { Admin } from './admin.ts'
import { RecordBuffer } from './buffer.ts'
import type { FetchedBatch } from './fetched-batch.ts'
import { Feed } from './feed.ts'
import type { MembershipContext } from './membership.ts'
import { recordsFrom } from './record.ts'

const BUFFER_BYTES_MAX = 16 * 1024 * 1024

export class KafkaReader implements Reader {
  readonly #topic: string
  /** Partition → offset of the next record to fetch. */
  readonly #next: Map<number, number>
  readonly #buffer = new RecordBuffer(BUFFER_BYTES_MAX)
  readonly #feed: Feed
  #paused = false
  #closed: Promise<void> | undefined

  constructor(context: MembershipContext, topic: string, from: ReadonlyMap<number, number>) {
    this.#topic = topic
    this.#next = new Map(from)
    const group = `${context.bus.prefix}reader-${randomUUID()}`
    this.#feed = new Feed(context.bus, context.pulse, {
      group,
      owner: context.owner,
      topics: [topic],
      hooks: {
        onJoin: (partitions) => this.#joined(partitions),
        onHeartbeat: () => undefined,
        onBatch: (batch) => this.#receive(batch),
        onAdvance: (_, partition, next) => this.#advance(partition, next),
        onOutOfRange: ({ partition }) => {
          const error = outOfRange(topic, partition, this.#next.get(partition) ?? 0)
          context.pulse.note('offset out of range', error)
          this.#buffer.fail(error)
        },
        onEnd: () => undefined,
      },
    })
    this.#feed.start()
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  async take(waitMs: number): Promise<readonly LogRecord[]> {
    const records = await this.#buffer.take(waitMs)
    if (this.#paused) {
      this.#paused = false
      this.#feed.resume([...this.#next.keys()])
    }
    return records
  }

  reached(ends: readonly number[]): boolean {
    if (this.#buffer.count > 0) return false
    return [...this.#next].every(([partition, next]) => next >= (ends[partition] ?? 0))
  }

  close(): Promise<void> {
    this.#buffer.end()
    return (this.#closed ??= this.#feed.stop())
  }

  #joined(partitions: readonly number[]): void {
    this.#feed.pause(partitions)
    for (const [partition, offset] of this.#next) this.#feed.seek(this.#topic, partition, offset)
    if (!this.#paused) this.#feed.resume([...this.#next.keys()])
  }

  #receive(batch: FetchedBatch): void {
    const { partition } = batch
    const next = this.#next.get(partition)
    if (next === undefined) return
    if (Number(batch.fetchedOffset) > next) {
      this.#feed.seek(this.#topic, partition, next)
      return
    }
    this.#buffer.push(recordsFrom(batch, next))
    this.#advance(partition, Number(batch.lastOffset()) + 1)
    if (!this.#buffer.full || this.#paused) return
    this.#paused = true
    this.#feed.pause([...this.#next.keys()])
  }

  #advance(partition: number, next: number): void {
    const before = this.#next.get(partition)
    if (before !== undefined && next > before) this.#next.set(partition, next)
  }
}

/** Partition → offset at which the reader begins. Fails where the log does not hold that offset. */
export async function readFrom(
  admin: Admin,
  options: ReaderOptions,
): Promise<ReadonlyMap<number, number>> {
  const { topic } = options
  const starts = await admin.starts(topic)
  const ends = await admin.ends(topic)
  const partitions = options.partitions ?? starts.map((_, partition) => partition)
  const begin = await beginnings(admin, options, starts, ends)
  return new Map(
    partitions.map((partition) => {
      const offset = begin[partition] ?? 0
      if (offset < starts[partition] || offset > ends[partition]) {
        throw outOfRange(topic, partition, offset)
      }
      return [partition, offset]
    }),
  )
}

async function beginnings(
  admin: Admin,
  { topic, from }: ReaderOptions,
  starts: readonly number[],
  ends: readonly number[],
): Promise<readonly number[]> {
  if (from === 'start') return starts
  if (from === 'end') return ends
  return 'offsets' in from ? from.offsets : await admin.atTime(topic, from.timeMs)
}

function outOfRange(topic: string, partition: number, offset: number): ServiceError {
  return new ServiceError(
    'OFFSET_OUT_OF_RANGE',
    `${topic}[${partition}]@${offset} is not in the log: read from the start, or from a later offset`,
  )
}
