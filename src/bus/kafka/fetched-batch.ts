/**
 * What one fetch gave of one partition, in the place of kafkajs's class of that purpose, which makes big
 * integers of each offset. mends.ts has marked what belongs to aborted transactions before it comes here.
 */
import type { FetchedRecord } from './fetched-records.ts'

export interface FetchedPartition {
  readonly partition: number
  readonly highWatermark: string
  readonly messages: readonly FetchedRecord[]
}

export class FetchedBatch {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: string
  readonly fetchedOffset: string
  /** Without what is below the offset that was asked for, and without control records. */
  readonly messages: readonly FetchedRecord[]
  /** Of what was asked for, control records included; `undefined` where there was nothing. */
  readonly #first: FetchedRecord | undefined
  readonly #last: FetchedRecord | undefined
  readonly #rawCount: number

  constructor(topic: string, fetchedOffset: string, fetched: FetchedPartition) {
    this.topic = topic
    this.partition = fetched.partition
    this.highWatermark = fetched.highWatermark
    this.fetchedOffset = fetchedOffset
    const from = Number(fetchedOffset)
    const asked = fetched.messages.filter(({ offset }) => offset >= from)
    this.messages = asked.filter(({ isControlRecord }) => !isControlRecord)
    this.#first = asked[0]
    this.#last = asked.at(-1)
    this.#rawCount = fetched.messages.length
  }

  isEmpty(): boolean {
    return this.messages.length === 0
  }

  isEmptyDueToFiltering(): boolean {
    return this.isEmpty() && this.#rawCount > 0
  }

  firstOffset(): string | null {
    return this.#first === undefined ? null : String(this.#first.offset)
  }

  /** Of the last record, control or not; where there is none in question, so that no offset is lost. */
  lastOffset(): string {
    if (this.#last !== undefined) return String(this.#last.offset)
    return this.#rawCount > 0 ? this.fetchedOffset : String(Number(this.highWatermark) - 1)
  }

  offsetLag(): string {
    return String(Number(this.highWatermark) - 1 - Number(this.lastOffset()))
  }

  offsetLagLow(): string {
    const first = this.#first
    return first === undefined ? '0' : String(Number(this.highWatermark) - 1 - first.offset)
  }
}
