// Goal: our way to write a request gives what that of kafkajs gives, to the byte.
// Method: random requests both ways, at one time; theirs is loaded without ours.
import { fc, test } from '@fast-check/vitest'
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import { BufferPool } from '../../../../src/bus/kafka/buffer-pool.ts'
import { crc32c } from '../../../../src/bus/kafka/checksum.ts'
import type {
  ProduceInput,
  ProduceMessage,
  RequestDefinitions,
} from '../../../../src/bus/kafka/produce-request.ts'
import { frameRequest, produceDefinitions } from '../../../../src/bus/kafka/produce-request.ts'

const require = createRequire(import.meta.url)
const theirDefinitions = require('kafkajs/src/protocol/requests/produce') as RequestDefinitions
const theirFrame = require('kafkajs/src/protocol/request') as typeof frameRequest

const VERSIONS = [3, 4, 5, 6, 7]
const GZIP = 1
/** Lengths at which a varint, or the length of a record around one, grows by a byte. */
const BORDERS = [0, 1, 47, 48, 49, 62, 63, 64, 65, 127, 128, 8_150, 8_185, 8_191, 8_192]

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_123 })
})
afterAll(() => {
  vi.useRealTimers()
})

const names = fc.string({ unit: 'binary', maxLength: 100 })
const letters = fc.constantFrom('a', 'é', '€', '😀', '\ud800')
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.tuple(fc.constantFrom(...BORDERS), letters).map(([length, letter]) => letter.repeat(length)),
)
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((content) => Buffer.from(content)),
  fc.constantFrom(...BORDERS).map((length) => Buffer.alloc(length, 7)),
)
const messages: fc.Arbitrary<ProduceMessage> = fc.record(
  {
    key: fc.option(fc.oneof(bytes, texts)),
    value: fc.option(fc.oneof(bytes, texts)),
    headers: fc.dictionary(texts, fc.oneof(bytes, texts, fc.array(texts, { maxLength: 3 })), {
      maxKeys: 5,
    }),
  },
  { requiredKeys: [] },
)
const partitions = fc.record(
  {
    partition: fc.nat(),
    firstSequence: fc.nat(),
    messages: fc.array(messages, { minLength: 1, maxLength: 4 }),
  },
  { requiredKeys: ['partition', 'messages'] },
)
const inputs: fc.Arbitrary<ProduceInput> = fc.record(
  {
    acks: fc.constantFrom(-1, 0, 1),
    timeout: fc.nat(),
    compression: fc.constant(0),
    transactionalId: fc.option(names),
    producerId: fc.oneof(
      fc.bigInt({ min: -1n, max: 2n ** 62n }).map(String),
      fc.integer({ min: -1 }),
    ),
    producerEpoch: fc.integer({ min: -1, max: 32_767 }),
    topicData: fc.array(
      fc.record({ topic: names, partitions: fc.array(partitions, { maxLength: 2 }) }),
      { maxLength: 2 },
    ),
  },
  { requiredKeys: ['acks', 'timeout', 'topicData'] },
)

/** Not a byte more than is asked for, so that too small an estimate is seen. */
class ExactPool extends BufferPool {
  override take(bytes: number): Buffer {
    return Buffer.alloc(bytes)
  }
}

const ours = produceDefinitions(theirDefinitions, crc32c, new ExactPool())

interface Options {
  readonly version?: number
  readonly clientId?: string | null
}

async function written(
  definitions: RequestDefinitions,
  frame: typeof frameRequest,
  input: ProduceInput,
  { version = 7, clientId = 'client' }: Options = {},
): Promise<Buffer> {
  const { request } = definitions.protocol({ version })(input)
  return (await frame({ correlationId: 77, clientId, request })).buffer
}

function produce(messages: readonly ProduceMessage[], more: Partial<ProduceInput> = {}) {
  const partitions = [{ partition: 0, messages }]
  return { acks: -1, timeout: 1, topicData: [{ topic: 'topic', partitions }], ...more }
}

