/**
 * Goal: however many processes share the work, and whichever of them dies, no sample is lost or counted
 * twice in any state. Method: one history three times on the same broker: through one process, through
 * two that share every role and die in turn, and through two that split the roles. What was logged and
 * the fingerprint of every feature row must be the same.
 */
import { tableFromIPC } from 'apache-arrow'
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { KIND } from '../../../src/core/log.ts'
import { topicName, topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { ROLES, type RoleName } from '../../../src/pipeline/service.ts'
import { feedSteps } from '../../support/history/feed.ts'
import { differences, type RowHashes } from '../../support/history/history-rows.ts'
import {
  driveSteps,
  parityTopology,
  predictedRows,
  startParityService,
} from '../../support/history/log-rows.ts'
import type { Ready } from '../../support/history/member.ts'
import { MINUTE_MS } from '../../support/history/parity-classes.ts'
import { serverHistory } from '../../support/history/parity-history.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { until } from '../../support/until.ts'

const PARTITIONS = 4
const SEED = 41
const NODES = 24
const WAIT_MS = 40_000
const MID_STEP_MS = 30
const MEMBER = join(import.meta.dirname, '../../support/history/member.ts')

const brokers = await kafkaBrokers()
const members = new Set<Member>()
const history = serverHistory(NODES, SEED)

interface Outcome {
  readonly rows: RowHashes
  /** `node@time` → how often it is in the node-log: a history repeats some itself. */
  readonly samples: ReadonlyMap<string, number>
}

afterEach(() => {
  for (const member of members) member.kill()
})

describe.skipIf(brokers === null)('what the service knows in the end', () => {
  let alone: Outcome

  beforeAll(async () => {
    const { bus, topology } = await deployment('alone')
    const service = await startParityService(bus, topology)
    try {
      alone = await outcome(bus, topology, () => Promise.resolve())
    } finally {
      await service.stop()
      await bus.close()
    }
    expect(alone.rows.size).toBeGreaterThan(NODES)
  })

  test('is that of one process, when two share the work and are killed in turn', async () => {
    const { bus, topology } = await deployment('shared')
    onTestFinished(() => bus.close())
    const pair = [new Member(topology, ROLES), new Member(topology, ROLES)]
    let kills = 0
    const shared = await outcome(bus, topology, async (progress) => {
      if (kills === pair.length || progress < 0.3 + 0.3 * kills) return
      for (const member of pair) await member.untilAtWork()
      // The next step is published at once: it dies in the middle of that.
      const victim = pair[kills]
      setTimeout(() => victim.kill(), MID_STEP_MS)
      pair[kills] = new Member(topology, ROLES)
      kills++
    })
    expect(kills).toBe(2)
    expectSame(shared, alone)
  })

  test('is that of one process, when the roles are split over two', async () => {
    const { bus, topology } = await deployment('split')
    onTestFinished(() => bus.close())
    const [ingest, rest] = [['ingest'], ['watcher', 'coordinator']] as const
    const [first, second] = [new Member(topology, ingest), new Member(topology, rest)]
    await until('each has the whole of its roles', WAIT_MS, () => {
      return first.ready.ingest === PARTITIONS && second.ready.watcher === PARTITIONS
    })
    expect([first.ready.watcher, second.ready.ingest]).toEqual([0, 0])
    const heirs: Member[] = []
    const split = await outcome(bus, topology, async (progress) => {
      if (heirs.length > 0 || progress < 0.5) return
      setTimeout(() => second.kill(), MID_STEP_MS)
      heirs.push(new Member(topology, rest))
    })
    expectSame(split, alone)
  })
})

function expectSame(found: Outcome, wanted: Outcome): void {
  expect(differences(wanted.rows, found.rows)).toEqual([])
  expect(found.samples).toEqual(wanted.samples)
}

async function deployment(
  name: string,
): Promise<{ readonly bus: Bus; readonly topology: Topology }> {
  const topology = parityTopology(uniquePrefix(name), PARTITIONS)
  const options = { brokers: brokers!, clientId: name, prefix: topology.prefix }
  const bus = await openKafkaBus(options)
  await bus.create(topicSpecs(topology))
  return { bus, topology }
}

/** Drives the whole history; `meanwhile` hears before each step how much of it is done, 0 to 1. */
async function outcome(
  bus: Bus,
  topology: Topology,
  meanwhile: (progress: number) => Promise<void>,
): Promise<Outcome> {
  const steps = feedSteps({
    topology,
    histories: [history],
    stepMs: [5 * MINUTE_MS],
    seed: SEED,
    rowsPerRecordMax: 20,
  })
  const beforeStep = (index: number): Promise<void> => meanwhile(index / steps.length)
  await driveSteps({ bus, topology, steps, beforeStep })
  const samples = await loggedSamples(bus, topology)
  return { rows: await predictedRows(bus, topology), samples }
}

async function loggedSamples(bus: Bus, topology: Topology): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  const topic = topicName(topology, 'node-log')
  const ends = await bus.ends(topic)
  const last = ends.map((_, partition) => ({ topic, partition, key: null, value: null }))
  await bus.produce(last)
  const reader = await bus.read({ topic, from: 'start' })
  for (let ended = 0; ended < last.length;) {
    for (const { headers, value } of await reader.take(200)) {
      if (value === null) ended++
      if (value === null || headers[KIND] !== 'samples') continue
      const table = tableFromIPC(value)
      const [nodes, times] = [table.getChild('node'), table.getChild('at')]
      for (let row = 0; row < table.numRows; row++) {
        const key = `${String(nodes?.get(row))}@${Number(times?.get(row))}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    }
  }
  await reader.close()
  return counts
}

class Member {
  ready: Ready = { ingest: 0, watcher: 0, coordinator: 0 }
  readonly #child: ChildProcess
  readonly #roles: readonly RoleName[]

  constructor({ prefix, nodePartitions }: Topology, roles: readonly RoleName[]) {
    this.#roles = roles
    const words = [(brokers ?? []).join(), prefix, `${nodePartitions}`, roles.join()]
    this.#child = spawn(process.execPath, ['--import', 'tsx', MEMBER, ...words], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('message', (ready: Ready) => {
      this.ready = ready
    })
    members.add(this)
  }

  /** It has partitions of each of its roles. */
  async untilAtWork(): Promise<void> {
    await until('a member has work', WAIT_MS, () =>
      this.#roles.every((role) => this.ready[role] > 0),
    )
  }

  kill(): void {
    members.delete(this)
    this.#child.kill('SIGKILL')
  }
}
