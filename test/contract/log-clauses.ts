/** What a bus promises about its logs: order, content, replay, time, compaction, retention. */
import { assert, expect } from 'vitest'

import type { LogRecord } from '../../src/core/bus.ts'
import { isServiceError } from '../../src/core/errors.ts'
import type { BusHarness } from './harness.ts'
import { createTopic, numbered, output, readAll, takeCount, takeUntil, text } from './reading.ts'

export type Clause = (harness: BusHarness) => Promise<void>

export const topicsAreExplicit: Clause = async (harness) => {
  const bus = await harness.open()
  const name = await createTopic(bus, `${harness.prefix}topics`, 3)
  await createTopic(bus, name, 3)
  const described = await bus.describe([name, `${harness.prefix}missing`])
  expect([...described.keys()]).toEqual([name])
  expect(described.get(name)).toEqual({
    name,
    partitions: 3,
    cleanup: 'delete',
    logAppendTime: true,
  })
  await expectCode(createTopic(bus, name, 4), 'TOPIC_MISMATCH')
  await expectCode(bus.produce([output(`${harness.prefix}missing`, 0, 'lost')]), 'TOPIC_MISSING')
  expect(await bus.starts(name)).toEqual([0, 0, 0])
  expect(await bus.ends(name)).toEqual([0, 0, 0])
}

export const partitionsKeepOrder: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}order`, 3)
  const expected: string[][] = [[], [], []]
  for (let round = 0; round < 10; round++) {
    const outputs = [0, 1, 2].flatMap((partition) => numbered(topic, partition, 7, round * 7))
    const positions = await bus.produce(outputs)
    expect(positions.map((at) => at.partition)).toEqual(outputs.map((out) => out.partition))
    for (const out of outputs) expected[out.partition].push(String(out.value))
  }
  const records = await readAll(harness, bus, topic, 3)
  for (const partition of [0, 1, 2]) {
    const own = records.filter((record) => record.partition === partition)
    expect(own.map(text)).toEqual(expected[partition])
    for (let i = 1; i < own.length; i++) expect(own[i].offset).toBeGreaterThan(own[i - 1].offset)
  }
}

export const partitionsAreExplicit: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}explicit`, 4)
  const sent = [3, 0, 2, 1, 3].map((p, i) => output(topic, p, `${p}-${i}`, 'one key for all'))
  const positions = await bus.produce(sent)
  expect(positions.map(({ topic: name, partition }) => [name, partition])).toEqual(
    sent.map((out) => [topic, out.partition]),
  )
  const records = await readAll(harness, bus, topic, 4)
  expect(records).toHaveLength(sent.length)
  for (const record of records) expect(text(record)).toMatch(new RegExp(`^${record.partition}-`))
  for (const [i, position] of positions.entries()) {
    const record = records.find((each) => text(each) === text0(sent[i].value))
    expect(record?.offset).toBe(position.offset)
  }
}

export const contentIsKept: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}content`, 1)
  const bytes = new Uint8Array([0, 255, 128, 10, 0])
  await bus.produce([
    { topic, partition: 0, key: bytes, value: bytes, headers: { kind: 'tick', ä: 'ö€' } },
    { topic, partition: 0, key: null, value: null },
    { topic, partition: 0, key: '', value: '', headers: { empty: '' } },
    { topic, partition: 0, key: 'ключ', value: new Uint8Array(100_000).fill(7) },
  ])
  const [binary, none, empty, large] = await readAll(harness, bus, topic, 1)
  expect([...(binary.key ?? [])]).toEqual([...bytes])
  expect([...(binary.value ?? [])]).toEqual([...bytes])
  expect(binary.headers).toEqual({ kind: 'tick', ä: 'ö€' })
  expect([none.key, none.value, none.headers]).toEqual([null, null, {}])
  expect([empty.key?.length, empty.value?.length]).toEqual([0, 0])
  expect(empty.headers).toEqual({ empty: '' })
  expect(new TextDecoder().decode(large.key ?? undefined)).toBe('ключ')
  expect(large.value?.length).toBe(100_000)
  expect(large.value?.every((byte) => byte === 7)).toBe(true)
}

export const replayFromAnywhere: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}replay`, 2)
  const positions = await bus.produce([...numbered(topic, 0, 10), ...numbered(topic, 1, 10)])
  await harness.pause(20)
  const [middle] = await bus.produce(numbered(topic, 0, 5, 10))

  const whole = await readAll(harness, bus, topic, 2)
  expect(whole.filter((record) => record.partition === 0).map(text)).toEqual(
    numbered(topic, 0, 15).map((out) => out.value),
  )
  const fromOffsets = await bus.read({
    topic,
    from: { offsets: [positions[4].offset, positions[17].offset] },
  })
  const later = (await takeUntil(harness, bus, fromOffsets, (records) => sawMark(records, 1, '9')))
    .filter((record) => record.partition === 1)
    .map(text)
  expect(later.slice(0, 3)).toEqual(['7', '8', '9'])

  const at = whole.find((record) => record.offset === middle.offset && record.partition === 0)!
  const fromTime = await bus.read({ topic, partitions: [0], from: { timeMs: at.appendedAtMs } })
  const first = await takeCount(harness, bus, fromTime, 5)
  expect(first.slice(0, 5).map(text)).toEqual(['10', '11', '12', '13', '14'])

  const fromEnd = await bus.read({ topic, partitions: [1], from: 'end' })
  await bus.produce([output(topic, 1, 'after')])
  expect((await takeCount(harness, bus, fromEnd, 1)).map(text)).toEqual(['after'])
  for (const reader of [fromOffsets, fromTime, fromEnd]) await reader.close()
  expect(await fromEnd.take(1_000)).toEqual([])
}

