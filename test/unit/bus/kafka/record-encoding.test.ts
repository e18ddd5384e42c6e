// Goal: our way to write and split records gives what that of kafkajs gives, to the byte.
import { fc, test } from '@fast-check/vitest'
import { createRequire } from 'node:module'
import { describe, expect } from 'vitest'
import { crc32c } from '../../../../src/bus/kafka/checksum.ts'
import {
  type EncodedRecord,
  encodeRecord,
  groupByPartition,
  type RecordInput,
} from '../../../../src/bus/kafka/record-encoding.ts'

const require = createRequire(import.meta.url)
const theirRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (
  input: RecordInput,
) => EncodedRecord
const theirGroups = require('kafkajs/src/producer/groupMessagesPerPartition') as (
  input: object,
) => Record<string, unknown[]>

const bytes = fc.uint8Array({ maxLength: 300 }).map((content) => Buffer.from(content))
const texts = fc.string({ unit: 'binary', maxLength: 200 })
const records: fc.Arbitrary<RecordInput> = fc.record(
  {
    offsetDelta: fc.integer({ min: 0, max: 2 ** 30 - 1 }),
    timestampDelta: fc.integer({ min: -(2 ** 30), max: 2 ** 30 - 1 }),
    key: fc.option(fc.oneof(bytes, texts)),
    value: fc.option(fc.oneof(bytes, texts)),
    headers: fc.dictionary(texts, fc.oneof(bytes, texts, fc.array(texts, { maxLength: 3 }))),
  },
  { requiredKeys: [] },
)

const theirChecksum = require('kafkajs/src/protocol/recordBatch/crc32C') as (
  bytes: Buffer,
) => number

test('the checksum of the digits 1 to 9 is the one that the algorithm is known by', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283)
})

test.prop([bytes])('checksums are equal', (content) => {
  expect(theirChecksum).not.toBe(crc32c)
  expect(crc32c(content)).toBe(theirChecksum(content))
})

describe('records', () => {
  test('theirs is not ours', () => {
    expect(theirRecord).not.toBe(encodeRecord)
    expect(theirGroups).not.toBe(groupByPartition)
  })

  test.prop([records])('are the same bytes', (record) => {
    const ours = encodeRecord(record)
    expect(ours.buffer.equals(theirRecord(record).buffer)).toBe(true)
    expect(Buffer.isBuffer(ours.buf)).toBe(true)
  })

  test.prop([fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 50 })])(
    'are split alike, each partition in order',
    (partitions) => {
      const messages = partitions.map((partition, number) => ({ partition, number }))
      const partitioner = ({ message }: { message: { partition: number } }) => message.partition
      const theirs = theirGroups({ partitionMetadata: [{}], messages, partitioner })
      expect(groupByPartition({ messages })).toEqual(theirs)
    },
  )
})
