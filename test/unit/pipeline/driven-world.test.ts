// Goal: a world moves in whole steps: what happens is published before its step, and the commands of a
// step reach the world before the next.
import { expect, onTestFinished, test } from 'vitest'
import { createSimulatedBus } from '../../../src/bus/simulated/simulated-bus.ts'
import type { Bus, LogRecord, Output } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import type { ClockRecord } from '../../../src/core/log.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { ClockDriver } from '../../../src/pipeline/clock-driver.ts'
import { driveWorld, type World } from '../../../src/pipeline/driven-world.ts'

const topology: Topology = {
  prefix: 'w.',
  nodePartitions: 1,
  poolPartitions: 1,
  clock: 'driven',
  retentionMs: 1e9,
}
const NEVER = new AbortController().signal
const record = (topic: string, value: string): Output => ({
  topic: `w.${topic}`,
  partition: 0,
  key: null,
  value,
})

/** In place of the service: it commits every step, with one more command counted than it sends. */
async function follow(bus: Bus, commandsOf: (step: number) => readonly string[], withheld = 0) {
  const reader = await bus.read({ topic: 'w.clock', from: 'start' })
  let commandCount = 0
  for (;;) {
    for (const { value } of await reader.take(1_000)) {
      const clock = JSON.parse(toText(value!)) as ClockRecord
      if (clock.kind !== 'step') continue
      const commands = commandsOf(clock.step)
      commandCount += commands.length + withheld
      const done: ClockRecord = { kind: 'done', poolPartition: 0, step: clock.step, commandCount }
      await bus.produce([
        ...commands.map((command) => record('commands.recovery', command)),
        record('clock', JSON.stringify(done)),
      ])
    }
  }
}

class Diary implements World {
  readonly lines: string[] = []

  step(nowMs: number): readonly Output[] {
    this.lines.push(`step ${nowMs}`)
    return [record('telemetry', `sample ${nowMs}`)]
  }

  take({ value }: LogRecord, nowMs: number): readonly Output[] {
    this.lines.push(`${toText(value!)} at ${nowMs}`)
    return [record('results', `done ${toText(value!)}`)]
  }
}

async function createWorld() {
  const broker = createSimulatedBus({ seed: 4 })
  onTestFinished(broker.clock.run())
  const bus = broker.open('test')
  await bus.create(topicSpecs(topology))
  return { bus, driver: new ClockDriver(bus, topology), world: new Diary() }
}

async function published(bus: Bus, topic: string): Promise<readonly string[]> {
  const reader = await bus.read({ topic: `w.${topic}`, from: 'start' })
  return (await reader.take(0)).map(({ value }) => toText(value!))
}

test('the commands of a step are handed over before the next, and their results published with it', async () => {
  const { bus, driver, world } = await createWorld()
  void follow(bus, (step) => (step === 2 ? ['c1', 'c2'] : []))
  const reachedMs = await driveWorld({
    bus,
    topology,
    driver,
    world,
    startMs: 1_000,
    stepMs: 500,
    endMs: 2_600,
    signal: NEVER,
  })
  expect(reachedMs).toBe(2_500)
  expect(world.lines).toEqual(['step 1500', 'step 2000', 'c1 at 2000', 'c2 at 2000', 'step 2500'])
  expect(await published(bus, 'results')).toEqual(['done c1', 'done c2'])
})

test('each step is published after everything that belongs to it', async () => {
  const { bus, driver, world } = await createWorld()
  void follow(bus, () => [])
  const options = { bus, topology, driver, world, startMs: 0, stepMs: 1_000, endMs: 3_000 }
  await driveWorld({ ...options, signal: NEVER })
  const steps = (await published(bus, 'clock')).map((text) => JSON.parse(text) as ClockRecord)
  expect(
    steps.flatMap((clock) => (clock.kind === 'step' ? [clock.until['w.telemetry']] : [])),
  ).toEqual([[1], [2], [3]])
})

test('what the last step brought about is still published', async () => {
  const { bus, driver, world } = await createWorld()
  void follow(bus, () => ['c'])
  const options = { bus, topology, driver, world, startMs: 0, stepMs: 1_000, endMs: 1_000 }
  await driveWorld({ ...options, signal: NEVER })
  expect(await published(bus, 'results')).toEqual(['done c'])
})

test('a command that was counted but withheld holds the world up for a moment only', async () => {
  const { bus, driver, world } = await createWorld()
  void follow(bus, () => [], 1)
  const options = { bus, topology, driver, world, startMs: 0, stepMs: 1_000, endMs: 3_000 }
  const beganAtMs = bus.nowMs()
  expect(await driveWorld({ ...options, signal: NEVER })).toBe(3_000)
  expect(bus.nowMs() - beganAtMs).toBeLessThan(15_000)
})

test('blocks of a step are answered with the next, where somebody answers', async () => {
  const { bus, driver } = await createWorld()
  void follow(bus, () => [])
  await bus.produce([record('resync', 'block 1'), record('resync', 'block 2')])
  const asked: string[] = []
  const world: World = {
    step: () => [],
    take: () => [],
    answer: ({ value }, nowMs) => {
      asked.push(`${toText(value!)} at ${nowMs}`)
      return [record('evidence', `holds ${toText(value!)}`)]
    },
  }
  const options = { bus, topology, driver, world, startMs: 0, stepMs: 1_000, endMs: 2_000 }
  await driveWorld({ ...options, signal: NEVER })
  expect(asked).toEqual(['block 1 at 1000', 'block 2 at 1000'])
  expect(await published(bus, 'evidence')).toEqual(['holds block 1', 'holds block 2'])
})

test('a signal ends it after a whole step', async () => {
  const { bus, driver, world } = await createWorld()
  void follow(bus, () => [])
  const ending = new AbortController()
  const reachedMs = await driveWorld({
    bus,
    topology,
    driver,
    world,
    startMs: 0,
    stepMs: 1_000,
    signal: ending.signal,
    afterStep: (nowMs) => {
      if (nowMs === 2_000) ending.abort()
    },
  })
  expect([reachedMs, world.lines]).toEqual([2_000, ['step 1000', 'step 2000']])
})
