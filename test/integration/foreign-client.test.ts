/**
 * Goal: a client that shares no code with ours can drive the service on a real broker.
 * Method: kcat sends joins, placements and JSON telemetry, plays the executor that answers a command,
 * and reads the commands back. Real time and the packaged server class: silence takes 15 s.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import { packagedModel } from '../../src/commands/package.ts'
import { createVerifier, loadSigner } from '../../src/config/keys.ts'
import type { Command } from '../../src/core/command.ts'
import type { NodeId } from '../../src/core/ids.ts'
import { topicName, type TopicName, topicSpecs } from '../../src/core/topics.ts'
import { startService } from '../../src/pipeline/service.ts'
import { serviceOptions, topologyOf } from '../support/deployment.ts'
import { kafkaBrokers, kcat, uniquePrefix } from '../support/kafka.ts'
import { type CatRecord, produceKeyed, readAll } from '../support/kcat.ts'
import { placementOn } from '../support/server-pulse.ts'
import { until } from '../support/until.ts'

const PARTITIONS = 2
const BEAT_MS = 1_000
const LIMIT_MS = 40_000
const TEST_LIMIT_MS = 120_000
const NODES = ['alpha', 'beta', 'gamma']

const brokers = (await kafkaBrokers()) ?? []
const program = kcat() ?? ''
const closers: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

describe.skipIf(brokers.length === 0 || program === '')('kcat', () => {
  test(
    'sends telemetry, and reads a fence and a recovery when a node falls silent',
    async () => {
      const { read, send, publicKey, beats, silence } = await world()
      const placements = NODES.map((node) => placementOn(node as NodeId))
      const capacity = { cpu: 8, memoryBytes: 32e9 }
      await send(
        'events',
        ...placements.map(
          ({ node, pool }) => [node!, { kind: 'join', node, pool, capacity }] as const,
        ),
      )
      await send('placements', ...placements.map((each) => [each.workload, each] as const))
      await until('every node was heard of', LIMIT_MS, () => beats() > 5)
      silence('beta')
      const fence = await until('a fence', LIMIT_MS, async () => commandOf(await read(), 'fence'))
      expectEvent(fence.record, 'fence', publicKey)
      expect(fence.command).toMatchObject({ node: 'beta', workload: null, dryRun: false })

      const { commandId, epoch, pool, node } = fence.command
      const done = { commandId, epoch, pool, node, state: 'succeeded', atMs: Date.now() }
      await send('results', [pool, done])
      const recover = await until('a recovery', LIMIT_MS, async () => {
        return commandOf(await read(), 'recover')
      })
      expectEvent(recover.record, 'recover', publicKey)
      expect(recover.command).toMatchObject({
        incidentId: fence.command.incidentId,
        node: 'beta',
        workload: 'beta-work',
        precondition: { kind: 'fenced', node: 'beta' },
      })
      expect(['alpha', 'gamma']).toContain(recover.command.target)
      expect(recover.command.expiresAtMs).toBeGreaterThan(Date.now())
      expect(recover.command.reasons.join(' ')).toMatch(/no sign of life/)
      expect(await read(), 'one fence and one recovery').toHaveLength(2)
    },
    TEST_LIMIT_MS,
  )

  test.skipIf(!existsSync(join(packagedModel('fleet'), 'card.json')))(
    'sends telemetry and reads predictions of the fleet model',
    async () => {
      const { read, send, beats } = await world({ server: packagedModel('fleet') })
      const joins = NODES.map((node) => [node, { kind: 'join', node, pool: 'web' }] as const)
      await send('events', ...joins)
      await until('every node was heard of', LIMIT_MS, () => beats() > 2)
      const predictions = await until('predictions of all', LIMIT_MS, async () => {
        const records = await read('predictions')
        const nodes = new Set(records.map(({ headers }) => headers['ce_subject']))
        return NODES.every((node) => nodes.has(node)) && records
      })
      for (const { value } of predictions) {
        const { probability } = JSON.parse(value.toString()) as { readonly probability: number }
        expect(probability).toBeGreaterThanOrEqual(0)
        expect(probability).toBeLessThanOrEqual(1)
      }
    },
    TEST_LIMIT_MS,
  )
})

/** A service, and kcats that send one sample of each node a second. */
async function world(models: Readonly<Record<string, string>> = {}) {
  const prefix = uniquePrefix('foreign')
  const topology = topologyOf(prefix, 'arrival', PARTITIONS)
  const stateDirectory = mkdtempSync(join(tmpdir(), 'foreshock-foreign-'))
  closers.push(() => rmSync(stateDirectory, { recursive: true, force: true }))
  const bus = await openKafkaBus({ brokers, clientId: 'foreign', prefix })
  closers.push(() => bus.close())
  await bus.create(topicSpecs(topology))
  const service = await startService({
    ...(await serviceOptions(bus, topology, stateDirectory)),
    models,
  })
  closers.push(() => service.stop())

  const send = (name: TopicName, ...records: readonly (readonly [string, unknown])[]) =>
    produceKeyed(program, brokers, topicName(topology, name), records)
  const alive = new Set(NODES)
  let beatCount = 0
  const stopping = new AbortController()
  const beat = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const at = new Date().toISOString()
      const metrics = { cpu_utilization: 0.4, cpu_temperature: 55 }
      const samples = [...alive].map((node) => {
        return [node, { node, class: 'server', at, metrics }] as const
      })
      await send('telemetry', ...samples)
      beatCount++
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS))
    }
  }
  const beating = beat()
  closers.push(() => {
    stopping.abort()
    return beating
  })
  return {
    send,
    read: (name: TopicName = 'commands.recovery') =>
      readAll(program, brokers, topicName(topology, name)),
    publicKey: loadSigner(stateDirectory).publicKey,
    beats: () => beatCount,
    silence: (node: string) => alive.delete(node),
  }
}

function commandOf(records: readonly CatRecord[], action: Command['action']) {
  const found = records
    .map((record) => ({ record, command: JSON.parse(record.value.toString()) as Command }))
    .filter(({ command }) => command.action === action)
  return found[0]
}

/** CloudEvents in binary mode, signed over the exact bytes. */
function expectEvent({ headers, value }: CatRecord, action: string, publicKey: string): void {
  const { commandId, node } = JSON.parse(value.toString()) as Command
  expect(headers).toMatchObject({
    ce_specversion: '1.0',
    ce_type: `foreshock.command.${action}`,
    ce_id: commandId,
    ce_subject: node,
    'content-type': 'application/json',
  })
  const verify = createVerifier(publicKey)
  const signature = headers['signature'] ?? ''
  expect(verify(value, signature), 'the signature is good').toBe(true)
  const forged = Buffer.concat([value, Buffer.from(' ')])
  expect(verify(forged, signature), 'it is over these very bytes').toBe(false)
}
