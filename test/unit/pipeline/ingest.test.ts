// Goal: ingest says truly how far it has come, and a step of a driven clock never overtakes what
// belongs to it.
import { expect, onTestFinished, test } from 'vitest'
import { createSimulatedBus } from '../../../src/bus/simulated/simulated-bus.ts'
import type { Bus, LogRecord, Output } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { kindOf, logBody, type Tick, type Watermark } from '../../../src/core/log.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { type Router, startIngest } from '../../../src/pipeline/ingest.ts'

const topology: Topology = {
  prefix: 'i.',
  nodePartitions: 2,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 1e9,
}
const START_MS = 1_000_000

/** Passes values on to partition 0 of the node-log, with the time it was given. */
class Passing implements Router {
  #outputs: Output[] = []

  take({ value, appendedAtMs }: LogRecord, nowMs: number): void {
    const text = `${toText(value!)}@${appendedAtMs}/${nowMs}`
    this.#outputs.push({ topic: 'i.node-log', partition: 0, key: null, value: text })
  }

  flush(): readonly Output[] {
    const outputs = this.#outputs
    this.#outputs = []
    return outputs
  }
}

async function createWorld(clock: Topology['clock']) {
  const broker = createSimulatedBus({ seed: 9, startMs: START_MS })
  const bus = broker.open('test')
  await bus.create(topicSpecs(topology))
  onTestFinished(() => bus.close())
  const troubles: string[] = []
  const start = (name: string) =>
    startIngest({
      events: { trouble: (_role, _partition, error) => troubles.push(error.message) },
      bus: broker.open(name),
      topology: { ...topology, clock },
      createRouter: () => new Passing(),
      commitIntervalMs: 50,
    })
  return { broker, bus, start, troubles }
}

async function send(bus: Bus, partition: number, value: string): Promise<void> {
  await bus.produce([{ topic: 'i.telemetry', partition, key: null, value }])
}

async function nodeLog(bus: Bus): Promise<readonly LogRecord[]> {
  const reader = await bus.read({ topic: 'i.node-log', partitions: [0], from: 'start' })
  const records = await reader.take(0)
  await reader.close()
  return records
}

function watermarks(records: readonly LogRecord[], source: number): readonly Watermark[] {
  return records
    .filter((record) => kindOf(record) === 'watermark')
    .map((record) => logBody<Watermark>(record))
    .filter((watermark) => watermark.source === source)
}

test('caught up, it says so twice a second, and never claims to be closer than it can be', async () => {
  const { broker, bus, start } = await createWorld('arrival')
  await start('a')
  await broker.clock.advance(10_500)
  const said = watermarks(await nodeLog(bus), 1)
  expect(said.length).toBeGreaterThanOrEqual(20)
  expect(said.length).toBeLessThanOrEqual(22)
  for (const { atMs, delayMs } of said) {
    expect(atMs).toBeNull()
    expect(delayMs).toBeGreaterThanOrEqual(200)
  }
})

test('what was forwarded comes before the watermark that vouches for it', async () => {
  const { broker, bus, start } = await createWorld('arrival')
  await start('a')
  for (let n = 0; n < 30; n++) {
    await send(bus, 0, `v${n}`)
    await broker.clock.advance(130)
  }
  let newestMs = START_MS - 1
  for (const record of await nodeLog(bus)) {
    if (kindOf(record) === undefined) {
      const appendedAtMs = Number(/@(\d+)/.exec(toText(record.value!))![1])
      expect(appendedAtMs, `at offset ${record.offset}`).toBeGreaterThan(newestMs)
    } else {
      const { source, atMs, delayMs } = logBody<Watermark>(record)
      if (source === 0) newestMs = atMs ?? record.appendedAtMs - delayMs
    }
  }
  expect((await nodeLog(bus)).filter((record) => kindOf(record) === undefined)).toHaveLength(30)
})

test('behind, it vouches for no more than it has forwarded', async () => {
  const { broker, bus, start } = await createWorld('arrival')
  const slow = { deliveryDelayMsMax: 60_000 }
  for (let n = 0; n < 50; n++) {
    await send(bus, 0, `v${n}`)
    await broker.clock.advance(1_000)
  }
  // From now on the end of the log is known long before its records arrive.
  broker.setFaults(slow)
  for (let n = 50; n < 60; n++) await send(bus, 0, `v${n}`)
  await start('a')
  await broker.clock.advance(120_000)
  broker.setFaults({})
  await broker.clock.advance(60_000)
  let forwardedMs = 0
  const records = await nodeLog(bus)
  for (const record of records) {
    if (kindOf(record) === undefined) {
      forwardedMs = Number(/@(\d+)/.exec(toText(record.value!))![1])
      continue
    }
    const { source, atMs } = logBody<Watermark>(record)
    if (source === 0 && atMs !== null) expect(atMs).toBeLessThanOrEqual(forwardedMs)
  }
  expect(records.filter((record) => kindOf(record) === undefined)).toHaveLength(60)
})

async function step(bus: Bus, number: number, atMs: number, telemetryEnds: readonly number[]) {
  const until = { 'i.telemetry': telemetryEnds }
  const value = JSON.stringify({ kind: 'step', step: number, atMs, until })
  await bus.produce([0, 1].map((partition) => ({ topic: 'i.clock', partition, key: null, value })))
}

