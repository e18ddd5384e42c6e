/**
 * How a record is written into a batch, and how records are split over partitions: kafkajs does both
 * in time that grows with the square of the records, or with a buffer for each header. These give the
 * same bytes and the same split.
 *
 * Record (https://kafka.apache.org/documentation/#record): length, attributes, time delta, offset
 * delta, key, value, headers; every length a zigzag varint, -1 for none.
 */

export interface RecordInput {
  readonly offsetDelta?: number
  readonly timestampDelta?: number
  readonly key?: Buffer | string | null
  readonly value?: Buffer | string | null
  readonly headers?: Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>
}

type HeaderValue = Buffer | string

/** What kafkajs takes where it expects one of its encoders. */
export interface EncodedRecord {
  readonly buf: Buffer
  readonly buffer: Buffer
}

/** 2^31: up to here a zigzag code is an unsigned 32-bit number. */
const DELTA_MAX = 0x7fff_ffff

export function encodeRecord(input: RecordInput): EncodedRecord {
  const { offsetDelta = 0, timestampDelta = 0, key = null, value = null } = input
  const headers = headerList(input.headers)
  const keyBytes = lengthOf(key)
  const valueBytes = lengthOf(value)
  let body =
    1 +
    varintBytes(timestampDelta) +
    varintBytes(offsetDelta) +
    varintBytes(keyBytes) +
    varintBytes(valueBytes) +
    Math.max(keyBytes, 0) +
    Math.max(valueBytes, 0) +
    varintBytes(headers.length)
  for (const [name, content] of headers) {
    const [nameBytes, contentBytes] = [lengthOf(name), lengthOf(content)]
    body += varintBytes(nameBytes) + nameBytes + varintBytes(contentBytes) + contentBytes
  }
  const buf = Buffer.allocUnsafe(varintBytes(body) + body)
  let at = writeVarint(buf, 0, body)
  buf[at++] = 0
  at = writeVarint(buf, at, timestampDelta)
  at = writeVarint(buf, at, offsetDelta)
  at = writeContent(buf, at, key, keyBytes)
  at = writeContent(buf, at, value, valueBytes)
  at = writeVarint(buf, at, headers.length)
  for (const [name, content] of headers) {
    at = writeContent(buf, at, name, lengthOf(name))
    at = writeContent(buf, at, content, lengthOf(content))
  }
  if (at !== buf.length) throw new Error(`bug: a record of ${buf.length} bytes took ${at}`)
  return { buf, buffer: buf }
}

/** Every record of ours names its partition. */
export function groupByPartition<Message extends { readonly partition: number }>({
  messages,
}: {
  readonly messages: readonly Message[]
}): Record<string, Message[]> {
  const groups: Record<string, Message[]> = {}
  for (const message of messages) (groups[message.partition] ??= []).push(message)
  return groups
}

function headerList(headers: RecordInput['headers'] = {}): readonly [string, HeaderValue][] {
  const list: [string, HeaderValue][] = []
  for (const name of Object.keys(headers)) {
    const content = headers[name]
    if (isList(content)) for (const each of content) list.push([name, each])
    else list.push([name, content])
  }
  return list
}

function isList(content: HeaderValue | readonly HeaderValue[]): content is readonly HeaderValue[] {
  return Array.isArray(content)
}

function lengthOf(content: Buffer | string | null): number {
  if (content === null) return -1
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length
}

function writeContent(
  buf: Buffer,
  at: number,
  content: Buffer | string | null,
  bytes: number,
): number {
  const from = writeVarint(buf, at, bytes)
  if (content === null) return from
  if (typeof content === 'string') buf.write(content, from, bytes, 'utf8')
  else content.copy(buf, from)
  return from + bytes
}

/** Zigzag, as the protocol's varints are; the codes of small negatives are small. */
function zigzag(value: number): number {
  if (Math.abs(value) > DELTA_MAX) throw new Error(`bug: ${value} does not fit a varint`)
  return value >= 0 ? value * 2 : -value * 2 - 1
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = zigzag(value); rest > 0x7f; rest = Math.floor(rest / 128)) bytes += 1
  return bytes
}

function writeVarint(buf: Buffer, at: number, value: number): number {
  let rest = zigzag(value)
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) buf[at++] = (rest & 0x7f) | 0x80
  buf[at++] = rest
  return at
}
