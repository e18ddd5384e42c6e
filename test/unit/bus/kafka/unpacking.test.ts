import { compress, init } from '@bokuweb/zstd-wasm'
import { beforeAll, describe, expect, test } from 'vitest'

import { unpackLz4 } from '../../../../src/bus/kafka/lz4.ts'
import { zstdBytesMax } from '../../../../src/bus/kafka/zstd.ts'

/** Frame header without options, with a header checksum that nobody reads. */
const LZ4_HEADER = [0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0x00]
const LZ4_END = [0, 0, 0, 0]

function lz4(...block: readonly number[]): Uint8Array {
  return new Uint8Array([...LZ4_HEADER, block.length, 0, 0, 0, ...block, ...LZ4_END])
}

describe('LZ4', () => {
  test('literals, then a match that overlaps what it writes', () => {
    // Token: 2 literals, match of 4 + 2; distance 2. Then a last sequence of one literal.
    const packed = lz4(0x22, 0x61, 0x62, 2, 0, 0x10, 0x21)
    expect(new TextDecoder().decode(unpackLz4(packed, 100))).toBe('abababab!')
  })

  test('lengths of 15 and more go on in the next bytes', () => {
    const packed = lz4(0x1f, 0x61, 1, 0, 255, 10, 0x00)
    expect(new TextDecoder().decode(unpackLz4(packed, 1_000))).toBe('a'.repeat(1 + 15 + 265 + 4))
  })

  test('a stored block is copied', () => {
    const stored = new Uint8Array([...LZ4_HEADER, 3, 0, 0, 0x80, 1, 2, 3, ...LZ4_END])
    expect([...unpackLz4(stored, 100)]).toEqual([1, 2, 3])
  })

  test.each([
    { packed: lz4(0x1f, 0x61, 1, 0, 255, 10, 0), max: 100, because: 'it unpacks to too much' },
    { packed: lz4(0x11, 0x61, 9, 0), max: 100, because: 'a match begins before the start' },
    { packed: lz4(0x11, 0x61, 0, 0), max: 100, because: 'a match has no distance' },
    { packed: lz4(0xf0, 255), max: 100, because: 'a length is cut off' },
    { packed: lz4(0x50, 0x61), max: 100, because: 'literals are cut off' },
    { packed: lz4(0x11, 0x61, 1, 0).subarray(0, 12), max: 100, because: 'a block is cut off' },
    { packed: new Uint8Array(16), max: 100, because: 'it is not a frame' },
  ])('is refused when $because', ({ packed, max }) => {
    expect(() => unpackLz4(packed, max)).toThrow(RangeError)
  })
})

describe('the bound on a zstd frame', () => {
  beforeAll(init)

  test.each([0, 1, 1_000, 200_000, 1_000_000])('holds for %i bytes', (size) => {
    const varied = Uint8Array.from({ length: size }, (_, i) => (i * i) >> 3)
    for (const bytes of [varied, new Uint8Array(size)]) {
      const bound = zstdBytesMax(compress(bytes, 3), 64 * 1024 * 1024)
      expect(bound).toBeGreaterThanOrEqual(size)
      expect(bound).toBeLessThanOrEqual(size + 128 * 1024)
    }
  })

  test('is refused over the limit, and for what is no frame', () => {
    expect(() => zstdBytesMax(compress(new Uint8Array(1_000_000), 3), 500_000)).toThrow(RangeError)
    expect(() => zstdBytesMax(new Uint8Array(20).fill(1), 100)).toThrow(RangeError)
  })
})
