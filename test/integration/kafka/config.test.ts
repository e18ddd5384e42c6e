/**
 * Goal: what one of several processes is told to change rules in all of them, from the same record on, and is
 * taken back where it does worse, wherever that is decided and whatever files say.
 * Method: `foreshock serve` twice on a real broker, each with a file and one pool of its own, on a clock that
 * the test drives. With next to no budget nobody may be fenced, so each failure is a refusal.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import type { Command, JournalEntry } from '../../../src/core/command.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { ConfigFigures } from '../../../src/core/runtime-config.ts'
import { topicName, topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { ClockDriver } from '../../../src/pipeline/clock-driver.ts'
import { poolsOf, topologyOf } from '../../support/deployment.ts'
import { foreshock, serve, type Served } from '../../support/foreshock-process.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { placementOn, publicOutput } from '../../support/server-pulse.ts'
import { until } from '../../support/until.ts'

const PARTITIONS = 2
const NODES_PER_POOL = 20
const START_MS = Date.UTC(2026, 0, 5)
const MINUTE_MS = 60_000
const LIMIT_MS = 60_000
/** Before the change, so that there is something to hold it against. */
const MINUTES_BEFORE = 40
/** Fewer than are left, since the budget is a share of those. */
const FAILURES = 8

const brokers = await kafkaBrokers()

interface InForce extends Omit<ConfigFigures, 'said'> {
  readonly version: string | null
  readonly by: string | null
  readonly keys: Readonly<Record<string, string>>
}

describe.skipIf(brokers === null)('two processes on a real broker', () => {
  let pair: Pair

  beforeAll(async () => {
    pair = await Pair.start(brokers ?? [])
    for (let minute = 0; minute < MINUTES_BEFORE; minute++) await pair.pass()
  }, 180_000)

  afterAll(async () => {
    await pair.close()
  })

  test('what the API of one is told is in force in both, once, and not what their files say', async () => {
    pair.write('first', 0.01)
    const body = JSON.stringify({ by: 'ada', reason: 'less at once' })
    const answer = await pair.first.post('/v1/config/reload', body, 'application/json')
    expect(answer).toMatchObject({ status: 202, body: expect.stringContaining('policy.budget') })
    await pair.pass()
    const { version } = JSON.parse(answer.body) as InForce
    for (const config of await pair.inForce()) {
      expect(config).toMatchObject({ version, by: 'ada', keys: { 'policy.budget': '0.01' } })
    }
    expect(await pair.told(version!)).toEqual(pair.everywhere('in-force'))
  })

  test('a pool that does worse goes back by itself, and the other keeps what was said', async () => {
    const [worse, other] = pair.pools
    await pair.fail(worse)
    for (let minute = 0; minute < 3; minute++) await pair.pass()
    const [version] = (await pair.inForce()).map((config) => config.version)
    const told = await pair.told(version!)
    expect(told).toEqual([...pair.everywhere('in-force'), `${worse} taken-back`].sort())
    const pools = (await pair.inForce()).flatMap((config) => config.pools)
    expect(pools).toContainEqual(expect.objectContaining({ pool: worse, state: 'taken-back' }))
    expect(pools).toContainEqual(expect.objectContaining({ pool: other, state: 'watched' }))
    const refusals = (await pair.journal()).filter(({ rail }) => rail === 'budget')
    expect(refusals, 'the budget was one node').toHaveLength(FAILURES - 1)
    const fenced = (await pair.read('commands.recovery')).map(
      (text) => (JSON.parse(text) as Command).node,
    )
    expect(new Set(fenced).size, 'with its budget back all are fenced').toBe(FAILURES)
  })

  test('the command line at the other, and SIGHUP: each is in force in both, once', async () => {
    pair.write('second', 0.5)
    const argv = ['config', 'reload', '--url', pair.second.url, '--by', 'bob', '--reason', 'better']
    const reloaded = await foreshock(argv, { cwd: pair.directoryOf('second') })
    expect(reloaded).toMatchObject({ code: 0, stdout: expect.stringContaining('0.01 → 0.5') })
    await pair.pass()
    for (const config of await pair.inForce()) {
      expect(config).toMatchObject({ by: 'bob', keys: { 'policy.budget': '0.5' } })
    }
    pair.write('first', 0.4)
    pair.first.process.signal('SIGHUP')
    await pair.untilSaid(pair.first)
    await pair.pass()
    const [one, two] = await pair.inForce()
    expect(one).toMatchObject({ by: 'SIGHUP', keys: { 'policy.budget': '0.4' } })
    expect(two.version).toBe(one.version)
    expect(await pair.told(one.version!)).toEqual(pair.everywhere('in-force'))
  })

  test('who takes the partitions of one that ends has what was said to it', async () => {
    const [{ version }] = await pair.inForce()
    expect((await pair.second.stop()).code).toBe(0)
    await pair.pass()
    await until(
      'one owns both',
      LIMIT_MS,
      async () => (await pair.owned(pair.first)) === PARTITIONS,
    )
    const config = await pair.inForceAt(pair.first)
    expect(config).toMatchObject({ version, keys: { 'policy.budget': '0.4' } })
    expect(config.pools.map(({ pool }) => pool).sort()).toEqual([...pair.pools].sort())
    expect(await pair.told(version!)).toEqual(pair.everywhere('in-force'))
  })
})

type Side = 'first' | 'second'

class Pair {
  readonly pools: readonly PoolId[]
  first!: Served
  second!: Served
  readonly #bus: Bus
  readonly #topology: Topology
  readonly #driver: ClockDriver
  readonly #directory = mkdtempSync(join(tmpdir(), 'foreshock-config-'))
  readonly #dead = new Set<NodeId>()
  #nowMs = START_MS

