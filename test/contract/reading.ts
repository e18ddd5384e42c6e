/** Small steps that the clauses share: read so many records, wait for a lease, copy what arrives. */
import { assert } from 'vitest'

import type {
  Bus,
  Lease,
  LogRecord,
  Membership,
  MembershipOptions,
  Offsets,
  Output,
  TopicSpec,
} from '../../src/core/bus.ts'
import { toText } from '../../src/core/bytes.ts'
import type { BusHarness } from './harness.ts'

export async function createTopic(
  bus: Bus,
  name: string,
  partitions: number,
  more: Partial<TopicSpec> = {},
): Promise<string> {
  await bus.create([{ name, partitions, cleanup: 'delete', ...more }])
  return name
}

export function text(record: LogRecord): string {
  return record.value === null ? 'null' : toText(record.value)
}

export function output(topic: string, partition: number, value: string, key = 'k'): Output {
  return { topic, partition, key, value }
}

/** Values 0..count-1 for one partition. */
export function numbered(topic: string, partition: number, count: number, first = 0): Output[] {
  return Array.from({ length: count }, (_, i) => output(topic, partition, String(first + i)))
}

/** Takes until `done` holds; fails when the harness's patience is over. */
export async function takeUntil(
  harness: BusHarness,
  bus: Bus,
  source: { take(waitMs: number): Promise<readonly LogRecord[]> },
  done: (records: readonly LogRecord[]) => boolean,
): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  const deadlineMs = bus.nowMs() + harness.patienceMs
  while (!done(records)) {
    assert(bus.nowMs() < deadlineMs, `gave up after ${records.length} records`)
    records.push(...(await source.take(100)))
  }
  return records
}

export async function takeCount(
  harness: BusHarness,
  bus: Bus,
  source: { take(waitMs: number): Promise<readonly LogRecord[]> },
  count: number,
): Promise<readonly LogRecord[]> {
  return await takeUntil(harness, bus, source, (records) => records.length >= count)
}

let sentinels = 0

/**
 * Everything readable in a topic now. A sentinel is produced to each partition and read up to, so
 * that "never seen" is decided by what came before it and not by how long one waited.
 */
export async function readAll(
  harness: BusHarness,
  bus: Bus,
  topic: string,
  partitions: number,
): Promise<readonly LogRecord[]> {
  sentinels += 1
  const mark = `sentinel-${sentinels}`
  const reader = await bus.read({ topic, from: 'start' })
  await bus.produce(Array.from({ length: partitions }, (_, p) => output(topic, p, mark)))
  const seen = await takeUntil(
    harness,
    bus,
    reader,
    (records) => records.filter((record) => text(record) === mark).length === partitions,
  )
  await reader.close()
  return seen.filter((record) => !text(record).startsWith('sentinel-'))
}

/** A membership whose leases can be awaited one after the other. */
export interface Joined {
  readonly membership: Membership
  /** The next lease that was gained and not yet asked for. */
  readonly gained: () => Promise<Lease>
}

export async function joinGroup(
  harness: BusHarness,
  bus: Bus,
  options: Omit<MembershipOptions, 'onGained'>,
): Promise<Joined> {
  const waiting: Lease[] = []
  const membership = await bus.join({ ...options, onGained: (lease) => void waiting.push(lease) })
  const gained = async (): Promise<Lease> => {
    await until(harness, bus, () => waiting.length > 0, 'no lease was gained')
    return waiting.shift()!
  }
  return { membership, gained }
}

/** Waits for a condition that nothing announces. */
export async function until(
  harness: BusHarness,
  bus: Bus,
  condition: () => boolean | Promise<boolean>,
  because: string,
): Promise<void> {
  const deadlineMs = bus.nowMs() + harness.patienceMs
  while (!(await condition())) {
    assert(bus.nowMs() < deadlineMs, because)
    await harness.pause(10)
  }
}

/** Offsets after the records, over the ones given. */
export function nextOffsets(records: readonly LogRecord[], before: Offsets): Offsets {
  const next: Record<string, number> = { ...before }
  for (const record of records) next[record.topic] = record.offset + 1
  return next
}

/** Copies each record of the lease to `outTopic`, in transactions, until the lease is lost. */
export async function copyWhileOwned(lease: Lease, outTopic: string): Promise<void> {
  let next = lease.committed
  lease.start(next)
  while (!lease.lost) {
    const records = await lease.take(200)
    if (records.length === 0) continue
    next = nextOffsets(records, next)
    const copies = records.map((record) => output(outTopic, record.partition, text(record)))
    let outcome = await lease.commit(copies, next)
    for (let tries = 0; outcome === 'aborted' && tries < 20; tries++) {
      outcome = await lease.commit(copies, next)
    }
    if (outcome !== 'committed') return
  }
}
