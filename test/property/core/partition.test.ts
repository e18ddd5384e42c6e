// Goal: producers that leave the partition to their client agree with us about every key.
// Method: the partitioner of kafkajs, which does as Kafka's Java client does, for keys of any bytes.
import { fc, test } from '@fast-check/vitest'
import { Partitioners } from 'kafkajs'
import type { PartitionMetadata } from 'kafkajs'
import { expect } from 'vitest'
import { partitionOf } from '../../../src/core/partition.ts'

const partitioner = Partitioners.DefaultPartitioner()

function theirs(key: Buffer | string, partitionCount: number): number {
  const partitionMetadata = Array.from({ length: partitionCount }, (_, partitionId) => {
    const metadata: PartitionMetadata = {
      partitionId,
      partitionErrorCode: 0,
      leader: 0,
      replicas: [],
      isr: [],
    }
    return metadata
  })
  return partitioner({ topic: 't', partitionMetadata, message: { key, value: null } })
}

const counts = fc.integer({ min: 1, max: 64 })

test.prop([fc.uint8Array({ maxLength: 80 }), counts], { numRuns: 2_000 })(
  'the partition of any bytes is that of kafkajs',
  (bytes, count) => {
    expect(partitionOf(bytes, count)).toBe(theirs(Buffer.from(bytes), count))
  },
)

test.prop([fc.string({ unit: 'grapheme', maxLength: 40 }), counts], { numRuns: 500 })(
  'the partition of any text is that of kafkajs, and of its bytes',
  (text, count) => {
    expect(partitionOf(text, count)).toBe(theirs(text, count))
    expect(partitionOf(Buffer.from(text), count)).toBe(partitionOf(text, count))
  },
)

test.prop([fc.nat({ max: 3 }), fc.uint8Array({ minLength: 1, maxLength: 16 })], { numRuns: 4 })(
  'so is that of a key of 64 KB, of whatever length beyond whole words',
  (rest, pattern) => {
    const bytes = Buffer.alloc(65_536 + rest, pattern)
    expect(partitionOf(bytes, 12)).toBe(theirs(bytes, 12))
  },
)