export const leaseReplaysFromOffset: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}lease-replay`, 1)
  const positions = await bus.produce(numbered(topic, 0, 10))
  let taken: readonly LogRecord[] = []
  const membership = await bus.join({
    group: `${harness.prefix}replayers`,
    role: `${harness.prefix}replayer`,
    topics: [topic],
    claimTopic: null,
    onGained: (lease) => {
      lease.start({ [topic]: positions[6].offset })
      void takeCount(harness, bus, lease, 4).then((records) => (taken = records))
    },
  })
  const deadlineMs = bus.nowMs() + harness.patienceMs
  while (taken.length === 0 && bus.nowMs() < deadlineMs) await harness.pause(10)
  expect(taken.map(text)).toEqual(['6', '7', '8', '9'])
  await membership.leave()
}

export const logTimeNeverGoesBack: Clause = async (harness) => {
  const [first, second] = [await harness.open(), await harness.open()]
  const topic = await createTopic(first, `${harness.prefix}time`, 2)
  for (let round = 0; round < 6; round++) {
    await (round % 2 === 0 ? first : second).produce([0, 1].flatMap((p) => numbered(topic, p, 3)))
    await harness.pause(3)
    if (round === 3) harness.stepClockBack?.(60_000)
  }
  const records = await readAll(harness, first, topic, 2)
  expect(records).toHaveLength(36)
  for (const partition of [0, 1]) {
    const times = records.filter((r) => r.partition === partition).map((r) => r.appendedAtMs)
    expect(times[0]).toBeGreaterThan(0)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  }
}

export const compactionKeepsTheLast: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}compact`, 1, { cleanup: 'compact' })
  expect((await bus.describe([topic])).get(topic)?.cleanup).toBe('compact')
  const positions = await bus.produce([
    { topic, partition: 0, key: 'a', value: '1' },
    { topic, partition: 0, key: 'b', value: '1' },
    { topic, partition: 0, key: 'a', value: '2' },
    { topic, partition: 0, key: 'b', value: null },
    { topic, partition: 0, key: 'c', value: '3' },
  ])
  await harness.compact?.(topic)
  const records = await readAll(harness, bus, topic, 1)
  const last = new Map<string, { readonly value: string; readonly offset: number }>()
  for (const record of records) {
    const key = new TextDecoder().decode(record.key ?? undefined)
    last.set(key, { value: text(record), offset: record.offset })
  }
  expect(last.get('a')).toEqual({ value: '2', offset: positions[2].offset })
  expect(last.get('c')).toEqual({ value: '3', offset: positions[4].offset })
  assert(!last.has('b') || last.get('b')!.value === 'null', 'a deleted key came back')
  if (harness.compact !== undefined) {
    expect(records.map(text)).not.toContain('1')
  }
}

export const retentionDropsTheOldest: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}retention`, 2, { retentionMs: 600_000 })
  const [, , , fourth] = await bus.produce([...numbered(topic, 0, 4), ...numbered(topic, 1, 2)])
  await harness.expire(topic, 0, fourth.offset + 1)
  await bus.produce([output(topic, 0, 'kept')])
  const deadlineMs = bus.nowMs() + harness.patienceMs
  while ((await bus.starts(topic))[0] === 0 && bus.nowMs() < deadlineMs) await harness.pause(10)
  expect((await bus.starts(topic))[0]).toBe(fourth.offset + 1)
  expect((await bus.ends(topic))[0]).toBeGreaterThan(fourth.offset + 1)
  const records = await readAll(harness, bus, topic, 2)
  expect(records.filter((record) => record.partition === 0).map(text)).toEqual(['kept'])
}

export const foreignCompressionIsRead: Clause = async (harness) => {
  const bus = await harness.open()
  const produce = harness.produceCompressed
  assert(produce !== undefined, 'a bus with the capability must offer produceCompressed')
  const topic = await createTopic(bus, `${harness.prefix}compressed`, 1)
  const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const
  for (const codec of codecs) {
    await produce(
      codec,
      [1, 2, 3].map((i) => output(topic, 0, `${codec}-${i}`)),
    )
  }
  const records = await readAll(harness, bus, topic, 1)
  expect(records.map(text)).toEqual(
    codecs.flatMap((codec) => [1, 2, 3].map((i) => `${codec}-${i}`)),
  )
}

function text0(value: string | Uint8Array | null): string {
  return typeof value === 'string' ? value : 'null'
}

function sawMark(records: readonly LogRecord[], partition: number, value: string): boolean {
  return records.some((record) => record.partition === partition && text(record) === value)
}

async function expectCode(promise: Promise<unknown>, code: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert(isServiceError(error), `expected ${code}, got ${String(error)}`)
  expect(error.code).toBe(code)
}
