// Goal: time moves on only when everybody has got there, and says exactly what belongs to each step.
import { expect, onTestFinished, test } from 'vitest'
import { createSimulatedBus } from '../../../src/bus/simulated/simulated-bus.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import type { ClockRecord } from '../../../src/core/log.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { ClockDriver } from '../../../src/pipeline/clock-driver.ts'

const topology: Topology = {
  prefix: 'd.',
  nodePartitions: 3,
  poolPartitions: 2,
  clock: 'driven',
  retentionMs: 1e9,
}
const NEVER = new AbortController().signal

async function createBus() {
  const broker = createSimulatedBus({ seed: 1 })
  onTestFinished(broker.clock.run())
  const bus = broker.open('test')
  await bus.create(topicSpecs(topology))
  return { broker, bus }
}

async function clockRecords(bus: Bus): Promise<readonly ClockRecord[]> {
  const reader = await bus.read({ topic: 'd.clock', from: 'start' })
  const records = await reader.take(0)
  await reader.close()
  return records.map(({ value }) => JSON.parse(toText(value!)) as ClockRecord)
}

async function done(bus: Bus, poolPartition: number, step: number, commandCount = 0) {
  const body: ClockRecord = { kind: 'done', poolPartition, step, commandCount }
  await bus.produce([{ topic: 'd.clock', partition: 0, key: null, value: JSON.stringify(body) }])
}

test('a step is told to every partition, with the ends of all that belongs to it', async () => {
  const { bus } = await createBus()
  const record = { topic: 'd.telemetry', key: null, value: '{}' }
  await bus.produce([1, 1, 2].map((partition) => ({ ...record, partition })))
  const driver = new ClockDriver(bus, topology)
  const advanced = driver.advance(5_000, NEVER)
  for (const pool of [0, 1]) await done(bus, pool, 1)
  expect(await advanced).toBe(true)
  const steps = (await clockRecords(bus)).filter((clock) => clock.kind === 'step')
  expect(steps).toHaveLength(3)
  for (const clock of steps) {
    expect(clock).toMatchObject({ step: 1, atMs: 5_000, until: { 'd.telemetry': [0, 2, 1] } })
    expect(Object.keys(clock.until)).not.toContain('d.clock')
  }
})

test('it waits for the slowest coordinator, and adds their commands up', async () => {
  const { bus, broker } = await createBus()
  const driver = new ClockDriver(bus, topology)
  let settled = false
  const advanced = driver.advance(1_000, NEVER).finally(() => {
    settled = true
  })
  await done(bus, 1, 1, 4)
  await bus.produce([{ topic: 'd.clock', partition: 1, key: null, value: null }])
  for (const untilMs = bus.nowMs() + 10_000; bus.nowMs() < untilMs;) await broker.clock.settle()
  expect(settled).toBe(false)
  await done(bus, 0, 1, 3)
  expect(await advanced).toBe(true)
  expect([driver.step, driver.commandCount]).toEqual([1, 7])
})

test('one that takes over goes on with the count of the one before', async () => {
  const { bus } = await createBus()
  const before = new ClockDriver(bus, topology)
  for (const step of [1, 2]) {
    const advanced = before.advance(step * 1_000, NEVER)
    for (const pool of [0, 1]) await done(bus, pool, step, step)
    await advanced
  }
  await before.close()
  const after = new ClockDriver(bus, topology)
  const advanced = after.advance(3_000, NEVER)
  for (const pool of [0, 1]) await done(bus, pool, 3, 2)
  expect(await advanced).toBe(true)
  expect([after.step, after.commandCount]).toEqual([3, 4])
})

test('a signal ends the wait, and the step does not count', async () => {
  const { bus } = await createBus()
  const driver = new ClockDriver(bus, topology)
  expect(await driver.advance(1_000, AbortSignal.abort())).toBe(false)
  expect(driver.step).toBe(0)
})

test('under the arrival clock there is nothing to drive', async () => {
  const { bus } = await createBus()
  expect(() => new ClockDriver(bus, { ...topology, clock: 'arrival' })).toThrow(/driven clock/)
})
