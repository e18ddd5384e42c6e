/**
 * Produce requests (version 3 and later) in one piece: each key, value and header is written once,
 * where it leaves. kafkajs copies every one about five times, from encoder to encoder. What ours does
 * not write (compressed batches, own times, older versions) kafkajs writes as before.
 *
 * The layout is that of https://kafka.apache.org/documentation/#recordbatch
 */
import { assert } from '../../core/errors.ts'
import { BufferPool } from './buffer-pool.ts'
import { ByteWriter, VARINT_BYTES_MAX, contentBytesMax, varintBytes } from './byte-writer.ts'
import type { Content } from './byte-writer.ts'

type Checksum = (bytes: Uint8Array) => number
type HeaderContent = Content | readonly Content[]

export interface ProduceMessage {
  readonly key?: Content
  readonly value?: Content
  readonly headers?: Readonly<Record<string, HeaderContent>>
  readonly timestamp?: string | null
}

export interface ProducePartition {
  readonly partition: number
  readonly firstSequence?: number
  readonly messages: readonly ProduceMessage[]
}

export interface ProduceInput {
  readonly acks: number
  readonly timeout: number
  readonly compression?: number
  readonly transactionalId?: string | null
  /** A number, or the broker's text; kafkajs's own 64-bit numbers print as such. */
  readonly producerId?: unknown
  readonly producerEpoch?: number
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly ProducePartition[]
  }[]
}

interface Request {
  readonly apiKey: number
  readonly apiVersion: number
  encode(): Promise<{ readonly buffer: Buffer }>
  /** The whole request, from its length to its last record. Only ours have it. */
  readonly frame?: (correlationId: number, clientId: string | null) => Buffer
}
interface Response {
  decode(payload: Buffer): Promise<unknown>
  parse(decoded: unknown): Promise<unknown>
}
type Protocol = (input: ProduceInput) => { readonly request: Request; readonly response: Response }
export interface RequestDefinitions {
  readonly versions: readonly string[]
  readonly protocol: (of: { readonly version: number | string }) => Protocol
}

/** The first version with record batches instead of message sets. */
const VERSION_MIN = 3
const MAGIC = 2
const TRANSACTIONAL = 16
/** Length, key, version and correlation id of a request, and the length of its client id. */
const HEADER_BYTES = 14
/** From the length of the record set to the number of records. */
const BATCH_BYTES = 65
/** Attributes, time and offset of a record, and how many headers it has. */
const RECORD_BYTES = 2 + 2 * VARINT_BYTES_MAX

/** kafkajs's definitions with ours for what ours can write. */
export function produceDefinitions(
  theirs: RequestDefinitions,
  checksum: Checksum,
  pool = new BufferPool(),
): RequestDefinitions {
  const protocol = (of: { readonly version: number | string }): Protocol => {
    const theirProtocol = theirs.protocol(of)
    if (Number(of.version) < VERSION_MIN) return theirProtocol
    return (input) => {
      if (!isPlain(input)) return theirProtocol(withBuffers(input))
      const { request, response } = theirProtocol(input)
      let lent: Buffer | undefined
      const frame = (correlationId: number, clientId: string | null): Buffer => {
        const writer = new ByteWriter(pool.take(requestBytesMax(input, clientId)))
        writeHeader(writer, request, correlationId, clientId)
        writeRequest(writer, input, checksum)
        assert(writer.at <= writer.buffer.length, 'a request is longer than it can be')
        writer.buffer.writeInt32BE(writer.at - 4, 0)
        lent = writer.buffer
        return writer.buffer.subarray(0, writer.at)
      }
      // Whoever answers has read the whole request. Unanswered, it may still wait in a socket: then
      // nobody gives its buffer back.
      const decode = (payload: Buffer): Promise<unknown> => {
        if (lent !== undefined) pool.give(lent)
        lent = undefined
        return response.decode(payload)
      }
      return { request: { ...request, frame }, response: { ...response, decode } }
    }
  }
  return { ...theirs, protocol }
}

/** kafkajs's way from a request to what is sent, with one copy instead of three. */
export async function frameRequest(sent: {
  readonly correlationId: number
  readonly clientId: string | null
  readonly request: Request
}): Promise<{ readonly buffer: Buffer }> {
  const { correlationId, clientId, request } = sent
  if (request.frame !== undefined) return { buffer: request.frame(correlationId, clientId) }
  const { buffer: payload } = await request.encode()
  const headerBytes = HEADER_BYTES + Buffer.byteLength(clientId ?? '')
  const writer = new ByteWriter(Buffer.allocUnsafe(headerBytes + payload.length))
  writeHeader(writer, request, correlationId, clientId)
  writer.buffer.set(payload, writer.at)
  writer.buffer.writeInt32BE(writer.buffer.length - 4, 0)
  return { buffer: writer.buffer }
}

function isPlain({ compression = 0, topicData }: ProduceInput): boolean {
  if (compression !== 0) return false
  for (const { partitions } of topicData) {
    for (const { messages } of partitions) {
      for (const { timestamp } of messages) {
        if (timestamp !== undefined && timestamp !== null) return false
      }
    }
  }
  return true
}

