// Goal: another deployment gets the fleet as it is now, whatever happened before and in whatever order.
import { expect, test } from 'vitest'
import { createSimulatedBus } from '../../../src/bus/simulated/simulated-bus.ts'
import { runTopicsCopy } from '../../../src/commands/topics-copy.ts'
import type { LogRecord } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { logOutput } from '../../../src/core/log.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import { topicName, type TopicName, topicSpecs, type Topology } from '../../../src/core/topics.ts'

const topology = (prefix: string, partitions: number): Topology => ({
  prefix,
  nodePartitions: partitions,
  poolPartitions: partitions,
  clock: 'arrival',
  retentionMs: 3_600_000,
})
const OLD = topology('old.', 2)
const NEW = topology('new.', 5)

const join = (node: string, atMs: number, pool = 'web') => ({
  kind: 'join',
  node,
  atMs,
  class: 'server',
  pool,
  labels: { rack: 'r1', floor: '2' },
  place: { zone: 'z', region: null, latitude: null, longitude: null },
  capacity: { cpu: 8, memoryBytes: 16e9, gpu: null },
})

interface Fact {
  readonly node: string
  readonly [more: string]: unknown
}

/** The copy of what these facts and placements say. */
async function copied(
  facts: readonly (readonly [partition: number, fact: Fact])[],
  placements: readonly (readonly [workload: string, body: string | null])[] = [],
) {
  const broker = createSimulatedBus({ seed: 1, faults: {} })
  const bus = broker.open('copier')
  await bus.create([...topicSpecs(OLD), ...topicSpecs(NEW)])
  await bus.produce([
    ...facts.map(([partition, fact]) => {
      return logOutput('old.pool-log', partition, 'node-fact', fact.node, fact)
    }),
    logOutput('old.pool-log', 0, 'tick', null, { source: 0, atMs: 1, step: 0 }),
    ...placements.map(([key, value]) => ({ topic: 'old.placements', partition: 0, key, value })),
  ])
  const copying = runTopicsCopy(bus, OLD.prefix, NEW)
  await broker.clock.advance(60_000)
  const counts = await copying
  const read = async (name: TopicName): Promise<readonly LogRecord[]> => {
    const reader = await bus.read({ topic: topicName(NEW, name), from: 'start' })
    return await reader.take(0)
  }
  const [events, placed] = [await read('events'), await read('placements')]
  for (const { key, partition } of [...events, ...placed]) {
    expect(partition).toBe(partitionOf(toText(key!), NEW.nodePartitions))
  }
  return {
    counts,
    joins: events.map((event) => JSON.parse(toText(event.value!)) as unknown),
    placed,
  }
}

test('a node is copied as its last join and what changed since; those that ended are not', async () => {
  const { counts, joins } = await copied([
    [0, join('moved', 10)],
    [1, { kind: 'labels', node: 'moved', atMs: 30, labels: { pool: 'db', rack: null } }],
    [0, join('left', 10)],
    [0, { kind: 'leave', node: 'left', atMs: 20 }],
    [1, join('failed', 10)],
    [1, { kind: 'failure', node: 'failed', atMs: 20, failureKind: 'power' }],
    [1, { kind: 'failure', node: 'back', atMs: 20, failureKind: 'power' }],
    [1, join('back', 30)],
  ])
  expect(counts).toEqual({ nodes: 2, placements: 0 })
  const moved = { ...join('moved', 10, 'db'), labels: { floor: '2', pool: 'db' } }
  expect(joins).toHaveLength(2)
  expect(joins).toEqual(expect.arrayContaining([moved, join('back', 30)]))
})

test('an older fact that is read later changes nothing', async () => {
  const { joins } = await copied([
    [0, join('n', 50)],
    [1, { kind: 'leave', node: 'n', atMs: 20 }],
  ])
  expect(joins).toEqual([join('n', 50)])
})

test('of each workload the last placement is copied, and none that is gone', async () => {
  const { counts, placed } = await copied(
    [],
    [
      ['shop', '{"node":"a"}'],
      ['gone', '{"node":"a"}'],
      ['shop', '{"node":"b"}'],
      ['gone', null],
    ],
  )
  expect(counts).toEqual({ nodes: 0, placements: 1 })
  expect(placed.map(({ key, value }) => [toText(key!), toText(value!)])).toEqual([
    ['shop', '{"node":"b"}'],
  ])
})
