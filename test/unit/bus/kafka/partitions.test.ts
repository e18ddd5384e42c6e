// Goal: our way to split records over partitions gives the split of kafkajs.
import { fc, test } from '@fast-check/vitest'
import { createRequire } from 'node:module'
import { expect } from 'vitest'
import { groupByPartition } from '../../../../src/bus/kafka/partitions.ts'

const require = createRequire(import.meta.url)
const theirGroups = require('kafkajs/src/producer/groupMessagesPerPartition') as (
  input: object,
) => Record<string, unknown[]>

test('theirs is not ours', () => {
  expect(theirGroups).not.toBe(groupByPartition)
})

test.prop([fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 50 })])(
  'records are split alike, each partition in order',
  (partitions) => {
    const messages = partitions.map((partition, number) => ({ partition, number }))
    const partitioner = ({ message }: { message: { partition: number } }) => message.partition
    const theirs = theirGroups({ partitionMetadata: [{}], messages, partitioner })
    expect(groupByPartition({ messages })).toEqual(theirs)
  },
)