/** kafkajs takes bytes for bytes only in a Buffer, and would print any other array. */
function withBuffers(input: ProduceInput): ProduceInput {
  const topicData = input.topicData.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((each) => ({
      ...each,
      messages: each.messages.map((message) => ({
        ...message,
        key: inBuffer(message.key),
        value: inBuffer(message.value),
      })),
    })),
  }))
  return { ...input, topicData }
}

function inBuffer(content: Content): Content {
  if (!(content instanceof Uint8Array)) return content
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
}

function requestBytesMax(input: ProduceInput, clientId: string | null): number {
  const { topicData, transactionalId } = input
  let bytes = HEADER_BYTES + 12 + 3 * ((clientId?.length ?? 0) + (transactionalId?.length ?? 0))
  for (const { topic, partitions } of topicData) {
    bytes += 6 + 3 * topic.length
    for (const { messages } of partitions) {
      bytes += 4 + BATCH_BYTES
      for (const message of messages) bytes += recordBytesMax(message)
    }
  }
  return bytes
}

function recordBytesMax({ key, value, headers }: ProduceMessage): number {
  const bytes = VARINT_BYTES_MAX + RECORD_BYTES + contentBytesMax(key) + contentBytesMax(value)
  return headers === undefined ? bytes : bytes + headerBytesMax(headers)
}

function headerBytesMax(headers: Readonly<Record<string, HeaderContent>>): number {
  let bytes = 0
  for (const name of Object.keys(headers)) {
    const content = headers[name]
    if (isList(content)) {
      for (const each of content) bytes += contentBytesMax(name) + contentBytesMax(each)
    } else {
      bytes += contentBytesMax(name) + contentBytesMax(content)
    }
  }
  return bytes
}

function writeHeader(
  out: ByteWriter,
  { apiKey, apiVersion }: Request,
  correlationId: number,
  clientId: string | null,
): void {
  out.at = 4
  out.int16(apiKey)
  out.int16(apiVersion)
  out.int32(correlationId)
  out.string(clientId)
}

function writeRequest(out: ByteWriter, input: ProduceInput, checksum: Checksum): void {
  out.string(input.transactionalId ?? null)
  out.int16(input.acks)
  out.int32(input.timeout)
  out.int32(input.topicData.length)
  for (const { topic, partitions } of input.topicData) {
    out.string(topic)
    out.int32(partitions.length)
    for (const each of partitions) {
      out.int32(each.partition)
      writeBatch(out, input, each, checksum)
    }
  }
}

function writeBatch(
  out: ByteWriter,
  { transactionalId, producerId = -1, producerEpoch = 0 }: ProduceInput,
  { messages, firstSequence = 0 }: ProducePartition,
  checksum: Checksum,
): void {
  const { buffer, at: start } = out
  const nowMs = Date.now()
  out.at += 4 // the length of the record set
  out.int64(0) // base offset: the broker's to say
  out.at += 4 // the length of the batch
  out.int32(0) // leader epoch
  out.int8(MAGIC)
  out.at += 4 // the checksum of all that follows
  const checked = out.at
  out.int16(transactionalId ? TRANSACTIONAL : 0)
  out.int32(messages.length - 1)
  out.int64(nowMs)
  out.int64(nowMs)
  out.bigint64(BigInt(String(producerId)))
  out.int16(producerEpoch)
  out.int32(firstSequence)
  out.int32(messages.length)
  let besides = RECORD_BYTES
  for (let i = 0; i < messages.length; i++) besides = writeRecord(out, messages[i], i, besides)
  buffer.writeInt32BE(out.at - start - 4, start)
  buffer.writeInt32BE(out.at - start - 16, start + 12)
  buffer.writeUInt32BE(checksum(buffer.subarray(checked, out.at)), checked - 4)
}

/** Takes and returns what a record has besides key and value: the next one will have about as much. */
function writeRecord(
  out: ByteWriter,
  { key, value, headers }: ProduceMessage,
  offsetDelta: number,
  besides: number,
): number {
  const start = out.at
  const contents = (key?.length ?? 0) + (value?.length ?? 0)
  out.at += varintBytes(contents + besides)
  const from = out.at
  out.int8(0) // attributes
  out.int8(0) // time since that of the batch
  out.varint(offsetDelta)
  out.content(key)
  out.content(value)
  if (headers === undefined) out.int8(0)
  else writeHeaders(out, headers)
  const bytes = out.at - from
  out.prefix(start, from)
  return bytes - contents
}

function writeHeaders(out: ByteWriter, headers: Readonly<Record<string, HeaderContent>>): void {
  const names = Object.keys(headers)
  let count = names.length
  for (const name of names) {
    const content = headers[name]
    if (isList(content)) count += content.length - 1
  }
  out.varint(count)
  for (const name of names) {
    const content = headers[name]
    if (isList(content)) {
      for (const each of content) {
        out.content(name)
        out.content(each)
      }
    } else {
      out.content(name)
      out.content(content)
    }
  }
}

function isList(content: HeaderContent): content is readonly Content[] {
  return Array.isArray(content)
}
