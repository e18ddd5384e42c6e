// Goal: memory for copies is used again once it is given back, by nobody else before, and never without end.
import { expect, test } from 'vitest'
import { SpareBuffers } from '../../../src/pipeline/spare-buffers.ts'

const bytes = (length: number, fill: number) => new Uint8Array(length).fill(fill)

test('a copy has its own memory until that is given back', () => {
  const spares = new SpareBuffers()
  const source = bytes(10_000, 1)
  const first = spares.copyOf(source)
  source.fill(9)
  const second = spares.copyOf(bytes(9_000, 2))
  expect([first.length, first[0], first.at(-1)]).toEqual([10_000, 1, 1])
  expect(second.buffer).not.toBe(first.buffer)
  spares.give(first.buffer)
  const third = spares.copyOf(bytes(12_000, 3))
  expect(third.buffer).toBe(first.buffer)
  expect([third.length, third[0], third.at(-1)]).toEqual([12_000, 3, 3])
  expect(spares.idleBytes).toBe(0)
})

test('what is small, or of an odd size, is not kept', () => {
  const spares = new SpareBuffers()
  spares.give(spares.copyOf(bytes(100, 1)).buffer)
  spares.give(new ArrayBuffer(5_000))
  expect(spares.idleBytes).toBe(0)
})

test('what lies unused has a limit', () => {
  const spares = new SpareBuffers()
  for (let i = 0; i < 40; i++) spares.give(new ArrayBuffer(1_048_576))
  expect(spares.idleBytes).toBe(16 * 1_048_576)
})
