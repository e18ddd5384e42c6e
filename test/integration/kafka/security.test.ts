/**
 * Goal: on a secured cluster each role can do its work and nothing more, and whoever is refused is
 * told why. Method: a broker with TLS, SCRAM and ACLs; every role a user of its own, with its password
 * in its own client; then one failure goes all the way from a sample to its commands.
 */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ACCESS_ROLES, type AccessRole, grantAccess } from '../../../src/bus/kafka/access.ts'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { KafkaBusOptions } from '../../../src/bus/kafka/client.ts'
import type { Bus, Output } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { topicName, type TopicName, topicSpecs } from '../../../src/core/topics.ts'
import { ROLES, type Service, startService } from '../../../src/pipeline/service.ts'
import { VIEW_TOPICS } from '../../../src/store/views.ts'
import { serviceOptions, topologyOf } from '../../support/deployment.ts'
import { uniquePrefix } from '../../support/kafka.ts'
import {
  canRunBrokers,
  type OwnBrokers,
  ownBrokers,
  passwordOf,
} from '../../support/own-brokers.ts'
import { ServerPulse } from '../../support/server-pulse.ts'
import { until } from '../../support/until.ts'

const PORT = 19_692
const WAIT_MS = 40_000

const topology = topologyOf(uniquePrefix('secure'), 'arrival', 2)
const buses: Bus[] = []
let own: OwnBrokers

describe.skipIf(!(await canRunBrokers()))('a secured broker', () => {
  beforeAll(async () => {
    own = await ownBrokers(PORT, 'up', '--secure', '--fresh')
    const admin = await open('admin')
    await admin.create(topicSpecs(topology))
    const users = Object.fromEntries(ACCESS_ROLES.map((role) => [role, role]))
    await grantAccess(optionsOf('admin'), topology, users)
    const names = topicSpecs(topology).map(({ name }) => name)
    const last = await open(ACCESS_ROLES.at(-1)!)
    await until('the grants are in force', WAIT_MS, async () => {
      return (await last.describe(names)).size === names.length
    })
  })

  afterAll(async () => {
    for (const bus of buses) await bus.close()
    await ownBrokers(PORT, 'down', '--fresh')
  })

  test('tells who was refused, and what to mend', async () => {
    const wrong = openKafkaBus({ ...optionsOf('watcher'), ...saslOf('watcher', 'guessed') })
    await expect(wrong).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
      message: expect.stringMatching(
        /refuses user "watcher".*Mend kafka\.sasl\.username, password/,
      ),
    })
    const stranger = openKafkaBus({ ...optionsOf('watcher'), ssl: true, connectAttemptsMax: 1 })
    await expect(stranger).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
      message: expect.stringMatching(/certificate.*kafka\.ssl_ca/),
    })
  })

  test('lets each role do its work, from a sample to the command', async () => {
    const services: Service[] = []
    const stateDirectory = mkdtempSync(join(tmpdir(), 'foreshock-secure-'))
    const agent = await open('agent')
    const pulse = new ServerPulse(agent, topology, ['a', 'b', 'c'])
    try {
      for (const role of ROLES) {
        const options = await serviceOptions(await open(role), topology, stateDirectory)
        services.push(await startService({ ...options, roles: [role] }))
      }
      await pulse.start()
      const console_ = await open('console')
      const nodes = await console_.read({ topic: topicName(topology, 'nodes'), from: 'start' })
      const known = new Set<string>()
      await until('all nodes are known', WAIT_MS, async () => {
        for (const { key } of await nodes.take(100)) known.add(toText(key!))
        return known.size === 3
      })
      const topic = topicName(topology, 'commands.recovery')
      const commands = await agent.read({ topic, from: 'start' })
      await agent.produce([failureOf('a')])
      const found = await until('a command', WAIT_MS, async () => (await commands.take(100))[0])
      expect(found.headers['ce_subject']).toBe('a')
      for (const name of VIEW_TOPICS) {
        const reader = await console_.read({ topic: topicName(topology, name), from: 'start' })
        await reader.close()
      }
    } finally {
      await pulse.stop()
      for (const service of services) await service.stop()
    }
  })

  test.each<{ readonly role: AccessRole; readonly not: readonly TopicName[] }>([
    { role: 'ingest', not: ['telemetry', 'predictions', 'commands.recovery', 'stop'] },
    { role: 'watcher', not: ['telemetry', 'commands.migration', 'controls', 'journal'] },
    { role: 'coordinator', not: ['telemetry', 'predictions', 'controls', 'stop'] },
    { role: 'console', not: ['commands.recovery', 'node-log', 'predictions', 'journal'] },
    { role: 'agent', not: ['commands.recovery', 'pool-log', 'controls', 'stop'] },
  ])('lets $role write to no topic of others', async ({ role, not }) => {
    const bus = await open(role)
    for (const name of not) {
      const output = { topic: topicName(topology, name), partition: 0, key: null, value: 'x' }
      await expect(bus.produce([output]), name).rejects.toMatchObject({
        code: 'ACCESS_DENIED',
        message: expect.stringContaining(`user "${role}"`),
      })
    }
    const foreign = { name: `${topology.prefix}more`, partitions: 1, cleanup: 'delete' as const }
    await expect(bus.create([foreign])).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
  })

  test('lets nobody take over the group of another role', async () => {
    const bus = await open('agent')
    let gained = 0
    await bus.join({
      group: `${topology.prefix}coordinator`,
      role: 'coordinator',
      topics: [topicName(topology, 'pool-log')],
      claimTopic: null,
      onGained: () => gained++,
    })
    // kafkajs hides the broker's reason behind its own words for it.
    await until('the refusal', WAIT_MS, () =>
      /find group coordinator/.test(bus.health().lastError ?? ''),
    )
    expect(gained).toBe(0)
  })
})

function failureOf(node: string): Output {
  const failure = { kind: 'failure', node, at: Date.now(), failureKind: 'power' }
  const value = JSON.stringify(failure)
  return { topic: topicName(topology, 'events'), partition: 0, key: node, value }
}

async function open(user: string): Promise<Bus> {
  const bus = await openKafkaBus(optionsOf(user))
  buses.push(bus)
  return bus
}

function optionsOf(user: string): KafkaBusOptions {
  return {
    brokers: own.brokers,
    clientId: user,
    prefix: topology.prefix,
    ssl: { ca: [readFileSync(join(own.secrets!, 'ca.pem'), 'utf8')] },
    ...saslOf(user, passwordOf(own, user)),
  }
}

function saslOf(username: string, password: string): Required<Pick<KafkaBusOptions, 'sasl'>> {
  return { sasl: { mechanism: 'scram-sha-512', username, password } }
}
