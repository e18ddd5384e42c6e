// Goal: an owner whose fold is slower than what comes in pauses its partition. Its memory stays bounded,
// that can be seen from outside, and nothing is lost.
// Method: a watcher role on a real broker folds each of the first records slowly, while its log holds
// several times what its buffer may.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { PARTITION_FETCH_BYTES_MAX } from '../../../src/bus/kafka/feed.ts'
import type { Bus, LogRecord, Output } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { kindOf } from '../../../src/core/log.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import type { Fold } from '../../../src/pipeline/fold.ts'
import type { LeaseFigures } from '../../../src/pipeline/lease-gauge.ts'
import { startRole } from '../../../src/pipeline/role.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { until } from '../../support/until.ts'

const RECORDS = 900
const RECORD_BYTES = 64_000
const SLOW_RECORDS = 400
const SLOW_MS = 10

const brokers = await kafkaBrokers()
const topology: Topology = {
  prefix: uniquePrefix('overload'),
  nodePartitions: 1,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 3_600_000,
}
const buses: Bus[] = []

afterAll(async () => {
  for (const bus of buses) await bus.close()
})

/** Says of each record which it was; slowly at first. */
class Slow implements Fold {
  readonly seen: string[] = []

  async fold(record: LogRecord): Promise<readonly Output[]> {
    if (kindOf(record) !== undefined || record.key === null) return []
    this.seen.push(toText(record.key))
    if (this.seen.length <= SLOW_RECORDS) await sleep(SLOW_MS)
    const topic = `${topology.prefix}journal`
    return [{ topic, partition: 0, key: toText(record.key), value: 'seen' }]
  }

  stats(): Readonly<Record<string, number>> {
    return { seenCount: this.seen.length }
  }
}

async function open(): Promise<Bus> {
  const bus = await openKafkaBus({
    brokers: brokers ?? [],
    clientId: 'overload',
    prefix: topology.prefix,
  })
  buses.push(bus)
  return bus
}

describe.skipIf(brokers === null)('a watcher that is too slow', () => {
  test('pauses its partition, stays within its buffer, and folds each record once', async () => {
    const bus = await open()
    await bus.create(topicSpecs(topology))
    const value = new Uint8Array(RECORD_BYTES)
    const topic = `${topology.prefix}node-log`
    for (let i = 0; i < RECORDS; i += 100) {
      const keys = Array.from({ length: 100 }, (_, k) => String(i + k))
      await bus.produce(keys.map((key) => ({ topic, partition: 0, key, value })))
    }
    const fold = new Slow()
    const role = await startRole({
      bus,
      topology,
      role: 'watcher',
      topic: 'node-log',
      createFold: async () => fold,
      commitIntervalMs: 100,
      tickIntervalMs: 1_000,
    })
    const looks: LeaseFigures[] = []
    await until('every record is folded', 120_000, () => {
      const figures = role.leases().get(0)
      if (figures !== undefined) looks.push(figures)
      return fold.seen.length >= RECORDS
    })
    const paused = looks.filter(({ buffer }) => buffer.paused)
    expect(paused.length).toBeGreaterThan(0)
    for (const { buffer } of looks) {
      expect(buffer.bytes).toBeLessThanOrEqual(buffer.bytesMax + PARTITION_FETCH_BYTES_MAX)
    }
    // The log is several times the buffer, or a pause would prove nothing.
    expect(RECORDS * RECORD_BYTES).toBeGreaterThan(3 * looks[0].buffer.bytesMax)
    expect(Math.max(...looks.map(({ lagRecords }) => lagRecords ?? 0))).toBeGreaterThan(300)
    expect(fold.seen).toEqual(Array.from({ length: RECORDS }, (_, i) => String(i)))
    await until('it has caught up', 30_000, () => role.leases().get(0)?.lagRecords === 0)
    await role.stop()
  })
})
