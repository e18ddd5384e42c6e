/** Records on their way in and out, and how many of them one request may hold. */
import type { IHeaders, KafkaMessage, Message, TopicMessages } from 'kafkajs'

import type { LogRecord, Output } from '../../core/bus.ts'
import { ServiceError } from '../../core/errors.ts'

/** Key, value and headers of one record together. Topics are made to take a little more. */
export const RECORD_BYTES_MAX = 8 * 1024 * 1024
/** Of one partition in one request, unless one record alone is larger: brokers refuse over 1 MiB. */
const PARTITION_BYTES_MAX = 900 * 1024
const REQUEST_BYTES_MAX = 8 * 1024 * 1024
const REQUEST_RECORDS_MAX = 10_000
/** Offset, time and lengths of a record in its batch, at most. */
const RECORD_FRAME_BYTES = 64

export function recordOf(topic: string, partition: number, message: KafkaMessage): LogRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    appendedAtMs: Number(message.timestamp),
    key: message.key === null ? null : plain(message.key),
    value: message.value === null ? null : plain(message.value),
    headers: textHeaders(message.headers),
  }
}

export function messageOf(output: Output): Message {
  return {
    partition: output.partition,
    key: output.key === null ? null : buffer(output.key),
    value: output.value === null ? null : buffer(output.value),
    ...(output.headers === undefined ? {} : { headers: { ...output.headers } }),
  }
}

export function byTopic(outputs: readonly Output[]): TopicMessages[] {
  const topics = new Map<string, Message[]>()
  for (const output of outputs) {
    const messages = topics.get(output.topic) ?? []
    messages.push(messageOf(output))
    topics.set(output.topic, messages)
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }))
}

export function outputBytes({ key, value, headers = {} }: Output): number {
  let bytes = RECORD_FRAME_BYTES + lengthOf(key) + lengthOf(value)
  for (const [name, text] of Object.entries(headers)) bytes += lengthOf(name) + lengthOf(text)
  return bytes
}

/** What a record holds in our buffers. */
export function recordBytes({ key, value }: LogRecord): number {
  return RECORD_FRAME_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
}

/** Checked before anything is sent, so that one record too large does not take others with it. */
export function refuseTooLarge(outputs: readonly Output[]): void {
  for (const output of outputs) {
    const bytes = outputBytes(output)
    if (bytes <= RECORD_BYTES_MAX) continue
    throw new ServiceError(
      'RECORD_TOO_LARGE',
      `a record of ${bytes} bytes for ${output.topic}[${output.partition}] exceeds the limit of ` +
        `${RECORD_BYTES_MAX}: split it`,
    )
  }
}

/** How many of the first records fit one request: at least one, in their order. */
export function fitting(outputs: readonly Output[]): number {
  const partitions = new Map<string, number>()
  let total = 0
  for (const [i, output] of outputs.entries()) {
    const bytes = outputBytes(output)
    const name = `${output.topic}/${output.partition}`
    const inPartition = (partitions.get(name) ?? 0) + bytes
    total += bytes
    const over = inPartition > PARTITION_BYTES_MAX || total > REQUEST_BYTES_MAX
    if (i > 0 && (over || i >= REQUEST_RECORDS_MAX)) return i
    partitions.set(name, inPartition)
  }
  return outputs.length
}

/** A view without Node's Buffer around it, which compares and prints differently. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function buffer(content: string | Uint8Array): Buffer {
  if (typeof content === 'string') return Buffer.from(content)
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
}

function lengthOf(content: string | Uint8Array | null): number {
  if (content === null) return 0
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length
}

function textHeaders(headers: IHeaders = {}): Readonly<Record<string, string>> {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined) out[name] = last === null ? '' : last.toString()
  }
  return out
}
