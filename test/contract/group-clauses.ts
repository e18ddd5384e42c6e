/** What a bus promises about groups: one owner per partition, claims, hand-over, bounded buffers. */
import { expect } from 'vitest'

import type { Bus, Lease, LogRecord, Membership } from '../../src/core/bus.ts'
import type { Claim } from '../../src/core/log.ts'
import { KIND, logBody } from '../../src/core/log.ts'
import type { Clause } from './log-clauses.ts'
import {
  copyWhileOwned,
  createTopic,
  joinGroup,
  numbered,
  output,
  readAll,
  takeCount,
  text,
  until,
} from './reading.ts'

const PARTITIONS = 4

/** Records go in all the time while a second member joins and the first one leaves. */
export const handoverLosesAndRepeatsNothing: Clause = async (harness) => {
  const [first, second] = [await harness.open(), await harness.open()]
  const input = await createTopic(first, `${harness.prefix}in`, PARTITIONS)
  const out = await createTopic(first, `${harness.prefix}out`, PARTITIONS)
  const produced = [0, 1, 2, 3].map(() => 0)
  const load = async (count: number): Promise<void> => {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await first.produce(numbered(input, partition, count, produced[partition]))
      produced[partition] += count
    }
  }
  const copies: Promise<void>[] = []
  const join = async (bus: Bus): Promise<Membership> =>
    await bus.join({
      group: `${harness.prefix}group`,
      role: `${harness.prefix}role`,
      topics: [input],
      claimTopic: null,
      onGained: (lease) => void copies.push(copyWhileOwned(lease, out)),
    })
  const owned = (membership: Membership): number[] =>
    membership.leases.map((lease) => lease.partition).sort((a, b) => a - b)

  await load(20)
  const one = await join(first)
  await until(harness, first, () => owned(one).length === 4, 'the only member owns all')
  await load(20)
  const two = await join(second)
  await load(20)
  await until(harness, first, () => owned(one).length === 2, 'the first member gives up half')
  await until(harness, first, () => owned(two).length === 2, 'the second member gets half')
  expect([...owned(one), ...owned(two)].sort((a, b) => a - b)).toEqual([0, 1, 2, 3])
  await load(20)
  await one.leave()
  expect(one.leases).toEqual([])
  await load(20)
  await until(harness, first, () => owned(two).length === 4, 'the one who stays takes over')
  const done = async (): Promise<boolean> =>
    (await second.committed(`${harness.prefix}group`, input)).join() ===
    (await second.ends(input)).join()
  await until(harness, second, done, 'everything is committed')
  await two.leave()
  await Promise.all(copies)

  const records = await readAll(harness, second, out, PARTITIONS)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const values = records.filter((r) => r.partition === partition).map(text)
    expect(values).toEqual(numbered(out, partition, produced[partition]).map((o) => o.value))
  }
}

export const claimsAreRecordedAndRise: Clause = async (harness) => {
  const bus = await harness.open()
  const log = await createTopic(bus, `${harness.prefix}log`, 2)
  const role = `${harness.prefix}watcher`
  const options = { group: `${harness.prefix}watchers`, role, topics: [log], claimTopic: log }
  await bus.produce(numbered(log, 1, 3))
  const { gained, membership } = await joinGroup(harness, bus, options)
  const leases = [await gained(), await gained()]
  const one = leases.find((lease) => lease.partition === 1)!
  expect(membership.leases).toHaveLength(2)
  const claims = async (): Promise<readonly LogRecord[]> =>
    (await readAll(harness, bus, log, 2)).filter(
      (record) => record.headers[KIND] === 'claim' && record.partition === 1,
    )
  const [claim] = await claims()
  expect(claim.offset).toBe(one.epoch)
  expect(logBody<Claim>(claim).role).toBe(role)
  expect(logBody<Claim>(claim).owner).toBeTypeOf('string')

  one.release()
  expect(one.lost).toBe(true)
  const again = await gained()
  expect([again.partition, again.epoch > one.epoch]).toEqual([1, true])
  await harness.seize({ ...options, partition: 1 })
  expect(await again.commit([output(log, 1, 'late')], { [log]: 1 })).toBe('fenced')
  const third = await gained()
  expect(third.epoch).toBeGreaterThan(again.epoch)
  expect((await claims()).map((record) => record.offset)).toEqual(
    expect.arrayContaining([one.epoch, again.epoch, third.epoch]),
  )
  expect((await claims()).map((record) => record.offset).filter((o) => o > third.epoch)).toEqual([])
}

