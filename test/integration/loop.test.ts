/**
 * Goal: telemetry in, silence seen, work recovered, result written down, on each bus that serves; and
 * what looks like silence but is our own absence, or a history run at speed, blames nobody.
 * Method: a service in this process, servers that beat every second or less, and executors that do at
 * once what they are told. A server is silent here after 3 s instead of 15.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { openEmbeddedBus } from '../../src/bus/embedded/embedded-bus.ts'
import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import { createVerifier, loadSigner } from '../../src/config/keys.ts'
import type { Bus, LogRecord, Output } from '../../src/core/bus.ts'
import { toText } from '../../src/core/bytes.ts'
import type { Command, JournalEntry } from '../../src/core/command.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { NodeClass } from '../../src/core/node.ts'
import type { Policy } from '../../src/core/policy.ts'
import { topicName, type TopicName, topicSpecs, type Topology } from '../../src/core/topics.ts'
import { ClockDriver } from '../../src/pipeline/clock-driver.ts'
import { driveWorld } from '../../src/pipeline/driven-world.ts'
import { type Service, startService, untilReady } from '../../src/pipeline/service.ts'
import { POLICY, serviceOptions, topologyOf } from '../support/deployment.ts'
import { InstantFleet } from '../support/instant-fleet.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { placementOn, publicOutput, ServerPulse } from '../support/server-pulse.ts'
import { until } from '../support/until.ts'

const PARTITIONS = 2
const SECOND_MS = 1_000
const WEEK_MS = 7 * 86_400_000
const LIMIT_MS = 60_000
const DETECTION_WINDOW_MS = 6 * SECOND_MS
/** Silent after three seconds. */
const QUICK: Partial<NodeClass> = {
  heartbeatIntervalMs: SECOND_MS,
  detectionWindowMs: DETECTION_WINDOW_MS,
}
/** The least that a clock of weekly steps allows: what is sent in one step is carried out in the next. */
const TWO_STEPS: Policy = { ...POLICY, commandTtlMs: 2 * WEEK_MS }
/** Looked at once a week; it still beats every few seconds, of which a history of weeks shows nothing. */
const WEEKLY: Partial<NodeClass> = { predictionIntervalMs: WEEK_MS }
const NODES = ['n0', 'n1', 'n2', 'n3']

const brokers = await kafkaBrokers()
const closers: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-loop-'))
  closers.push(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function openBus(kind: 'kafka' | 'embedded', prefix: string): Promise<Bus> {
  const bus =
    kind === 'kafka'
      ? await openKafkaBus({ brokers: brokers ?? [], clientId: 'loop', prefix })
      : await openEmbeddedBus({ directory: join(newDirectory(), 'bus') })
  closers.push(() => bus.close())
  return bus
}

/** A service of its own, and everything about it that a test wants to see. */
class Deployment {
  readonly bus: Bus
  readonly topology: Topology
  readonly stateDirectory = newDirectory()

  constructor(bus: Bus, topology: Topology) {
    this.bus = bus
    this.topology = topology
  }

  async start(changes: Partial<NodeClass>, policy: Policy = POLICY): Promise<Service> {
    const options = await serviceOptions(this.bus, this.topology, this.stateDirectory)
    const changed = [...options.nodeClasses].map(
      ([name, each]) => [name, { ...each, ...changes }] as const,
    )
    const service = await startService({
      ...options,
      nodeClasses: new Map(changed),
      policyFor: () => policy,
      policies: [policy],
    })
    closers.push(() => service.stop())
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), LIMIT_MS)
    expect(await untilReady(service, options, limit.signal), 'every partition is owned').toBe(true)
    clearTimeout(timer)
    return service
  }

  fleet(nowMs: () => number): InstantFleet {
    const { bus, topology } = this
    const verify = createVerifier(loadSigner(this.stateDirectory).publicKey)
    const fleet = new InstantFleet({ bus, topology, verify, nowMs })
    closers.push(() => fleet.close())
    return fleet
  }

  async read<Body>(name: TopicName): Promise<readonly Body[]> {
    const topic = topicName(this.topology, name)
    const left = (await this.bus.ends(topic)).reduce((sum, end) => sum + end, 0)
    if (left === 0) return []
    const reader = await this.bus.read({ topic, from: 'start' })
    const records: LogRecord[] = []
    // Offsets of transactions' ends count as well, so the end is where nothing more comes.
    for (let more = await reader.take(SECOND_MS); more.length > 0;) {
      records.push(...more)
      more = await reader.take(SECOND_MS)
    }
    await reader.close()
    return records.map(({ value }) => JSON.parse(toText(value!)) as Body)
  }

  async told(): Promise<readonly string[]> {
    const commands = await this.read<Command>('commands.recovery')
    return commands
      .map(({ action, node, workload }) => [action, node, workload ?? ''].join(' ').trim())
      .sort()
  }
}

async function deploy(
  kind: 'kafka' | 'embedded',
  clock: Topology['clock'] = 'arrival',
): Promise<Deployment> {
  const prefix = uniquePrefix('loop')
  const bus = await openBus(kind, prefix)
  const topology = topologyOf(prefix, clock, PARTITIONS)
  await bus.create(topicSpecs(topology))
  return new Deployment(bus, topology)
}

