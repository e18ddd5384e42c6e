import { expect, test } from 'vitest'
import { Ring } from '../../../src/store/ring.ts'

function filled(countMax: number, count: number): Ring<string> {
  const ring = new Ring<string>(countMax)
  for (let i = 0; i < count; i++) ring.push(`item ${i}`)
  return ring
}

const numbers = (items: Iterable<{ sequence: number }>): number[] =>
  [...items].map(({ sequence }) => sequence)

test('an empty ring has nothing before or after', () => {
  const ring = filled(3, 0)
  expect([...ring.before(5), ...ring.after(0)]).toEqual([])
})

test('the oldest items are dropped, and numbers go on', () => {
  const ring = filled(3, 5)
  expect([ring.oldest, ring.next]).toEqual([2, 5])
  expect([...ring.after(0)].map(({ item }) => item)).toEqual(['item 2', 'item 3', 'item 4'])
})

test('before is newest first and leaves out its bound', () => {
  expect(numbers(filled(3, 5).before(4))).toEqual([3, 2])
})

test('after is oldest first and takes in its bound', () => {
  expect(numbers(filled(3, 5).after(3))).toEqual([3, 4])
})
