// Goal: what we read from a fetch is what kafkajs reads, and where its batch ends is where ours does.
// Method: batches written by kafkajs, read both ways; theirs is loaded without ours.
import { fc, test } from '@fast-check/vitest'
import { createRequire } from 'node:module'
import { describe, expect } from 'vitest'
import { FetchedBatch } from '../../../../src/bus/kafka/fetched-batch.ts'
import type { BatchContext, FetchedRecord } from '../../../../src/bus/kafka/fetched-records.ts'
import { type Decoder, recordDecoder } from '../../../../src/bus/kafka/fetched-records.ts'

interface Encoded {
  readonly buffer: Buffer
}
interface TheirRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | readonly Buffer[]>>
  readonly isControlRecord: boolean
  readonly batchContext: BatchContext
}
type TheirDecode = (decoder: Decoder) => Promise<readonly TheirRecord[]>
type Batch = Pick<
  FetchedBatch,
  'messages' | 'isEmpty' | 'isEmptyDueToFiltering' | 'firstOffset' | 'offsetLag' | 'offsetLagLow'
> & {
  lastOffset(): string | number
}

const require = createRequire(import.meta.url)
const protocol = 'kafkajs/src/protocol'
const DecoderClass = require(`${protocol}/decoder`) as new (buffer: Buffer) => Decoder
const theirDecode = require(`${protocol}/requests/fetch/v4/decodeMessages`) as TheirDecode
const theirRecord = require(`${protocol}/recordBatch/record/v0`) as (record: object) => Encoded
const { RecordBatch: theirBatch } = require(`${protocol}/recordBatch/v0`) as {
  readonly RecordBatch: (batch: object) => Promise<Encoded>
}
const MessageSet = require(`${protocol}/messageSet`) as (set: object) => Encoded
const { lookupCodecByAttributes } = require(`${protocol}/message/compression`) as {
  lookupCodecByAttributes: Parameters<typeof recordDecoder>[1]
}
const TheirBatch = require('kafkajs/src/consumer/batch') as new (
  topic: string,
  offset: string,
  partition: object,
) => Batch

const decode = recordDecoder(theirDecode, lookupCodecByAttributes)

/** Of a shorter set kafkajs cannot tell the format, and no broker cuts one so short. */
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const LOG_APPEND_TIME = 0x08
const CONTROL = 0x20

const texts = fc.oneof(
  fc.constantFrom('content-type', 'id', '', 'é', 'application/json'),
  fc.string({ unit: 'binary', maxLength: 80 }),
)
const bytes = fc.uint8Array({ maxLength: 200 }).map((content) => Buffer.from(content))
const contents = fc.option(bytes)
const records = fc.record({
  timestampDelta: fc.integer({ min: -100_000, max: 2 ** 45 }),
  key: contents,
  value: contents,
  headers: fc.dictionary(texts, fc.oneof(texts, bytes, fc.array(texts, { minLength: 1 })), {
    maxKeys: 6,
  }),
})
const batches = fc.record({
  firstOffset: fc.integer({ min: 0, max: 2 ** 50 }),
  firstTimestamp: fc.integer({ min: 0, max: 2 ** 41 }),
  maxTimestamp: fc.integer({ min: 0, max: 2 ** 41 }),
  transactional: fc.boolean(),
  producerId: fc.bigInt({ min: -1n, max: 2n ** 62n }).map(String),
  compression: fc.constantFrom(0, 1),
  flags: fc.constantFrom(0, LOG_APPEND_TIME, CONTROL, LOG_APPEND_TIME | CONTROL),
  records: fc.array(records, { maxLength: 6 }),
})

async function encodedBatch(batch: typeof batches extends fc.Arbitrary<infer T> ? T : never) {
  const encoded = batch.records.map((record, offsetDelta) =>
    theirRecord({ ...record, offsetDelta }),
  )
  const { buffer } = await theirBatch({ ...batch, records: encoded })
  buffer.writeInt16BE(buffer.readInt16BE(ATTRIBUTES_AT) | batch.flags, ATTRIBUTES_AT)
  return buffer
}

/** As it stands in an answer: something before it, its size, its batches, something after it. */
function inAnswer(set: Buffer, cut = 0): { readonly answer: Buffer; readonly at: number } {
  const size = Buffer.alloc(4)
  size.writeInt32BE(set.length - cut)
  const kept = set.subarray(0, set.length - cut)
  return { answer: Buffer.concat([Buffer.alloc(3, 1), size, kept, Buffer.alloc(9, 2)]), at: 3 }
}

async function both(answer: Buffer, at: number) {
  const [our, their] = [new DecoderClass(answer), new DecoderClass(answer)]
  our.offset = at
  their.offset = at
  const [ours, theirs] = [await decode(our), await theirDecode(their)]
  expect(our.offset).toBe(their.offset)
  return { ours, theirs: theirs.map(asOurs) }
}

