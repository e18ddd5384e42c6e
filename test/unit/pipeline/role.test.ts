// Goal: a role tells what follows from each record once, whoever restores its state and however a
// commit ends.
import { expect, onTestFinished, test } from 'vitest'
import { createSimulatedBus } from '../../../src/bus/simulated/simulated-bus.ts'
import type { Bus, LogRecord, Output } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { ServiceError } from '../../../src/core/errors.ts'
import { kindOf } from '../../../src/core/log.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import type { Fold } from '../../../src/pipeline/fold.ts'
import { type Role, type RoleOptions, startRole } from '../../../src/pipeline/role.ts'

const topology: Topology = {
  prefix: 'r.',
  nodePartitions: 1,
  poolPartitions: 1,
  clock: 'driven',
  retentionMs: 1e9,
}

/** Says of each record with a body how many it has seen. */
class Counting implements Fold {
  #count = 0

  fold(record: LogRecord): readonly Output[] {
    if (record.value === null || kindOf(record) !== undefined) return []
    this.#count++
    const value = `${toText(record.value)}=${this.#count}`
    return [{ topic: 'r.journal', partition: 0, key: null, value }]
  }

  stats(): Readonly<Record<string, number>> {
    return { seen: this.#count }
  }
}

async function createWorld(clock: Topology['clock'] = 'driven') {
  const broker = createSimulatedBus({ seed: 3 })
  const bus = broker.open('test')
  await bus.create(topicSpecs(topology))
  const troubles: unknown[] = []
  const bugs: unknown[] = []
  const outcomes: string[] = []
  const start = (name: string, more: Partial<RoleOptions> = {}): Promise<Role> =>
    startRole({
      bus: broker.open(name),
      topology: { ...topology, clock },
      role: 'watcher',
      topic: 'node-log',
      createFold: async () => new Counting(),
      commitIntervalMs: 50,
      tickIntervalMs: 1_000,
      events: {
        committed: (_, outcome) => void outcomes.push(outcome),
        trouble: (_role, _partition, error) => void troubles.push(error),
        bug: (_role, _partition, error) => void bugs.push(error),
      },
      ...more,
    })
  onTestFinished(() => bus.close())
  return { broker, bus, start, troubles, bugs, outcomes }
}

async function log(bus: Bus, ...values: readonly string[]): Promise<void> {
  await bus.produce(
    values.map((value) => ({ topic: 'r.node-log', partition: 0, key: null, value })),
  )
}

async function all(bus: Bus, topic: string): Promise<readonly LogRecord[]> {
  const reader = await bus.read({ topic, from: 'start' })
  const records = await reader.take(0)
  await reader.close()
  return records
}

async function journal(bus: Bus): Promise<readonly string[]> {
  return (await all(bus, 'r.journal')).map(({ value }) => toText(value!))
}

test('a new owner folds everything again and says only what was not yet said', async () => {
  const { broker, bus, start } = await createWorld()
  await log(bus, 'a', 'b')
  await start('first')
  await broker.clock.advance(1_000)
  broker.crash('first')
  await log(bus, 'c')
  const second = await start('second')
  await broker.clock.advance(20_000)
  expect(await journal(bus)).toEqual(['a=1', 'b=2', 'c=3'])
  expect(second.stats()).toEqual(new Map([[0, { seen: 3 }]]))
  expect(second.readyPartitions()).toEqual([0])
})

test.each([
  { outcome: 'aborted' as const, written: false },
  { outcome: 'unknown' as const, written: false },
  { outcome: 'unknown' as const, written: true },
])('a commit that ends $outcome, written: $written, loses and repeats nothing', async (fault) => {
  const { broker, bus, start, outcomes } = await createWorld()
  await start('owner')
  await broker.clock.advance(500)
  broker.failNextCommit(fault)
  await log(bus, 'a')
  await broker.clock.advance(2_000)
  await log(bus, 'b')
  await broker.clock.advance(2_000)
  expect(await journal(bus)).toEqual(['a=1', 'b=2'])
  expect(outcomes).toContain(fault.outcome)
})

test('a partition whose commits only abort is given up, claimed again and goes on', async () => {
  const { broker, bus, start, outcomes } = await createWorld()
  await start('owner')
  await broker.clock.advance(500)
  for (let n = 0; n < 5; n++) broker.failNextCommit({ outcome: 'aborted', written: false })
  await log(bus, 'a')
  await broker.clock.advance(5_000)
  expect(await journal(bus)).toEqual(['a=1'])
  expect(outcomes).toEqual(['aborted', 'aborted', 'aborted', 'aborted', 'aborted', 'committed'])
  const claims = (await all(bus, 'r.node-log')).filter((record) => kindOf(record) === 'claim')
  expect(claims).toHaveLength(2)
})

test.each([
  { what: 'a trouble', error: new ServiceError('TABLE_FULL', 'no room') },
  { what: 'a bug', error: new Error('bug: broken') },
])('a fold that fails is told as $what, and the next one begins anew', async ({ what, error }) => {
  const { broker, bus, start, troubles, bugs } = await createWorld()
  let failed = false
  await start('owner', {
    createFold: async () => {
      const fold = new Counting()
      return {
        stats: () => fold.stats(),
        fold: (record) => {
          const fails = !failed && record.value !== null && toText(record.value) === 'b'
          failed ||= fails
          if (fails) throw error
          return fold.fold(record)
        },
      }
    },
  })
  await log(bus, 'a')
  await broker.clock.advance(1_000)
  await log(bus, 'b')
  await broker.clock.advance(5_000)
  expect([troubles, bugs]).toEqual(what === 'a bug' ? [[], [error]] : [[error], []])
  expect(await journal(bus)).toEqual(['a=1', 'b=2'])
})

test.each([
  { clock: 'arrival' as const, tickCount: 10 },
  { clock: 'driven' as const, tickCount: 0 },
])('under the $clock clock an owner ticks $tickCount times in ten seconds', async (wanted) => {
  const { broker, bus, start } = await createWorld(wanted.clock)
  await start('owner')
  await broker.clock.advance(9_900)
  const ticks = (await all(bus, 'r.node-log')).filter((record) => kindOf(record) === 'tick')
  expect(ticks).toHaveLength(wanted.tickCount)
})

test('offsets are never committed alone, and not more often than the interval', async () => {
  const { broker, bus, start, outcomes } = await createWorld('arrival')
  await start('owner', { commitIntervalMs: 400, tickIntervalMs: 1e9 })
  await broker.clock.advance(1_000)
  const before = outcomes.length
  await bus.produce([{ topic: 'r.node-log', partition: 0, key: null, value: null }])
  await broker.clock.advance(5_000)
  expect(outcomes).toHaveLength(before)
  for (let n = 0; n < 20; n++) {
    await log(bus, `v${n}`)
    await broker.clock.advance(100)
  }
  await broker.clock.advance(1_000)
  expect(await journal(bus)).toHaveLength(20)
  expect(outcomes.length - before).toBeGreaterThanOrEqual(5)
  expect(outcomes.length - before).toBeLessThanOrEqual(7)
})

test('what is urgent waits for no interval, and takes what was pending along', async () => {
  const { broker, bus, start } = await createWorld('arrival')
  await start('owner', {
    commitIntervalMs: 5_000,
    tickIntervalMs: 1e9,
    createFold: async () => {
      const fold = new Counting()
      return {
        stats: () => fold.stats(),
        fold: (record) => {
          const isUrgent = record.value !== null && toText(record.value).startsWith('urgent')
          return fold
            .fold(record)
            .map((output) => (isUrgent ? { ...output, urgent: true } : output))
        },
      }
    },
  })
  await broker.clock.advance(6_000)
  await log(bus, 'first')
  await broker.clock.advance(200)
  expect(await journal(bus)).toEqual(['first=1'])
  await log(bus, 'plain')
  await broker.clock.advance(200)
  expect(await journal(bus)).toEqual(['first=1'])
  await log(bus, 'urgent')
  await broker.clock.advance(200)
  expect(await journal(bus)).toEqual(['first=1', 'plain=2', 'urgent=3'])
})

test('a guard sees what is about to be sent and may hold it back', async () => {
  const { broker, bus, start } = await createWorld()
  await start('owner', {
    guard: (partition, outputs) => {
      expect(partition).toBe(0)
      return outputs.filter(({ value }) => !String(value).startsWith('secret'))
    },
  })
  await log(bus, 'a', 'secret', 'b')
  await broker.clock.advance(1_000)
  expect(await journal(bus)).toEqual(['a=1', 'b=3'])
})

test('how far it is behind and what waits is told of each partition', async () => {
  const { broker, bus, start } = await createWorld()
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  const role = await start('owner', {
    createFold: async () => {
      const fold = new Counting()
      return {
        stats: () => fold.stats(),
        fold: async (record) => {
          if (record.value !== null && toText(record.value) === 'stuck') await gate
          return fold.fold(record)
        },
      }
    },
  })
  await broker.clock.advance(1_000)
  const claims = { lagRecords: 0, pendingOutputs: 0 }
  expect(role.leases().get(0)).toMatchObject({ ...claims, buffer: { bytes: 0, paused: false } })
  await log(bus, 'stuck')
  await broker.clock.advance(1_000)
  await log(bus, 'a', 'b', 'c')
  await broker.clock.advance(2_000)
  const { buffer } = role.leases().get(0)!
  expect(buffer).toMatchObject({ recordCount: 3, bytes: 3, paused: false })
  expect(buffer.bytesMax).toBeGreaterThan(1_000_000)
  await broker.clock.advance(10)
  expect(role.leases().get(0)!.lagRecords, 'though the owner is stuck').toBe(3)
  open()
  await broker.clock.advance(5_000)
  expect(role.leases().get(0)).toMatchObject({ lagRecords: 0, buffer: { recordCount: 0 } })
  await role.stop()
  expect(role.leases()).toEqual(new Map())
})

/** A role whose folds are counted as they are made and freed. */
function counted() {
  const made: Counting[] = []
  const freed: Fold[] = []
  const createFold = async (): Promise<Fold> => {
    const fold = Object.assign(new Counting(), { dispose: () => void freed.push(fold) })
    made.push(fold)
    return fold
  }
  return { made, freed, createFold }
}

test.each([{ written: false }, { written: true }])(
  'after a commit of unknown end, written: $written, the fold goes on where it was',
  async ({ written }) => {
    const { broker, bus, start } = await createWorld()
    const { made, freed, createFold } = counted()
    const role = await start('owner', { createFold })
    await broker.clock.advance(500)
    broker.failNextCommit({ outcome: 'unknown', written })
    await log(bus, 'a')
    await broker.clock.advance(2_000)
    await log(bus, 'b')
    await broker.clock.advance(2_000)
    expect(await journal(bus)).toEqual(['a=1', 'b=2'])
    expect(made).toHaveLength(1)
    await role.stop()
    expect(freed).toEqual(made)
  },
)

test('a partition that comes back goes on from there, and says only what nobody has said', async () => {
  const { broker, bus, start } = await createWorld()
  const { made, createFold } = counted()
  await start('first', { createFold })
  await log(bus, 'a')
  await broker.clock.advance(1_000)
  const second = await start('second')
  broker.expireOwner('r.watcher', 0)
  await log(bus, 'b')
  await broker.clock.advance(10_000)
  await second.stop()
  await log(bus, 'c')
  await broker.clock.advance(10_000)
  expect(await journal(bus)).toEqual(['a=1', 'b=2', 'c=3'])
  expect(made).toHaveLength(1)
})

test('a fold that has missed what retention took is freed, and another is made', async () => {
  const { broker, bus, start } = await createWorld()
  const { made, freed, createFold } = counted()
  const role = await start('first', { createFold })
  await log(bus, 'a')
  await broker.clock.advance(1_000)
  const second = await start('second')
  broker.expireOwner('r.watcher', 0)
  await log(bus, 'b')
  await broker.clock.advance(10_000)
  await log(bus, 'c')
  broker.stepLogClock(2 * topology.retentionMs)
  await log(bus, 'd')
  await broker.clock.advance(1_000)
  broker.clean()
  await second.stop()
  await broker.clock.advance(10_000)
  expect(made).toHaveLength(2)
  expect(freed).toEqual([made[0]])
  expect(role.stats()).toEqual(new Map([[0, { seen: 1 }]]))
})