describe('a request', () => {
  test('is written by kafkajs and by us in different ways', () => {
    expect(theirFrame).not.toBe(frameRequest)
    expect(ours.protocol({ version: 3 })(produce([])).request.frame).toBeTypeOf('function')
    expect(theirDefinitions.protocol({ version: 3 })(produce([])).request.frame).toBeUndefined()
  })

  test.prop([inputs, fc.constantFrom(...VERSIONS), fc.option(names)], { numRuns: 100 })(
    'is the same bytes',
    async (input, version, clientId) => {
      const options = { version, clientId }
      const theirs = await written(theirDefinitions, theirFrame, input, options)
      expect((await written(ours, frameRequest, input, options)).equals(theirs)).toBe(true)
    },
  )

  test.prop([fc.integer({ min: 8_100, max: 8_200 }), fc.integer({ min: 0, max: 70 })])(
    'is the same bytes where the length of a record is a byte longer than that of the one before',
    async (long, short) => {
      const input = produce([
        { key: 'é'.repeat(short), value: 'v'.repeat(short) },
        { key: null, value: Buffer.alloc(long) },
        { key: 'k', value: 'v'.repeat(short), headers: { name: 'é'.repeat(short) } },
        { key: null, value: null },
      ])
      const theirs = await written(theirDefinitions, theirFrame, input)
      expect((await written(ours, frameRequest, input)).equals(theirs)).toBe(true)
    },
  )

  test.each([1_048_550, 1_048_575, 1_048_576])(
    'is the same bytes with a value of %i',
    async (length) => {
      const input = produce([{ key: 'key', value: Buffer.alloc(length, 1) }, { value: 'next' }])
      const theirs = await written(theirDefinitions, theirFrame, input)
      expect((await written(ours, frameRequest, input)).equals(theirs)).toBe(true)
    },
  )

  test.each<{ readonly message: ProduceMessage; readonly because: string }>([
    { message: { key: null, value: null }, because: 'of nothing' },
    {
      message: { key: '€'.repeat(48), value: '€'.repeat(9_000) },
      because: 'of three bytes a letter',
    },
    { message: { value: null, headers: { '€': ['€', '', '€'] } }, because: 'of headers alone' },
    { message: { key: Buffer.alloc(63), value: Buffer.alloc(8_191) }, because: 'of bytes' },
  ])('has room for many records $because', async ({ message }) => {
    const input = produce(
      Array.from({ length: 10_000 / (message.key?.length ?? 1) }, () => message),
    )
    const theirs = await written(theirDefinitions, theirFrame, input, { clientId: null })
    const our = await written(ours, frameRequest, input, { clientId: null })
    expect(our.equals(theirs)).toBe(true)
  })

  test('of bytes in any array is that of the same bytes in a Buffer', async () => {
    const content = Uint8Array.of(1, 2, 3).subarray(1)
    const plain = produce([{ key: content, value: content }])
    const theirs = produce([{ key: Buffer.from(content), value: Buffer.from(content) }])
    for (const compression of [0, GZIP]) {
      const our = await written(ours, frameRequest, { ...plain, compression })
      const their = await written(theirDefinitions, theirFrame, { ...theirs, compression })
      expect(our.equals(their)).toBe(true)
    }
  })

  test.each([
    { more: { compression: GZIP }, version: 7, because: 'a compressed batch' },
    { more: {}, version: 2, because: 'a message set' },
    { more: {}, version: 3, timestamp: '1699999999999', because: 'a time of its own' },
  ])('that kafkajs writes as before: $because', async ({ more, version, timestamp }) => {
    const message = { key: 'key', value: Buffer.from('value'), ...(timestamp && { timestamp }) }
    const input = produce([message], more)
    expect(ours.protocol({ version })(input).request.frame).toBeUndefined()
    const theirs = await written(theirDefinitions, theirFrame, input, { version })
    expect((await written(ours, frameRequest, input, { version })).equals(theirs)).toBe(true)
  })
})

describe('the buffer of a request', () => {
  const answer = Buffer.from('00000000000000000000000000000000', 'hex')

  test('is used again once the broker has answered, and holds nothing of the last request', async () => {
    const pool = new BufferPool()
    const pooled = produceDefinitions(theirDefinitions, crc32c, pool)
    const long = pooled.protocol({ version: 7 })(produce([{ value: 'x'.repeat(9_000) }]))
    const first = (await frameRequest({ correlationId: 1, clientId: null, ...long })).buffer
    await long.response.decode(answer)
    expect(pool.idleBytes).toBe(first.buffer.byteLength)
    await long.response.decode(answer)
    expect(pool.idleBytes).toBe(first.buffer.byteLength)
    const input = produce([{ value: 'short' }])
    const second = await written(pooled, frameRequest, input)
    expect(second.buffer).toBe(first.buffer)
    expect(second.equals(await written(theirDefinitions, theirFrame, input))).toBe(true)
  })

  test('is not used again while the broker has not answered', async () => {
    const pooled = produceDefinitions(theirDefinitions, crc32c)
    const first = await written(pooled, frameRequest, produce([{ value: 'a' }]))
    const kept = Buffer.from(first)
    const second = await written(pooled, frameRequest, produce([{ value: 'b' }]))
    expect(second.buffer).not.toBe(first.buffer)
    expect(first.equals(kept)).toBe(true)
  })
})
