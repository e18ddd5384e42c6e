// Goal: on a real broker a partition that goes to another process and comes back is gone on with where it was,
// and what it says is whole and said once.
// Method: two processes, two partitions, records all the time; the second process comes and goes, twice.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { Bus, LogRecord, Output } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { kindOf } from '../../../src/core/log.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import type { Fold } from '../../../src/pipeline/fold.ts'
import { type Role, startRole } from '../../../src/pipeline/role.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { until } from '../../support/until.ts'

const PARTITIONS = 2
const EVERY_MS = 10

const brokers = await kafkaBrokers()
const topology: Topology = {
  prefix: uniquePrefix('kept'),
  nodePartitions: PARTITIONS,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 3_600_000,
}
const NODE_LOG = `${topology.prefix}node-log`
const JOURNAL = `${topology.prefix}journal`
const buses: Bus[] = []

afterAll(async () => {
  for (const bus of buses) await bus.close()
})

/** Says of each record which of its partition it is. */
class Counting implements Fold {
  #count = 0

  fold(record: LogRecord): readonly Output[] {
    if (kindOf(record) !== undefined || record.key === null) return []
    this.#count++
    return [{ topic: JOURNAL, partition: 0, key: toText(record.key), value: String(this.#count) }]
  }

  stats(): Readonly<Record<string, number>> {
    return { count: this.#count }
  }
}

async function open(clientId: string): Promise<Bus> {
  const bus = await openKafkaBus({ brokers: brokers ?? [], clientId, prefix: topology.prefix })
  buses.push(bus)
  return bus
}

function start(bus: Bus, made: number[]): Promise<Role> {
  return startRole({
    bus,
    topology,
    role: 'watcher',
    topic: 'node-log',
    createFold: async (partition) => {
      made.push(partition)
      return new Counting()
    },
    commitIntervalMs: 50,
    tickIntervalMs: 1_000,
  })
}

describe.skipIf(brokers === null)('a partition that comes back', () => {
  test('is gone on with, and all is said once and in order', { timeout: 120_000 }, async () => {
    const bus = await open('world')
    await bus.create(topicSpecs(topology))
    const over = new AbortController()
    let sent = 0
    const sending = (async () => {
      for (; !over.signal.aborted; sent++) {
        const outputs = Array.from({ length: PARTITIONS }, (_, partition) => {
          return { topic: NODE_LOG, partition, key: `${partition}/${sent}`, value: 'x' }
        })
        await bus.produce(outputs)
        await sleep(EVERY_MS)
      }
    })()
    const made: number[] = []
    const first = await start(await open('first'), made)
    const owns = (role: Role, count: number) => () => role.readyPartitions().length === count
    await until('the first owns both', 30_000, owns(first, 2))
    for (let round = 0; round < 2; round++) {
      const second = await start(await open(`second-${round}`), [])
      await until('each owns one', 30_000, () => owns(second, 1)() && owns(first, 1)())
      await sleep(500)
      await second.stop()
      await until('the first owns both', 30_000, owns(first, 2))
      await sleep(500)
    }
    over.abort()
    await sending
    const reader = await bus.read({ topic: JOURNAL, from: 'start' })
    const said: string[] = []
    await until('all is said', 30_000, async () => {
      for (const { key, value } of await reader.take(200)) {
        said.push(`${toText(key!)} ${toText(value!)}`)
      }
      return said.length >= PARTITIONS * sent
    })
    await reader.close()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const own = said.filter((text) => text.startsWith(`${partition}/`))
      expect(own).toEqual(Array.from({ length: sent }, (_, at) => `${partition}/${at} ${at + 1}`))
    }
    expect(made.toSorted((a, b) => a - b)).toEqual([0, 1])
    await first.stop()
  })
})
