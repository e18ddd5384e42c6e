import { expect, test } from 'vitest'
import { rowHash } from '../../../src/state/row-hash.ts'

const bits = (values: readonly number[]) => new Uint32Array(Float32Array.from(values).buffer)

test('equal bits have equal hashes, wherever the row lies', () => {
  expect(rowHash(bits([9, 1, 2, 3]), 1, 3)).toBe(rowHash(bits([1, 2, 3, 7]), 0, 3))
  expect(rowHash(bits([1, 2, 3]), 0, 3)).toMatch(/^[0-9a-f]{16}$/)
})

test.each([
  { row: [1, 2, 4], because: 'a value differs' },
  { row: [2, 1, 3], because: 'the order differs' },
  { row: [1, 2, Math.fround(3) + 2.5e-7], because: 'the last bit differs' },
  { row: [1, 2, 3, 0], because: 'the width differs' },
  { row: [-1, 2, 3], because: 'a sign differs' },
])('the hash differs when $because', ({ row }) => {
  expect(rowHash(bits(row), 0, row.length)).not.toBe(rowHash(bits([1, 2, 3]), 0, 3))
})

test('no two of 100,000 neighbouring rows collide', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 100_000; i++) seen.add(rowHash(bits([i, i * 0.5, -i]), 0, 3))
  expect(seen.size).toBe(100_000)
})