function asOurs(record: TheirRecord): FetchedRecord {
  const { producerId, inTransaction, isControlBatch } = record.batchContext
  const headers: Record<string, string> = {}
  for (const [name, content] of Object.entries(record.headers)) {
    headers[name] = (content instanceof Buffer ? content : content.at(-1)!).toString()
  }
  return {
    offset: Number(record.offset),
    timestamp: Number(record.timestamp),
    key: record.key && Uint8Array.from(record.key),
    value: record.value && Uint8Array.from(record.value),
    headers,
    isControlRecord: record.isControlRecord,
    batchContext: { producerId, inTransaction, isControlBatch },
  }
}

describe('fetched records', () => {
  test.prop([fc.array(batches, { maxLength: 4 }), fc.nat({ max: 80 })], { numRuns: 200 })(
    'are those that kafkajs reads, the last batch cut or not',
    async (list, cut) => {
      const set = Buffer.concat(await Promise.all(list.map(encodedBatch)))
      const { answer, at } = inAnswer(set, Math.min(cut, Math.max(0, set.length - MAGIC_AT - 1)))
      const { ours, theirs } = await both(answer, at)
      expect(ours).toEqual(theirs)
    },
  )

  test('share the memory of the answer', async () => {
    const record = theirRecord({ key: null, value: Buffer.alloc(20_000, 5), headers: {} })
    const { buffer } = await theirBatch({ records: [record] })
    const { answer, at } = inAnswer(buffer)
    const decoder = new DecoderClass(answer)
    decoder.offset = at
    const [read] = await decode(decoder)
    expect(read.value?.buffer).toBe(answer.buffer)
    expect(read.value).toEqual(new Uint8Array(20_000).fill(5))
  })

  test('have no text of others that look alike', async () => {
    // é has two bytes as text, and is one letter, which as a byte means nothing.
    for (const content of [Buffer.from('é'), Buffer.of(0xe9), Buffer.from('é')]) {
      const headers = { name: content }
      const record = theirRecord({ key: null, value: null, headers })
      const { buffer } = await theirBatch({ records: [record] })
      const { answer, at } = inAnswer(buffer)
      const { ours, theirs } = await both(answer, at)
      expect(ours).toEqual(theirs)
    }
  })

  test('of the old formats are read as well', async () => {
    const entries = [
      { key: Buffer.from('a'), value: Buffer.from('1'), timestamp: 1_234 },
      { key: null, value: null, timestamp: 1_235 },
    ]
    const { answer, at } = inAnswer(MessageSet({ messageVersion: 1, entries }).buffer)
    const decoder = new DecoderClass(answer)
    decoder.offset = at
    expect(await decode(decoder)).toEqual([
      { ...plainRecord(0), timestamp: 1_234, key: Uint8Array.of(97), value: Uint8Array.of(49) },
      { ...plainRecord(1), timestamp: 1_235 },
    ])
  })

  test.each([-1, 0, 1_000])(
    'are none where the answer says %i bytes and has none',
    async (size) => {
      const answer = Buffer.alloc(10)
      answer.writeInt32BE(size)
      const { ours, theirs } = await both(answer, 0)
      expect(ours).toEqual([])
      expect(theirs).toEqual([])
    },
  )
})

function plainRecord(offset: number, isControlRecord = false): FetchedRecord {
  const batchContext = { producerId: '-1', inTransaction: false, isControlBatch: isControlRecord }
  const [key, value] = [null, null]
  return { offset, timestamp: 0, key, value, headers: {}, isControlRecord, batchContext }
}

test.prop([
  fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean()), { maxLength: 12 }),
  fc.nat({ max: 40 }),
  fc.nat({ max: 60 }),
])('a fetched batch begins, ends and lags as that of kafkajs', (steps, asked, highWatermark) => {
  expect(TheirBatch).not.toBe(FetchedBatch)
  let offset = 0
  const messages = steps.map(([step, control]) => plainRecord((offset += step), control))
  const fetched = { partition: 1, highWatermark: String(highWatermark), messages }
  const ours = new FetchedBatch('topic', String(asked), fetched)
  const theirs = new TheirBatch('topic', String(asked), { ...fetched, abortedTransactions: [] })
  const told = (batch: Batch) => ({
    offsets: batch.messages.map((each) => each.offset),
    empty: [batch.isEmpty(), batch.isEmptyDueToFiltering()],
    first: batch.firstOffset()?.toString(),
    last: String(batch.lastOffset()),
    lag: [batch.offsetLag(), batch.offsetLagLow()],
  })
  expect(told(ours)).toEqual(told(theirs))
})