function story(records: readonly LogRecord[]): readonly string[] {
  return records.map((record) => {
    if (kindOf(record) !== 'tick') return toText(record.value!)
    const { source, atMs, step: number } = logBody<Tick>(record)
    return `tick ${number} of ${source} at ${atMs}`
  })
}

test('a step waits for everything that was published before it, and is then told to all', async () => {
  const { broker, bus, start } = await createWorld('driven')
  await start('a')
  await step(bus, 1, 5_000, [2, 0])
  await send(bus, 0, 'x')
  await broker.clock.advance(5_000)
  // Partition 1 has nothing to wait for; partition 0 still lacks a record.
  expect(story(await nodeLog(bus)).filter((text) => text.startsWith('tick'))).toEqual([
    'tick 1 of 1 at 5000',
  ])
  await send(bus, 0, 'y')
  await broker.clock.advance(1_000)
  const told = story(await nodeLog(bus))
  expect(told.at(-1)).toBe('tick 1 of 0 at 5000')
  expect(told.slice(0, -1).filter((text) => !text.startsWith('tick'))).toEqual(['x@0/0', 'y@0/0'])
  // What comes now belongs to the next step; its append time is the deployment's, not the broker's.
  await send(bus, 0, 'z')
  await broker.clock.advance(1_000)
  expect(story(await nodeLog(bus))).toHaveLength(told.length)
  await step(bus, 2, 9_000, [3, 0])
  await broker.clock.advance(1_000)
  const then = story(await nodeLog(bus)).slice(told.length)
  expect(then.filter((text) => !text.startsWith('tick 2 of 1'))).toEqual([
    'z@5000/5000',
    'tick 2 of 0 at 9000',
  ])
  // No watermarks: the ticks say how far time is.
  expect(watermarks(await nodeLog(bus), 0)).toEqual([])
})

test('a step that was held when its owner died is held by the next', async () => {
  const { broker, bus, start } = await createWorld('driven')
  await start('a')
  await step(bus, 1, 5_000, [1, 0])
  await broker.clock.advance(1_000)
  broker.crash('a')
  await start('b')
  await broker.clock.advance(20_000)
  await send(bus, 0, 'x')
  await broker.clock.advance(1_000)
  const told = story(await nodeLog(bus))
  expect(told.filter((text) => text === 'tick 1 of 0 at 5000')).toHaveLength(1)
  expect(told.indexOf('x@0/0')).toBeLessThan(told.indexOf('tick 1 of 0 at 5000'))
})

test('whatever is read first: in a step lives begin, then samples come, then lives end', async () => {
  const { broker, bus, start } = await createWorld('driven')
  await start('a')
  const event = (kind: string) => ({
    topic: 'i.events',
    partition: 0,
    key: null,
    value: `{"kind":"${kind}"}`,
  })
  await bus.produce([event('leave'), event('join'), event('failure'), event('labels')])
  await broker.clock.advance(1_000)
  await send(bus, 0, 'sample')
  await step(bus, 1, 5_000, [1, 0])
  await broker.clock.advance(1_000)
  const told = story(await nodeLog(bus)).filter((text) => !text.startsWith('tick'))
  expect(told.map((text) => /leave|join|failure|labels|sample/.exec(text)![0])).toEqual([
    'join',
    'labels',
    'sample',
    'leave',
    'failure',
  ])
})

test('the clock topic is public: what is no step in it is passed over', async () => {
  const { broker, bus, start } = await createWorld('driven')
  await start('a')
  const clutter = ['no json', '{}', 'null', '{"kind":"step","step":1}', '{"kind":"done","step":1}']
  await bus.produce(
    [null, ...clutter].map((value) => ({ topic: 'i.clock', partition: 0, key: null, value })),
  )
  for (const partition of [0, 1]) await send(bus, partition, 'x')
  await step(bus, 1, 5_000, [1, 1])
  await broker.clock.advance(1_000)
  const ticks = story(await nodeLog(bus)).filter((text) => text.startsWith('tick'))
  expect([...ticks].sort()).toEqual(['tick 1 of 0 at 5000', 'tick 1 of 1 at 5000'])
})

test('what retention took while it was away is told, and the rest is read', async () => {
  const { broker, bus, start, troubles } = await createWorld('arrival')
  const first = await start('a')
  for (const value of ['read', 'lost-1', 'lost-2']) {
    await send(bus, 0, value)
    await broker.clock.advance(1_000)
    if (value === 'read') {
      const stopped = first.stop()
      await broker.clock.advance(1_000)
      await stopped
    }
  }
  await broker.clock.advance(2 * topology.retentionMs)
  await send(bus, 0, 'kept')
  broker.clean()
  await start('b')
  await broker.clock.advance(5_000)
  expect(troubles).toEqual([
    'i.telemetry[0]: records 1 to 2 were dropped by retention before they were read; raise topology.retention, and do not leave the service off for longer',
  ])
  const texts = (await nodeLog(bus))
    .filter((record) => kindOf(record) === undefined)
    .map(({ value }) => toText(value!).split('@')[0])
  expect(texts).toEqual(['kept'])
})
