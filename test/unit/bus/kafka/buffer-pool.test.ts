import { describe, expect, test } from 'vitest'
import { BufferPool } from '../../../../src/bus/kafka/buffer-pool.ts'

const MIB = 1024 * 1024

describe('a buffer', () => {
  test.each([0, 1, 16_384, 16_385, 140_000, MIB, MIB + 1])(
    'is long enough for %i bytes',
    (bytes) => {
      expect(new BufferPool().take(bytes).length).toBeGreaterThanOrEqual(bytes)
    },
  )

  test('is lent to one at a time, and again once it was given back', () => {
    const pool = new BufferPool()
    const [a, b] = [pool.take(100_000), pool.take(100_000)]
    expect(a).not.toBe(b)
    pool.give(a)
    expect(pool.take(70_000)).toBe(a)
    pool.give(b)
    expect(pool.take(1_000)).not.toBe(b)
  })

  test('is left to the collector where enough lies idle', () => {
    const pool = new BufferPool()
    const lent = Array.from({ length: 5 }, () => pool.take(8 * MIB))
    for (const each of lent) pool.give(each)
    expect(pool.idleBytes).toBe(32 * MIB)
    const again = lent.map(() => pool.take(8 * MIB))
    expect(again.includes(lent[4])).toBe(false)
    expect(again.includes(lent[3])).toBe(true)
  })
})
