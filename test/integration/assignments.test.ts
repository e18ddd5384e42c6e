// Goal: the published map is that of the fold, whoever owns the partition and whatever it was configured
// with before: shards given to a running deployment are placed, a failed node's shards move, and a
// restart says nothing that was said.
// Method: services one after the other on the same logs, on each bus that serves.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { openEmbeddedBus } from '../../src/bus/embedded/embedded-bus.ts'
import { openKafkaBus } from '../../src/bus/kafka/bus.ts'
import type { Bus, Output } from '../../src/core/bus.ts'
import { toText } from '../../src/core/bytes.ts'
import { partitionOf } from '../../src/core/partition.ts'
import { DEFAULT_POLICY } from '../../src/core/policy.ts'
import type { Assignment, ShardRules } from '../../src/core/shard.ts'
import { topicSpecs, type Topology } from '../../src/core/topics.ts'
import type { Service } from '../../src/pipeline/service.ts'
import { startParityService, untilOwner } from '../support/history/log-rows.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { until } from '../support/until.ts'

const RULES: ShardRules = { shardCount: 64, replicaCount: 2, boundRatio: 1.25, movesMax: null }
const NODES = ['n0', 'n1', 'n2', 'n3', 'n4']
const LIMIT_MS = 60_000

const brokers = await kafkaBrokers()
const closers: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function openBus(kind: 'kafka' | 'embedded', prefix: string): Promise<Bus> {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-assignments-'))
  closers.push(() => rmSync(directory, { recursive: true, force: true }))
  const bus =
    kind === 'kafka'
      ? await openKafkaBus({ brokers: brokers ?? [], clientId: 'assignments', prefix })
      : await openEmbeddedBus({ directory })
  closers.push(() => bus.close())
  return bus
}

class Deployment {
  readonly #bus: Bus
  readonly #topology: Topology

  constructor(bus: Bus, topology: Topology) {
    this.#bus = bus
    this.#topology = topology
  }

  async start(shards: ShardRules | null): Promise<Service> {
    const policyFor = () => ({ ...DEFAULT_POLICY, mode: 'enforce' as const, shards })
    const service = await startParityService(this.#bus, this.#topology, { policyFor })
    closers.push(() => service.stop())
    await untilOwner(service, this.#topology)
    return service
  }

  async say(...events: readonly { readonly node: string; readonly kind: string }[]): Promise<void> {
    const { prefix, nodePartitions } = this.#topology
    const outputs = events.map((event): Output => {
      const { node } = event
      const at = new Date().toISOString()
      const value = JSON.stringify({ at, pool: 'web', ...event })
      const partition = partitionOf(node, nodePartitions)
      return { topic: `${prefix}events`, partition, key: node, value }
    })
    await this.#bus.produce(outputs)
  }

  /** Every record of the topic so far. */
  async published(): Promise<readonly Assignment[]> {
    const topic = `${this.#topology.prefix}assignments`
    const left = (await this.#bus.ends(topic)).reduce((sum, end) => sum + end, 0)
    if (left === 0) return []
    const reader = await this.#bus.read({ topic, from: 'start' })
    const found: Assignment[] = []
    // Markers of transactions take offsets too, so the last records are known by what comes no more.
    for (let idle = 0; idle < 2;) {
      const records = await reader.take(400)
      idle = records.length === 0 ? idle + 1 : 0
      for (const { value } of records) {
        if (value !== null) found.push(JSON.parse(toText(value)) as Assignment)
      }
    }
    await reader.close()
    return found
  }

  async map(): Promise<ReadonlyMap<number, Assignment>> {
    return new Map((await this.published()).map((each) => [each.shard, each]))
  }
}

const isOn = ({ owner, replicas }: Assignment, node: string): boolean =>
  [owner, ...replicas].some((each) => each === node)

describe.each(['kafka', 'embedded'] as const)('on the bus %s', (kind) => {
  test.skipIf(kind === 'kafka' && brokers === null)(
    'a map is placed, follows a failure and outlives its owner',
    async () => {
      const topology: Topology = {
        prefix: uniquePrefix('assignments'),
        nodePartitions: 2,
        poolPartitions: 2,
        clock: 'arrival',
        retentionMs: 3_600_000,
      }
      const bus = await openBus(kind, topology.prefix)
      await bus.create(topicSpecs(topology))
      const deployment = new Deployment(bus, topology)

      const plain = await deployment.start(null)
      await deployment.say(...NODES.map((node) => ({ node, kind: 'join' })))
      await until('the nodes are known', LIMIT_MS, () => plain.totals()['nodeCount'] === 10)
      expect(await deployment.published()).toEqual([])
      await plain.stop()

      const first = await deployment.start(RULES)
      const placed = await until('the shards are placed', LIMIT_MS, async () => {
        const map = await deployment.map()
        return map.size === 64 && map
      })
      expect(placed.get(0)!.reason).toBe('first-placement')
      await deployment.say({ node: 'n2', kind: 'failure' })
      const moved = await until('the shards of n2 are elsewhere', LIMIT_MS, async () => {
        const map = await deployment.map()
        return ![...map.values()].some((each) => isOn(each, 'n2')) && map
      })
      const [figures] = first.shards()
      expect(figures).toMatchObject({ pool: 'web', nodeCount: 4, withoutOwner: 0 })
      const before = await deployment.published()
      const newest = Math.max(...before.map(({ version }) => version))
      await first.stop()

      const second = await deployment.start(RULES)
      expect(second.shards()).toEqual([figures])
      await deployment.say({ node: 'n5', kind: 'join' })
      await until('n5 has its share', LIMIT_MS, async () => {
        return [...(await deployment.map()).values()].some((each) => isOn(each, 'n5'))
      })
      const after = await deployment.published()
      const later = after.filter(({ version }) => version > newest)
      expect(after.length, 'nothing is said twice').toBe(before.length + later.length)
      for (const assignment of later) {
        expect(assignment.reason).toMatch(/node-joined|load-bound/)
        expect(assignment.previousOwner).toBe(moved.get(assignment.shard)!.owner)
        expect(assignment.epoch).toBeGreaterThan(moved.get(assignment.shard)!.epoch)
      }
      expect(later.length).toBeLessThan(64)
    },
  )
})
