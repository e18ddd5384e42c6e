// Goal: our way to write and split records gives what that of kafkajs gives, to the byte.
import { fc, test } from '@fast-check/vitest'
import { createRequire } from 'node:module'
import { describe, expect } from 'vitest'
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
