/**
 * Goal: a deployment gets more partitions by the procedure of the README, and goes on with what its
 * fleet had said of itself. Method: the procedure, step by step: drain, stop, new topics, copy, start,
 * switch; then a failure must be answered as if nothing had happened.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { runTopicsCopy } from '../../../src/commands/topics-copy.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import {
  INPUT_TOPICS,
  topicName,
  type TopicName,
  topicSpecs,
  type Topology,
} from '../../../src/core/topics.ts'
import { groupName } from '../../../src/pipeline/role.ts'
import { type RoleName, type Service, startService } from '../../../src/pipeline/service.ts'
import { SESSION_TIMEOUT_MS, serviceOptions, topologyOf } from '../../support/deployment.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { publicOutput, ServerPulse } from '../../support/server-pulse.ts'
import { until } from '../../support/until.ts'

const WAIT_MS = 40_000
const brokers = await kafkaBrokers()

test.skipIf(brokers === null)('from two partitions to five', async () => {
  const bus = await openKafkaBus({
    brokers: brokers!,
    clientId: 'growth',
    prefix: uniquePrefix('growth'),
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  })
  onTestFinished(() => bus.close())
  const before = topologyOf(uniquePrefix('before'), 'arrival', 2)
  const after = topologyOf(uniquePrefix('after'), 'arrival', 5)

  // A fleet at work: `left` goes, the others stay.
  await bus.create(topicSpecs(before))
  const old = await start(bus, before)
  const pulse = new ServerPulse(bus, before, ['a', 'b', 'left'])
  await pulse.start()
  await known(bus, before, ['a', 'b', 'left'])
  pulse.silence('left')
  const leave = { kind: 'leave', node: 'left', at: Date.now() }
  await bus.produce([publicOutput(before, 'events', 'left', leave)])

  // 1. Producers stop, what they sent is folded, the service stops.
  await pulse.stop()
  await drained(bus, before)
  await old.stop()
  // 2. New topics, and what the fleet had said of itself.
  await bus.create(topicSpecs(after))
  const copied = await runTopicsCopy(bus, before.prefix, after)
  expect(copied).toEqual({ nodes: 2, placements: 3 })
  // 3. The service starts on them, and the producers switch.
  const grown = await start(bus, after)
  onTestFinished(() => grown.stop())
  await known(bus, after, ['a', 'b'])

  const topic = topicName(after, 'commands.recovery')
  const commands = await bus.read({ topic, from: 'start' })
  const failure = { kind: 'failure', node: 'a', at: Date.now(), failureKind: 'power' }
  await bus.produce([publicOutput(after, 'events', 'a', failure)])
  const fence = await until('the failure is answered', WAIT_MS, async () => {
    await beat(bus, after)
    return (await commands.take(100))[0]
  })
  expect(JSON.parse(toText(fence.value!))).toMatchObject({
    action: 'fence',
    node: 'a',
    pool: 'web',
  })
})

async function start(bus: Bus, topology: Topology): Promise<Service> {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'foreshock-growth-'))
  return await startService(await serviceOptions(bus, topology, stateDirectory))
}

/** Telemetry alone, without a join or a placement. */
async function beat(bus: Bus, topology: Topology): Promise<void> {
  const metrics = { cpu_utilization: 0.5 }
  const sample = (node: string) => ({ node, at: Date.now(), metrics })
  await bus.produce([publicOutput(topology, 'telemetry', 'b', sample('b'))])
}

async function known(bus: Bus, topology: Topology, nodes: readonly string[]): Promise<void> {
  const reader = await bus.read({ topic: topicName(topology, 'nodes'), from: 'start' })
  const found = new Set<string>()
  await until(`${nodes.join()} are known`, WAIT_MS, async () => {
    for (const { key } of await reader.take(100)) found.add(toText(key!))
    return nodes.every((node) => found.has(node))
  })
  await reader.close()
}

/** Ingest has committed all input, then the watchers all of what came of it. */
async function drained(bus: Bus, topology: Topology): Promise<void> {
  const inputs = INPUT_TOPICS.filter((name) => name !== 'clock')
  for (const name of inputs) await committed(bus, topology, 'ingest', name)
  await committed(bus, topology, 'watcher', 'node-log')
}

/** Everything that was there at the call; what ticks go on to append does not count. */
async function committed(
  bus: Bus,
  topology: Topology,
  role: RoleName,
  name: TopicName,
): Promise<void> {
  const topic = topicName(topology, name)
  const ends = await bus.ends(topic)
  await until(`${role} has folded ${topic}`, WAIT_MS, async () => {
    const next = await bus.committed(groupName(topology, role), topic)
    return ends.every((end, partition) => (next[partition] ?? 0) >= end)
  })
}