/** Same number, one lease: what arrives in two topics is taken together and committed together. */
export const topicsOfOneMembershipAreOwnedTogether: Clause = async (harness) => {
  const bus = await harness.open()
  const a = await createTopic(bus, `${harness.prefix}a`, 2)
  const b = await createTopic(bus, `${harness.prefix}b`, 2)
  await bus.produce([0, 1].flatMap((p) => [output(a, p, `a${p}`), output(b, p, `b${p}`)]))
  const { gained } = await joinGroup(harness, bus, {
    group: `${harness.prefix}pairs`,
    role: `${harness.prefix}pair`,
    topics: [a, b],
    claimTopic: null,
  })
  for (const lease of [await gained(), await gained()]) {
    expect(lease.epoch).toBe(-1)
    lease.start(lease.committed)
    const records = await takeCount(harness, bus, lease, 2)
    expect(records.map(text).sort()).toEqual([`a${lease.partition}`, `b${lease.partition}`])
  }
}

export const lostLeaseFallsSilent: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}silent`, 1)
  await bus.produce(numbered(topic, 0, 6))
  const { gained, membership } = await joinGroup(harness, bus, {
    group: `${harness.prefix}silent`,
    role: `${harness.prefix}silent`,
    topics: [topic],
    claimTopic: null,
  })
  const lease = await gained()
  lease.start(lease.committed)
  await until(harness, bus, async () => (await lease.behind()) > 0, 'six records are waiting')
  await takeCount(harness, bus, lease, 6)
  expect(await lease.behind()).toBe(0)
  const startedAtMs = bus.nowMs()
  expect(await lease.take(100)).toEqual([])
  expect(bus.nowMs() - startedAtMs).toBeGreaterThanOrEqual(95)
  expect(bus.nowMs() - startedAtMs).toBeLessThan(harness.patienceMs)

  const pending = lease.take(harness.patienceMs * 10)
  await membership.leave()
  expect(await pending).toEqual([])
  expect(lease.lost).toBe(true)
  await bus.produce(numbered(topic, 0, 3))
  expect(await lease.take(50)).toEqual([])
  expect(await lease.commit([], { [topic]: 6 })).toBe('fenced')
  expect(membership.leases).toEqual([])
}

export const untakenRecordsAreBounded: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}pressure`, 1)
  const filler = 'x'.repeat(10_000)
  for (let i = 0; i < 10; i++) {
    await bus.produce(
      Array.from({ length: 40 }, (_, k) => output(topic, 0, filler, `${i * 40 + k}`)),
    )
  }
  const bufferBytesMax = 100_000
  const bounded = (records: readonly LogRecord[]): number =>
    records.reduce((sum, record) => sum + (record.value?.length ?? 0), 0)
  const { gained } = await joinGroup(harness, bus, {
    group: `${harness.prefix}pressed`,
    role: `${harness.prefix}pressed`,
    topics: [topic],
    claimTopic: null,
    bufferBytesMax,
  })
  const lease = await gained()
  lease.start(lease.committed)
  await harness.pause(500)
  const keys: string[] = []
  const deadlineMs = bus.nowMs() + harness.patienceMs
  while (keys.length < 400 && bus.nowMs() < deadlineMs) {
    const records = await lease.take(100)
    expect(bounded(records)).toBeLessThanOrEqual(bufferBytesMax + harness.overshootBytesMax)
    keys.push(...records.map((record) => new TextDecoder().decode(record.key ?? undefined)))
  }
  expect(keys).toEqual(Array.from({ length: 400 }, (_, i) => String(i)))
}

