/** Records on their way in and out, and how many of them one request may hold. */
import type { Message, TopicMessages } from 'kafkajs'

import type { LogRecord, Output } from '../../core/bus.ts'
import { ServiceError } from '../../core/errors.ts'
import { SHORT_TEXT } from './byte-writer.ts'
import type { FetchedBatch } from './fetched-batch.ts'

/** Key, value and headers of one record together. Topics are made to take a little more. */
export const RECORD_BYTES_MAX = 8 * 1024 * 1024
/** Of one partition in one request, unless one record alone is larger: brokers refuse over 1 MiB. */
const PARTITION_BYTES_MAX = 900 * 1024
const REQUEST_BYTES_MAX = 8 * 1024 * 1024
const REQUEST_RECORDS_MAX = 10_000
/** Offset, time and lengths of a record in its batch, at most. */
const RECORD_FRAME_BYTES = 64

/** What a fetch gave from offset `next` on; below it are repeats. */
export function recordsFrom(
  { topic, partition, messages }: FetchedBatch,
  next: number,
): readonly LogRecord[] {
  const records: LogRecord[] = []
  for (const { offset, timestamp, key, value, headers } of messages) {
    if (offset < next) continue
    records.push({ topic, partition, offset, appendedAtMs: timestamp, key, value, headers })
  }
  return records
}

/**
 * By topic, in their order. Records go to produce-request.ts as they are, bytes and text alike; for
 * kafkajs on the way there is nothing in them but a partition and a value.
 */
export function byTopic(outputs: readonly Output[]): TopicMessages[] {
  const topics = new Map<string, Output[]>()
  for (const output of outputs) {
    const messages = topics.get(output.topic)
    if (messages === undefined) topics.set(output.topic, [output])
    else messages.push(output)
  }
  return [...topics].map(([topic, messages]) => ({
    topic,
    messages: messages as unknown as Message[],
  }))
}

/** What a record holds in our buffers. */
export function recordBytes({ key, value }: LogRecord): number {
  return RECORD_FRAME_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
}

/**
 * The bytes of each record, which are counted once. Checked before anything is sent, so that one record
 * too large does not take others with it.
 */
export function sizesOf(outputs: readonly Output[]): readonly number[] {
  return outputs.map((output) => {
    const bytes = outputBytes(output)
    if (bytes <= RECORD_BYTES_MAX) return bytes
    throw new ServiceError(
      'RECORD_TOO_LARGE',
      `a record of ${bytes} bytes for ${output.topic}[${output.partition}] exceeds the limit of ` +
        `${RECORD_BYTES_MAX}: split it`,
    )
  })
}

/** What one request still has room for. */
export class RequestRoom {
  /** Topic → per partition the bytes so far. */
  readonly #partitions = new Map<string, number[]>()
  #bytes = 0
  #count = 0

  /** Counts the record, unless it is for the next request. The first one always fits. */
  take({ topic, partition }: Output, bytes: number): boolean {
    let partitions = this.#partitions.get(topic)
    if (partitions === undefined) this.#partitions.set(topic, (partitions = []))
    const inPartition = (partitions[partition] ?? 0) + bytes
    const over = inPartition > PARTITION_BYTES_MAX || this.#bytes + bytes > REQUEST_BYTES_MAX
    if (this.#count > 0 && (over || this.#count >= REQUEST_RECORDS_MAX)) return false
    partitions[partition] = inPartition
    this.#bytes += bytes
    this.#count += 1
    return true
  }
}

/** Where the request that begins at `from` ends. */
export function requestEnd(
  outputs: readonly Output[],
  sizes: readonly number[],
  from: number,
): number {
  const room = new RequestRoom()
  let end = from
  while (end < outputs.length && room.take(outputs[end], sizes[end])) end += 1
  return end
}

function outputBytes({ key, value, headers }: Output): number {
  const bytes = RECORD_FRAME_BYTES + lengthOf(key) + lengthOf(value)
  return headers === undefined ? bytes : bytes + headerBytes(headers)
}

function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0
  for (const name of Object.keys(headers)) bytes += lengthOf(name) + lengthOf(headers[name])
  return bytes
}

function lengthOf(content: string | Uint8Array | null): number {
  if (content === null) return 0
  return typeof content === 'string' ? textBytes(content) : content.length
}

/** Letter by letter where that is quicker than a call out of JavaScript. */
function textBytes(text: string): number {
  const { length } = text
  if (length > SHORT_TEXT) return Buffer.byteLength(text)
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  return length
}
