/** One owned partition number: what was fetched for it, how far it is, and its producer. */
import type {
  CommitOutcome,
  Lease,
  LeaseBuffer,
  LogRecord,
  Offsets,
  Output,
} from '../../core/bus.ts'
import { ServiceError, assert } from '../../core/errors.ts'
import { RecordBuffer } from './buffer.ts'
import type { FetchedBatch } from './fetched-batch.ts'
import { recordsFrom } from './record.ts'
import type { PartitionProducer } from './transaction.ts'

export interface LeaseOptions {
  readonly partition: number
  readonly epoch: number
  readonly committed: Offsets
  readonly group: string
  readonly bufferBytesMax: number
  readonly producer: PartitionProducer
  readonly port: LeasePort
}

/** What a lease asks of its membership. */
export interface LeasePort {
  seek(topic: string, partition: number, offset: number): void
  pause(partition: number): void
  resume(partition: number): void
  ends(topic: string): Promise<readonly number[]>
  /** Lost by its own doing: claimed by another, unknown, or released. */
  onLost(lease: KafkaLease): void
}

export class KafkaLease implements Lease {
  readonly partition: number
  readonly epoch: number
  readonly committed: Offsets
  /** Topic → offset of the next record to fetch; records below it are repeats of a rejoin. */
  readonly #next = new Map<string, number>()
  readonly #buffer: RecordBuffer
  readonly #options: LeaseOptions
  #started = false
  #lost = false
  #paused = true
  #committing: Promise<CommitOutcome> | undefined
  /** Counts whatever moves, for the watchdog. */
  #progress = 0

  constructor(options: LeaseOptions) {
    this.partition = options.partition
    this.epoch = options.epoch
    this.committed = options.committed
    this.#options = options
    this.#buffer = new RecordBuffer(options.bufferBytesMax)
    for (const [topic, offset] of Object.entries(options.committed)) this.#next.set(topic, offset)
  }

  get lost(): boolean {
    return this.#lost
  }

  get progress(): number {
    return this.#progress
  }

  get untaken(): number {
    return this.#buffer.count
  }

  get started(): boolean {
    return this.#started
  }

  start(from: Offsets): void {
    assert(!this.#started, 'a lease is started once')
    this.#started = true
    if (this.#lost) return
    for (const [topic, offset] of this.#next) this.#next.set(topic, from[topic] ?? offset)
    this.follow()
  }

  async take(waitMs: number): Promise<readonly LogRecord[]> {
    const records = await this.#buffer.take(waitMs)
    if (records.length > 0) this.#progress += 1
    if (this.#paused && this.#started && !this.#lost) this.#flow(true)
    return records
  }

  async commit(outputs: readonly Output[], next: Offsets): Promise<CommitOutcome> {
    assert(this.#committing === undefined, 'one commit at a time')
    if (this.#lost) return 'fenced'
    const { group, partition, producer } = this.#options
    this.#committing = producer.commit(outputs, next, { group, partition })
    const outcome = await this.#committing
    this.#committing = undefined
    if (outcome === 'committed') this.#progress += 1
    if (outcome === 'fenced' || outcome === 'unknown') this.#giveUp()
    return outcome
  }

  async behind(): Promise<number> {
    if (this.#lost) return 0
    let count = this.#buffer.count
    for (const topic of this.#next.keys()) {
      const ends = await this.#options.port.ends(topic)
      count += Math.max(0, (ends[this.partition] ?? 0) - this.#next.get(topic)!)
    }
    return count
  }

  buffer(): LeaseBuffer {
    const { count: recordCount, bytes } = this.#buffer
    const paused = this.#paused && this.#started && !this.#lost
    return { recordCount, bytes, bytesMax: this.#options.bufferBytesMax, paused }
  }

  release(): void {
    this.#giveUp()
  }

  /** After `start` and after each rejoin, which forgets where the consumer was. */
  follow(): void {
    if (!this.#started || this.#lost) return
    for (const [topic, offset] of this.#next) {
      this.#options.port.seek(topic, this.partition, offset)
    }
    this.#flow(!this.#buffer.full)
  }

  receive(batch: FetchedBatch): void {
    const next = this.#next.get(batch.topic)
    if (this.#lost || !this.#started || next === undefined) return
    if (Number(batch.fetchedOffset) > next) {
      this.#options.port.seek(batch.topic, this.partition, next)
      return
    }
    this.#buffer.push(recordsFrom(batch, next))
    this.advance(batch.topic, Number(batch.lastOffset()) + 1)
    if (this.#buffer.full && !this.#paused) this.#flow(false)
  }

  advance(topic: string, next: number): void {
    const before = this.#next.get(topic)
    if (!this.#started || before === undefined || next <= before) return
    this.#next.set(topic, next)
    this.#progress += 1
  }

  /** The log no longer holds what comes next, or not yet: the fold must decide, so `take` throws. */
  outOfRange(topic: string): ServiceError {
    const at = `${topic}[${this.partition}]@${this.#next.get(topic)}`
    const error = new ServiceError(
      'OFFSET_OUT_OF_RANGE',
      `${at} is not in the log any more: raise the retention of the topic, or restore a newer ` +
        'checkpoint and begin there',
    )
    this.#buffer.fail(error)
    return error
  }

  /** The partition was given away. What is in flight is settled first; its producer closes then. */
  async lose(): Promise<void> {
    this.#lost = true
    this.#buffer.end()
    await this.#committing
    await this.#options.producer.close()
  }

  #giveUp(): void {
    if (this.#lost) return
    const closing = this.lose()
    this.#options.port.pause(this.partition)
    void closing.then(() => this.#options.port.onLost(this))
  }

  #flow(open: boolean): void {
    this.#paused = !open
    if (open) this.#options.port.resume(this.partition)
    else this.#options.port.pause(this.partition)
  }
}