async function startPulse(
  { bus, topology }: Deployment,
  fleet: InstantFleet,
): Promise<ServerPulse> {
  const pulse = new ServerPulse(bus, topology, NODES)
  closers.push(() => pulse.stop())
  for (const placement of await pulse.start()) fleet.place(placement)
  await fleet.start()
  return pulse
}

describe.each(['embedded', 'kafka'] as const)('on the %s bus', (kind) => {
  const skipped = kind === 'kafka' && brokers === null

  test.skipIf(skipped)('a silent server is fenced and its work recovered', async () => {
    const deployment = await deploy(kind)
    await deployment.start(QUICK)
    const fleet = deployment.fleet(Date.now)
    const pulse = await startPulse(deployment, fleet)
    const roundsBefore = pulse.rounds
    await until('servers are known', LIMIT_MS, () => pulse.rounds > roundsBefore + 20)
    pulse.silence('n1')
    await until('the workload is recovered', LIMIT_MS, () => fleet.recovered.size > 0)
    const journal = await until('the result is in the journal', LIMIT_MS, async () => {
      const entries = await deployment.read<JournalEntry>('journal')
      const isVerified = ({ kind: what, workload, reasons }: JournalEntry) =>
        what === 'result' && workload === 'n1-work' && reasons.join().includes('verified')
      return entries.some(isVerified) && entries
    })
    expect(await deployment.told()).toEqual(['fence n1', 'recover n1 n1-work'])
    expect(fleet.counts()).toMatchObject({ taken: 2, unsigned: 0, stale: 0, expired: 0 })
    const opened = journal.find(({ kind: what }) => what === 'incident-opened')
    expect(opened).toMatchObject({ node: 'n1' })
    expect(opened!.reasons.join()).toMatch(/no sign of life/)
  })

  test.skipIf(skipped)('an outage of ours makes no server silent', async () => {
    const deployment = await deploy(kind)
    const first = await deployment.start(QUICK)
    const fleet = deployment.fleet(Date.now)
    const pulse = await startPulse(deployment, fleet)
    await until('servers are known', LIMIT_MS, () => pulse.rounds > 20)
    await first.stop()
    const stoppedAtMs = performance.now()
    await until(
      'we were away for longer than the detection window, while servers went on',
      LIMIT_MS,
      () => performance.now() - stoppedAtMs > 2 * DETECTION_WINDOW_MS,
    )
    await deployment.start(QUICK)
    // Whoever is told of next was really silent; by then the others have been looked at again.
    pulse.silence('n2')
    await until('a workload is recovered', LIMIT_MS, () => fleet.recovered.size > 0)
    expect(await deployment.told()).toEqual(['fence n2', 'recover n2 n2-work'])
  })
})

test('ten years replayed in a minute expire nothing by accident', async () => {
  const startMs = Date.UTC(2016, 0, 1)
  const endMs = Date.UTC(2026, 0, 1)
  const deployment = await deploy('embedded', 'driven')
  const { bus, topology } = deployment
  await deployment.start(WEEKLY, TWO_STEPS)
  let nowMs = startMs
  const fleet = deployment.fleet(() => nowMs)
  const failureWeek = Math.floor((endMs - startMs) / WEEK_MS / 2)
  const output = (...args: [Parameters<typeof publicOutput>[1], string, unknown]) =>
    publicOutput(topology, ...args)
  const birth = (node: NodeId): readonly Output[] => {
    const placement = placementOn(node)
    fleet.place(placement)
    const capacity = { cpu: 16, memoryBytes: 64e9 }
    const joined = { kind: 'join', node, at: startMs, pool: placement.pool, capacity }
    return [output('events', node, joined), output('placements', placement.workload, placement)]
  }
  const reached = await driveWorld({
    bus,
    topology,
    driver: new ClockDriver(bus, topology),
    startMs,
    endMs,
    stepMs: WEEK_MS,
    signal: new AbortController().signal,
    world: {
      step: (atMs) => {
        nowMs = atMs
        const week = Math.round((atMs - startMs) / WEEK_MS)
        if (week === 1) return NODES.flatMap((node) => birth(node as NodeId))
        const failed = { kind: 'failure', node: 'n3', at: atMs, failureKind: 'power' }
        const events = week === failureWeek ? [output('events', 'n3', failed)] : []
        const alive = week < failureWeek ? NODES : NODES.slice(0, 3)
        const metrics = { cpu_utilization: 0.5 }
        return [
          ...events,
          ...alive.map((node) => output('telemetry', node, { node, at: atMs, metrics })),
        ]
      },
      take: (record, atMs) => fleet.take(record, atMs),
    },
  })
  expect(reached).toBe(startMs + Math.floor((endMs - startMs) / WEEK_MS) * WEEK_MS)
  expect(await deployment.told()).toEqual(['fence n3', 'recover n3 n3-work'])
  const journal = await deployment.read<JournalEntry>('journal')
  expect(journal.filter(({ reasons }) => reasons.join().includes('expired'))).toEqual([])
  const results = journal
    .filter(({ kind }) => kind === 'result')
    .map(({ reasons }) => reasons.at(-1))
  expect(results.filter((reason) => reason?.includes('verified'))).toHaveLength(2)
})
