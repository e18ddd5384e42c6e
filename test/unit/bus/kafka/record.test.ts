import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { RECORD_BYTES_MAX, byTopic, requestEnd, sizesOf } from '../../../../src/bus/kafka/record.ts'
import type { Output } from '../../../../src/core/bus.ts'

const FRAME = 64
const KIB = 1024

const output = (more: Partial<Output> = {}): Output => ({
  topic: 'topic',
  partition: 0,
  key: null,
  value: null,
  ...more,
})
const bytesLong = (length: number, more: Partial<Output> = {}): Output =>
  output({ value: new Uint8Array(length - FRAME), ...more })

describe('the size of a record', () => {
  test.prop([fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.uint8Array()])(
    'is that of its content in UTF-8 and a frame',
    (key, name, value) => {
      const content = Buffer.byteLength(key) + value.length
      const headers = { [`${name}!`]: key }
      const header = Buffer.byteLength(`${name}!`) + Buffer.byteLength(key)
      expect(sizesOf([output({ key, value }), output({ key, value, headers })])).toEqual([
        FRAME + content,
        FRAME + content + header,
      ])
    },
  )

  test('has a limit, over which none of them is sent', () => {
    const largest = bytesLong(RECORD_BYTES_MAX)
    expect(sizesOf([largest])).toEqual([RECORD_BYTES_MAX])
    const larger = bytesLong(RECORD_BYTES_MAX + 1, { partition: 3 })
    expect(() => sizesOf([largest, larger])).toThrow(/topic\[3\] exceeds .*split it/)
  })
})

describe('a request', () => {
  test.each([
    { outputs: [bytesLong(RECORD_BYTES_MAX)], ends: [1], because: 'one always fits' },
    {
      outputs: [bytesLong(500 * KIB), bytesLong(400 * KIB), bytesLong(FRAME)],
      ends: [2, 3],
      because: 'of one partition there are 900 KiB at most',
    },
    {
      outputs: [0, 1, 2].map((partition) => bytesLong(900 * KIB, { partition })),
      ends: [3],
      because: 'others have room of their own',
    },
    {
      outputs: ['a', 'b', 'c'].map((topic) => bytesLong(900 * KIB, { topic })),
      ends: [3],
      because: 'and so have those of other topics',
    },
    {
      outputs: Array.from({ length: 10 }, (_, partition) => bytesLong(900 * KIB, { partition })),
      ends: [9, 10],
      because: 'together there are 8 MiB at most',
    },
    {
      outputs: Array.from({ length: 10_001 }, (_, i) => output({ partition: i % 16 })),
      ends: [10_000, 10_001],
      because: 'and ten thousand records',
    },
    { outputs: [], ends: [], because: 'nothing is no request' },
  ])('ends after $ends: $because', ({ outputs, ends }) => {
    const sizes = sizesOf(outputs)
    const found: number[] = []
    while ((found.at(-1) ?? 0) < outputs.length) {
      found.push(requestEnd(outputs, sizes, found.at(-1) ?? 0))
    }
    expect(found).toEqual(ends)
  })

  test('has the records of a topic together, in their order, as they are', () => {
    const [a, b, c] = [output(), output({ topic: 'other' }), output({ partition: 1 })]
    expect(byTopic([a, b, c])).toEqual([
      { topic: 'topic', messages: [a, c] },
      { topic: 'other', messages: [b] },
    ])
    expect(byTopic([a])[0].messages[0]).toBe(a)
  })
})
