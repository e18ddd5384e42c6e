// Goal: the checksum's kernel, its readable twin and that of kafkajs agree, and the kernel is there.
// Method: random bytes at random offsets, of lengths around each border: of a step of eight, of a vector,
// of what is struck out at all, of the kernel's memory.
import { fc, test } from '@fast-check/vitest'
import { createRequire } from 'node:module'
import { describe, expect } from 'vitest'
import { checksumOf } from '../../src/bus/kafka/checksum-kernel.ts'
import { crc32c } from '../../src/bus/kafka/checksum.ts'

const require = createRequire(import.meta.url)
const theirs = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number
const kernel = checksumOf()

const STRUCK_OUT_FROM = 2 * 209 * 16
const INPUT_BYTES = 131_072
const lengths = fc.oneof(
  fc.nat({ max: 200 }),
  fc.integer({ min: STRUCK_OUT_FROM - 40, max: STRUCK_OUT_FROM + 40 }),
  fc.nat({ max: 40_000 }),
  fc.integer({ min: INPUT_BYTES - 20, max: INPUT_BYTES + 20 }),
  fc.nat({ max: 3 * INPUT_BYTES }),
)
/** Noise that is the same for the same seed (xorshift). */
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed | 1
  for (let i = 0; i < length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
  return bytes
}

describe('the checksum', () => {
  test('of the digits 1 to 9 is the one that the algorithm is known by', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283)
  })

  test('comes from the kernel, which was built', () => {
    expect(kernel).not.toBe(crc32c)
  })

  test.prop([lengths, fc.nat({ max: 20 }), fc.integer()], { numRuns: 400 })(
    'is the same from kernel and reference',
    (length, offset, seed) => {
      const bytes = noise(offset + length, seed).subarray(offset)
      expect(kernel(bytes)).toBe(crc32c(bytes))
    },
  )

  test.prop([fc.uint8Array({ maxLength: 300 })])('is that of kafkajs', (content) => {
    expect(crc32c(content)).toBe(theirs(Buffer.from(content)))
  })

  test('changes with each bit of its input', () => {
    const bytes = noise(STRUCK_OUT_FROM + 100, 5)
    const before = kernel(bytes)
    for (let at = 0; at < bytes.length; at += 61) {
      bytes[at] ^= 1 << (at & 7)
      expect(kernel(bytes)).not.toBe(before)
      bytes[at] ^= 1 << (at & 7)
    }
    expect(kernel(bytes)).toBe(before)
  })
})