  private constructor(bus: Bus, prefix: string) {
    this.#bus = bus
    this.#topology = topologyOf(prefix, 'driven', PARTITIONS)
    this.#driver = new ClockDriver(bus, this.#topology)
    this.pools = poolsOf(this.#topology)
  }

  static async start(brokers: readonly string[]): Promise<Pair> {
    const prefix = uniquePrefix('config')
    const bus = await openKafkaBus({ brokers, clientId: 'config', prefix })
    const pair = new Pair(bus, prefix)
    await bus.create(topicSpecs(pair.#topology))
    for (const side of ['first', 'second'] as const) {
      mkdirSync(pair.directoryOf(side))
      pair.write(side, 1)
      const env = { FORESHOCK_KAFKA_BROKERS: brokers.join() }
      pair[side] = await serve({ cwd: pair.directoryOf(side), env })
    }
    for (const served of [pair.first, pair.second]) {
      await until('each owns a pool', LIMIT_MS, async () => (await pair.owned(served)) === 1)
    }
    const nodes = pair.pools.flatMap((pool) => pair.#nodesOf(pool).map((node) => ({ node, pool })))
    const capacity = { cpu: 16, memoryBytes: 64e9 }
    await bus.produce(
      nodes.flatMap(({ node, pool }) => {
        const joined = { kind: 'join', node, at: START_MS, pool, capacity }
        const placement = { ...placementOn(node), pool }
        return [
          publicOutput(pair.#topology, 'events', node, joined),
          publicOutput(pair.#topology, 'placements', placement.workload, placement),
        ]
      }),
    )
    return pair
  }

  async close(): Promise<void> {
    for (const served of [this.first, this.second]) await served?.stop()
    await this.#driver.close()
    await this.#bus.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  directoryOf(side: Side): string {
    return join(this.#directory, side)
  }

  write(side: Side, budget: number): void {
    const { prefix } = this.#topology
    const text = `
[topology]
prefix = "${prefix}"
node_partitions = ${PARTITIONS}
pool_partitions = ${PARTITIONS}
clock = "driven"
retention = "24h"
[state]
directory = "${join(this.#directory, 'state')}"
[watcher]
prediction = false
[reload]
worse_ratio = 1
worse_min = 5
[policy]
mode = "enforce"
budget = ${budget}
`
    writeFileSync(join(this.directoryOf(side), 'foreshock.toml'), text)
  }

  /** One minute, in which every node that lives is heard of, folded and committed by both. */
  async pass(): Promise<void> {
    this.#nowMs += MINUTE_MS
    const at = this.#nowMs
    const nodes = this.pools.flatMap((pool) => this.#nodesOf(pool))
    const metrics = { cpu_utilization: 0.5 }
    await this.#bus.produce(
      nodes
        .filter((node) => !this.#dead.has(node))
        .map((node) => publicOutput(this.#topology, 'telemetry', node, { node, at, metrics })),
    )
    const limit = AbortSignal.timeout(LIMIT_MS)
    expect(await this.#driver.advance(at, limit), 'both commit the step').toBe(true)
  }

  /** More of its nodes than the budget lets be worked on at once. */
  async fail(pool: PoolId): Promise<void> {
    const failed = this.#nodesOf(pool).slice(0, FAILURES)
    for (const node of failed) this.#dead.add(node)
    const at = this.#nowMs
    await this.#bus.produce(
      failed.map((node) =>
        publicOutput(this.#topology, 'events', node, {
          kind: 'failure',
          node,
          at,
          failureKind: 'power',
        }),
      ),
    )
  }

  async inForceAt(served: Served): Promise<InForce> {
    return JSON.parse((await served.get('/v1/config')).body) as InForce
  }

  async inForce(): Promise<readonly InForce[]> {
    return Promise.all([this.first, this.second].map((served) => this.inForceAt(served)))
  }

  /** The signal has been answered, so what it said is in the topic before the next step. */
  async untilSaid({ process }: Served): Promise<void> {
    await until('its file is read', LIMIT_MS, () =>
      /configuration sha256:\w+: 1 keys change/.test(process.written().stderr),
    )
  }

  /** What the journal says of a configuration, `POOL STATE` for each line. */
  async told(version: string): Promise<readonly string[]> {
    return (await this.journal())
      .filter(({ config }) => config?.version === version)
      .map(({ pool, config }) => `${pool} ${config!.state}`)
      .sort()
  }

  async journal(): Promise<readonly JournalEntry[]> {
    return (await this.read('journal')).map((text) => JSON.parse(text) as JournalEntry)
  }

  everywhere(state: string): readonly string[] {
    return ['_fleet', ...this.pools].map((pool) => `${pool} ${state}`).sort()
  }

  /** Coordinators that run there with their state restored. */
  async owned(served: Served): Promise<number> {
    const { status, body } = await served.get('/v1/about')
    if (status !== 200) return 0
    const { partitions } = JSON.parse(body) as { partitions: readonly { role: string }[] }
    return partitions.filter(({ role }) => role === 'coordinator').length
  }

  /** All of a topic. */
  async read(name: 'journal' | 'commands.recovery'): Promise<readonly string[]> {
    const topic = topicName(this.#topology, name)
    const reader = await this.#bus.read({ topic, from: 'start' })
    const texts: string[] = []
    // Offsets of transactions' ends count as well, so the end is where nothing more comes.
    for (let more = await reader.take(1_000); more.length > 0; more = await reader.take(1_000)) {
      texts.push(...more.map(({ value }) => toText(value!)))
    }
    await reader.close()
    return texts
  }

  #nodesOf(pool: PoolId): readonly NodeId[] {
    return Array.from({ length: NODES_PER_POOL }, (_, n) => `${pool}-n${n}` as NodeId)
  }
}