/** An owner that does not keep up can be seen: its buffer is full, and its partition paused. */
export const fullBufferIsPaused: Clause = async (harness) => {
  const bus = await harness.open()
  const topic = await createTopic(bus, `${harness.prefix}full`, 1)
  const filler = 'x'.repeat(10_000)
  for (let i = 0; i < 10; i++) {
    await bus.produce(Array.from({ length: 40 }, () => output(topic, 0, filler)))
  }
  const bufferBytesMax = 100_000
  const { gained } = await joinGroup(harness, bus, {
    group: `${harness.prefix}full`,
    role: `${harness.prefix}full`,
    topics: [topic],
    claimTopic: null,
    bufferBytesMax,
  })
  const lease = await gained()
  const empty = { recordCount: 0, bytes: 0, bytesMax: bufferBytesMax, paused: false }
  expect(lease.buffer()).toEqual(empty)
  lease.start(lease.committed)
  await until(harness, bus, () => lease.buffer().paused, 'a full buffer pauses')
  await harness.pause(300)
  const full = lease.buffer()
  expect(full.bytesMax).toBe(bufferBytesMax)
  expect(full.recordCount).toBeGreaterThan(0)
  expect(full.bytes).toBeGreaterThanOrEqual(full.recordCount * 10_000)
  expect(full.bytes).toBeLessThanOrEqual(bufferBytesMax + harness.overshootBytesMax)
  expect(await lease.behind()).toBe(400)
  const first = await lease.take(harness.patienceMs)
  expect(first.length).toBeGreaterThan(0)
  await takeCount(harness, bus, lease, 400 - first.length)
  await until(harness, bus, () => !lease.buffer().paused, 'an empty buffer flows again')
  expect(lease.buffer()).toEqual(empty)
  lease.release()
  expect(lease.buffer()).toEqual(empty)
}

/** Whatever was acknowledged before or during `close` is there for the next client. */
export const closeUnderLoadLosesNothing: Clause = async (harness) => {
  const [closing, staying] = [await harness.open(), await harness.open()]
  const topic = await createTopic(staying, `${harness.prefix}load`, 2)
  const out = await createTopic(staying, `${harness.prefix}load-out`, 2)
  const copies: Promise<void>[] = []
  const onGained = (lease: Lease): void => void copies.push(copyWhileOwned(lease, out))
  const options = { topics: [topic], claimTopic: null, onGained }
  const names = { group: `${harness.prefix}load`, role: `${harness.prefix}load` }
  await closing.join({ ...options, ...names })
  const reader = await closing.read({ topic, from: 'start' })
  const pendingRead = drain(reader.take.bind(reader))
  const acked: string[] = []
  let attempts = 0
  const produceUntilClosed = async (): Promise<void> => {
    for (let i = 0; i < 10_000; i++) {
      attempts = i
      try {
        await closing.produce([output(topic, i % 2, String(i))])
      } catch {
        return
      }
      acked.push(String(i))
    }
  }
  const producing = produceUntilClosed()
  await until(harness, staying, () => acked.length >= 20, 'twenty records are acknowledged')
  await closing.close()
  await closing.close()
  await producing
  expect(await reader.take(60_000)).toEqual([])
  await pendingRead
  await Promise.all(copies)
  expect(attempts).toBeLessThan(9_999)

  await staying.join({ ...options, ...names })
  const readable = (await readAll(harness, staying, topic, 2)).map(text)
  expect(readable.filter((value) => acked.includes(value)).length).toBe(acked.length)
  expect(new Set(readable).size).toBe(readable.length)
  const copied = async (): Promise<boolean> =>
    (await staying.committed(names.group, topic)).join() === (await staying.ends(topic)).join()
  await until(harness, staying, copied, 'the next client copies the rest')
  const outputs = (await readAll(harness, staying, out, 2)).map(text)
  const expected = (await readAll(harness, staying, topic, 2)).map(text)
  expect(outputs.filter((value) => !value.startsWith('sentinel')).sort()).toEqual(expected.sort())
}

async function drain(take: (waitMs: number) => Promise<readonly LogRecord[]>): Promise<void> {
  for (let empty = 0; empty < 3;) if ((await take(50)).length === 0) empty += 1
}
