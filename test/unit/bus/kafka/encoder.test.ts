// Goal: what kafkajs encodes on pooled memory is byte for byte what it encodes on its own.
import { fc, test } from '@fast-check/vitest'
import { createRequire } from 'node:module'
import { expect } from 'vitest'
import { type EncoderClass, pooledEncoder } from '../../../../src/bus/kafka/encoder.ts'

interface Encoder {
  writeInt8(value: number): this
  writeInt32(value: number): this
  writeInt64(value: number): this
  writeString(value: string | null): this
  writeBytes(value: Buffer | null): this
  writeArray(value: readonly Encoder[]): this
  writeEncoder(value: Encoder): this
  readonly buffer: Buffer
}
type Make = new () => Encoder

const FILE = 'kafkajs/src/protocol/encoder'
/** A class of its own each time: pooling changes it. */
function freshClass(): unknown {
  const require = createRequire(import.meta.url)
  const file = require.resolve(FILE)
  const before = require.cache[file]
  delete require.cache[file]
  const fresh: unknown = require(FILE)
  require.cache[file] = before
  return fresh
}
const Theirs = freshClass() as Make
const Ours = pooledEncoder(freshClass() as EncoderClass) as unknown as Make

const partition = fc.record({ number: fc.nat(), offset: fc.maxSafeNat() })
const topic = fc.record({
  name: fc.option(fc.string({ maxLength: 300 })),
  bytes: fc.option(fc.uint8Array({ maxLength: 2_000 })),
  partitions: fc.array(partition, { maxLength: 40 }),
})

function encode(
  Class: Make,
  topics: readonly (typeof topic extends fc.Arbitrary<infer T> ? T : never)[],
): Buffer {
  const encoded = topics.map(({ name, bytes, partitions }) =>
    new Class()
      .writeString(name)
      .writeBytes(bytes && Buffer.from(bytes))
      .writeArray(
        partitions.map((each) => new Class().writeInt32(each.number).writeInt64(each.offset)),
      ),
  )
  return new Class().writeInt8(7).writeEncoder(new Class().writeArray(encoded)).buffer
}

test.prop([fc.array(topic, { maxLength: 10 })])('requests are the same bytes', (topics) => {
  expect(encode(Ours, topics).equals(encode(Theirs, topics))).toBe(true)
})

test('encoders beside each other do not share memory', () => {
  const encoders = Array.from({ length: 300 }, (_, i) => new Ours().writeInt32(i))
  for (const each of encoders) each.writeString('x'.repeat(200))
  expect(encoders.map(({ buffer }) => buffer.readInt32BE())).toEqual(encoders.map((_, i) => i))
})

test('one of ours is one of theirs', () => {
  expect(new Ours()).toBeInstanceOf(Ours)
})
