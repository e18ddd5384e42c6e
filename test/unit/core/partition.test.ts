import { describe, expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { murmur2, partitionOf } from '../../../src/core/partition.ts'

describe('murmur2 equals the hash of Kafka’s Java client', () => {
  test.each([
    { key: '21', hash: -973932308 },
    { key: 'foobar', hash: -790332482 },
    { key: 'a-little-bit-long-string', hash: -985981536 },
    { key: 'a-little-bit-longer-string', hash: -1486304829 },
    { key: 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', hash: -58897971 },
    { key: 'abc', hash: 479470107 },
  ])('$key', ({ key, hash }) => {
    expect(murmur2(toBytes(key))).toBe(hash)
  })

  test('a partition is never negative, for hashes of either sign', () => {
    for (const key of ['21', 'abc', '', 'ключ', '節點']) {
      expect(partitionOf(key, 8)).toBe((murmur2(toBytes(key)) & 0x7fffffff) % 8)
      expect(partitionOf(key, 8)).toBeGreaterThanOrEqual(0)
    }
  })
})
