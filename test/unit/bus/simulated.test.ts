// Goal: a faulty broker still gives exactly once to those who follow the port, and one seed gives one run.
import { expect, test } from 'vitest'

import type { Bus, Lease, LogRecord } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import type { SimulatedBroker } from '../../../src/bus/simulated/simulated-bus.ts'
import { createSimulatedBus } from '../../../src/bus/simulated/simulated-bus.ts'
import { VirtualClock } from '../../../src/bus/simulated/virtual-clock.ts'

const PARTITIONS = 4
const FAULTS = {
  ackDelayMsMax: 30,
  deliveryDelayMsMax: 200,
  commitAbortedRatio: 0.1,
  commitUnknownRatio: 0.1,
  rebalanceEveryMs: 2_000,
}

async function copy(lease: Lease): Promise<void> {
  let next = lease.committed
  lease.start(next)
  while (!lease.lost) {
    const records = await lease.take(100)
    if (records.length === 0) continue
    next = { in: records.at(-1)!.offset + 1 }
    const outputs = records.map(({ partition, value }) => ({
      topic: 'out',
      partition,
      key: null,
      value,
    }))
    while ((await lease.commit(outputs, next)) === 'aborted' && !lease.lost);
  }
}

async function joinCopier(bus: Bus): Promise<void> {
  await bus.join({
    group: 'copiers',
    role: 'copier',
    topics: ['in'],
    claimTopic: 'in-claims',
    onGained: (lease) => void copy(lease),
  })
}

async function readOut(broker: SimulatedBroker): Promise<readonly LogRecord[]> {
  const reader = await broker.open('reader').read({ topic: 'out', from: 'start' })
  const records = await reader.take(0)
  await reader.close()
  return records
}

/** Three copiers, 200 records a partition, faults throughout, owners that are killed or sleep past their session. */
async function runCopiers(seed: number): Promise<readonly LogRecord[]> {
  const broker = createSimulatedBus({ seed, faults: FAULTS })
  const driver = broker.open('driver')
  await driver.create(
    ['in', 'out', 'in-claims'].map((name) => ({ name, partitions: PARTITIONS, cleanup: 'delete' })),
  )
  for (const name of ['a', 'b', 'c']) await joinCopier(broker.open(name))
  for (let round = 0; round < 50; round++) {
    const outputs = Array.from({ length: 4 * PARTITIONS }, (_, i) => {
      const value = String(round * 4 + Math.floor(i / PARTITIONS))
      return { topic: 'in', partition: i % PARTITIONS, key: null, value }
    })
    void driver.produce(outputs)
    await broker.clock.advance(300)
    if (round % 20 === 11) {
      broker.crash('b')
      await joinCopier(broker.open('b'))
    }
    if (round % 10 === 5) broker.expireOwner('copiers', round % PARTITIONS)
  }
  broker.setFaults({})
  await broker.clock.advance(60_000)
  expect(await driver.committed('copiers', 'in')).toEqual(await driver.ends('in'))
  return await readOut(broker)
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'seed %i: each record is copied once, in order',
  async (seed) => {
    const records = await runCopiers(seed)
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const values = records.filter((r) => r.partition === partition).map((r) => toText(r.value!))
      expect(values).toEqual(Array.from({ length: 200 }, (_, i) => String(i)))
    }
  },
)

test('the same seed gives the same run, another seed another', async () => {
  const [first, again, other] = [await runCopiers(11), await runCopiers(11), await runCopiers(12)]
  const timesOf = (records: readonly LogRecord[]): string =>
    records.map((record) => `${record.partition}@${record.appendedAtMs}`).join()
  expect(timesOf(again)).toBe(timesOf(first))
  expect(timesOf(other)).not.toBe(timesOf(first))
})

test('virtual time stops at each alarm, in order, and stands still while work is held', async () => {
  const clock = new VirtualClock(100)
  const seen: string[] = []
  clock.after(20, () => seen.push(`late ${clock.nowMs()}`))
  clock.after(10, () => seen.push(`early ${clock.nowMs()}`))
  clock.after(10, () => seen.push(`second ${clock.nowMs()}`))
  clock.after(15, () => seen.push('cancelled'))()
  let finish = (): void => {}
  const held = clock.hold(new Promise<void>((resolve) => (finish = resolve)))
  const advancing = clock.advance(50)
  await new Promise((resolve) => void setImmediate(resolve))
  expect([clock.nowMs(), seen]).toEqual([100, []])
  finish()
  await Promise.all([held, advancing])
  expect([clock.nowMs(), seen]).toEqual([150, ['early 110', 'second 110', 'late 120']])
  expect(await clock.advanceUntil(() => false, 1_000)).toBe(false)
})

test('a lease that takes nothing while records wait is reported stuck', async () => {
  const broker = createSimulatedBus({ seed: 1 })
  const bus = broker.open()
  await bus.create([{ name: 't', partitions: 1, cleanup: 'delete' }])
  let lease: Lease | undefined
  await bus.join({
    group: 'g',
    role: 'r',
    topics: ['t'],
    claimTopic: null,
    onGained: (gained) => {
      lease = gained
      gained.start(gained.committed)
    },
  })
  await broker.clock.advance(100_000)
  expect(bus.health().stuckLeaseCount).toBe(0)
  await bus.produce([{ topic: 't', partition: 0, key: null, value: 'v' }])
  await broker.clock.advance(31_000)
  expect(bus.health().stuckLeaseCount).toBe(1)
  await lease!.take(0)
  expect(bus.health().stuckLeaseCount).toBe(0)
})

test('a lease that starts below the oldest kept offset says so', async () => {
  const broker = createSimulatedBus({ seed: 1 })
  const bus = broker.open()
  await bus.create([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: 1_000 }])
  const output = { topic: 't', partition: 0, key: null, value: 'v' }
  await bus.produce([output, output, output])
  await broker.clock.advance(5_000)
  await bus.produce([output])
  broker.clean()
  const reader = await bus.read({ topic: 't', from: { offsets: [1] } })
  await expect(reader.take(0)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
})

test('a killed client falls silent, and its partitions move when the session is over', async () => {
  const broker = createSimulatedBus({ seed: 1 })
  const [dying, staying] = [broker.open('dying'), broker.open('staying')]
  await dying.create([{ name: 't', partitions: 2, cleanup: 'delete' }])
  const options = { group: 'g', role: 'r', topics: ['t'], claimTopic: null }
  const leases: Lease[] = []
  await dying.join({ ...options, onGained: (lease) => void leases.push(lease) })
  await broker.clock.advance(1)
  const other = await staying.join({ ...options, onGained: () => {} })
  await broker.clock.advance(1)
  expect(other.leases).toHaveLength(1)
  broker.crash('dying', 6_000)
  expect(leases.map((lease) => lease.lost)).toEqual([true, true])
  await expect(dying.produce([])).rejects.toMatchObject({ code: 'BUS_CLOSED' })
  await broker.clock.advance(5_900)
  expect(other.leases).toHaveLength(1)
  await broker.clock.advance(200)
  expect(other.leases).toHaveLength(2)
})
