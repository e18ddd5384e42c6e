/** Bad input and broken promises of the surroundings, on a real broker: each has a clear error. */
import kafkajs from 'kafkajs'
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { RECORD_BYTES_MAX } from '../../../src/bus/kafka/record.ts'
import type { Bus, Lease, LogRecord } from '../../../src/core/bus.ts'
import { kafkaBrokers, kcat, uniquePrefix } from '../../support/kafka.ts'

const brokers = await kafkaBrokers()
const foreignClient = kcat()
const prefix = uniquePrefix('limits')
const buses: Bus[] = []

afterAll(async () => {
  for (const bus of buses) await bus.close()
})

async function open(): Promise<Bus> {
  const bus = await openKafkaBus({ brokers: brokers ?? [], clientId: 'limits', prefix })
  buses.push(bus)
  return bus
}

async function topicOf(bus: Bus, name: string, partitions = 1): Promise<string> {
  await bus.create([{ name: prefix + name, partitions, cleanup: 'delete' }])
  return prefix + name
}

async function gainedLease(bus: Bus, topic: string): Promise<Lease> {
  return await new Promise<Lease>((resolve, reject) => {
    const names = { group: `${topic}-group`, role: `${topic}-role` }
    bus.join({ ...names, topics: [topic], claimTopic: null, onGained: resolve }).catch(reject)
  })
}

async function takeSome(
  source: { take(waitMs: number): Promise<readonly LogRecord[]> },
  count: number,
): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  const deadlineMs = performance.now() + 30_000
  while (records.length < count && performance.now() < deadlineMs) {
    records.push(...(await source.take(200)))
  }
  return records
}

test('an unreachable broker is named, with the mend', async () => {
  const opening = openKafkaBus({
    brokers: ['127.0.0.1:9'],
    clientId: 'limits',
    prefix,
    connectAttemptsMax: 1,
  })
  await expect(opening).rejects.toMatchObject({
    code: 'BUS_UNREACHABLE',
    message: expect.stringMatching(/127\.0\.0\.1:9 .*kafka:up/),
  })
})

describe.skipIf(brokers === null)('on a real broker', () => {
  test('a record of 8 MiB passes whole, and a larger one is refused by topic and size', async () => {
    const bus = await open()
    const topic = await topicOf(bus, 'large')
    const value = randomBytes(RECORD_BYTES_MAX - 1_000)
    await bus.produce([{ topic, partition: 0, key: 'k', value }])
    const reader = await bus.read({ topic, from: 'start' })
    const [record] = await takeSome(reader, 1)
    expect(sha256(record.value!)).toBe(sha256(value))

    const tooLarge = { topic, partition: 0, key: null, value: new Uint8Array(10_000_000) }
    const refused = { code: 'RECORD_TOO_LARGE', message: expect.stringContaining(topic) }
    await expect(bus.produce([tooLarge])).rejects.toMatchObject(refused)
    const lease = await gainedLease(bus, topic)
    expect(await lease.commit([tooLarge], { [topic]: 1 })).toBe('aborted')
    expect(lease.lost).toBe(false)
    expect(await lease.commit([], { [topic]: 1 })).toBe('committed')
  })

  test('a commit of many megabytes is one transaction', async () => {
    const bus = await open()
    const topic = await topicOf(bus, 'many', 2)
    const lease = await gainedLease(bus, topic)
    const outputs = Array.from({ length: 60 }, (_, i) => ({
      topic,
      partition: i % 2,
      key: String(i),
      value: randomBytes(300_000),
    }))
    expect(await lease.commit(outputs, { [topic]: 0 })).toBe('committed')
    const records = await takeSome(await bus.read({ topic, from: 'start' }), 60)
    for (const partition of [0, 1]) {
      const own = records.filter((record) => record.partition === partition)
      const sent = outputs.filter((output) => output.partition === partition)
      expect(own.map(({ value }) => sha256(value!))).toEqual(sent.map((o) => sha256(o.value)))
    }
  })

  test('what the log no longer holds is raised and never jumped over', async () => {
    const bus = await open()
    const topic = await topicOf(bus, 'expired')
    await bus.produce([0, 1, 2, 3].map((i) => ({ topic, partition: 0, key: null, value: `${i}` })))
    await expire(topic, 2)
    const lease = await gainedLease(bus, topic)
    lease.start({ [topic]: 0 })
    await expect(lease.take(30_000)).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      message: expect.stringContaining(`${topic}[0]@0`),
    })
    expect(bus.health().lastError).toContain('offset out of range')
    expect(await bus.committed(`${topic}-group`, topic)).toEqual([0])
    await expect(bus.read({ topic, from: { offsets: [1] } })).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
    })
  })

  test('topics of one membership must have as many partitions as each other', async () => {
    const bus = await open()
    const topics = [await topicOf(bus, 'one', 1), await topicOf(bus, 'two', 2)]
    const options = { group: prefix, role: 'r', claimTopic: null, onGained: () => undefined }
    await expect(bus.join({ ...options, topics })).rejects.toMatchObject({ code: 'TOPIC_MISMATCH' })
    const missing = { ...options, topics: [`${prefix}nowhere`] }
    await expect(bus.join(missing)).rejects.toMatchObject({ code: 'TOPIC_MISSING' })
  })

  test.skipIf(foreignClient === null).each(['gzip', 'snappy', 'lz4', 'zstd'])(
    'a large batch that a foreign client packed with %s comes back whole',
    async (codec) => {
      const bus = await open()
      const topic = await topicOf(bus, `packed-${codec}`)
      const lines = Array.from({ length: 5_000 }, (_, i) => `${i}:${sha256(`${i}`).repeat(4)}`)
      const words = ['-P', '-b', brokers!.join(), '-t', topic, '-p', '0', '-z', codec]
      const sent = spawnSync(foreignClient!, words, { input: lines.join('\n'), encoding: 'utf8' })
      expect(sent.stderr).toBe('')
      const records = await takeSome(await bus.read({ topic, from: 'start' }), lines.length)
      expect(records.map(({ value }) => Buffer.from(value!).toString())).toEqual(lines)
    },
  )
})

async function expire(topic: string, offset: number): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: brokers ?? [], logLevel: kafkajs.logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: `${offset}` }] })
  await admin.disconnect()
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
