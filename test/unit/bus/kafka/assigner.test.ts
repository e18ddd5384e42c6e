import { test as propertyTest, fc } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'

import { alignedPartitions } from '../../../../src/bus/kafka/assigner.ts'

const owners = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 9,
})
const partitionCounts = fc.integer({ min: 0, max: 40 })

function loads(owned: ReadonlyMap<string, readonly number[]>): readonly number[] {
  return [...owned.values()].map((partitions) => partitions.length)
}

describe('aligned partitions', () => {
  propertyTest.prop([owners, partitionCounts])(
    'give every partition to one owner, and loads that differ by one at most',
    (names, count) => {
      const owned = alignedPartitions(names, count)
      const all = [...owned.values()].flat().sort((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: count }, (_, i) => i))
      expect(Math.max(...loads(owned)) - Math.min(...loads(owned))).toBeLessThanOrEqual(1)
    },
  )

  propertyTest.prop([owners, partitionCounts])(
    'depend on the set of owners alone, so that groups agree',
    (names, count) => {
      expect(alignedPartitions(names.toReversed(), count)).toEqual(alignedPartitions(names, count))
    },
  )

  test('move far less than all when an owner leaves', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const ownerOf = (owned: ReadonlyMap<string, readonly number[]>, partition: number) =>
      [...owned].find(([, partitions]) => partitions.includes(partition))?.[0]
    const before = alignedPartitions(names, 100)
    const after = alignedPartitions(names.slice(1), 100)
    let moved = 0
    for (let p = 0; p < 100; p++) if (ownerOf(before, p) !== ownerOf(after, p)) moved += 1
    expect(moved).toBeGreaterThanOrEqual(20)
    expect(moved).toBeLessThanOrEqual(45)
  })
})
