/**
 * Goal: the report says of a deployment what really happened there, and the forecast begins from how it is.
 * Method: the service and its model with the demonstration fleet on an embedded store. Each figure is
 * held against the fleet's own ledger and the commands that reached its executors; both read topics alone.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Executor } from '../../src/agent/executor.ts'
import { openEmbeddedBus } from '../../src/bus/embedded/embedded-bus.ts'
import { runCli } from '../../src/commands/cli.ts'
import { command as forecastCommand } from '../../src/commands/forecast.ts'
import type { Forecast } from '../../src/commands/forecast.ts'
import { packagedModel } from '../../src/commands/package.ts'
import { command as reportCommand } from '../../src/commands/report.ts'
import type { PrintedReport } from '../../src/commands/report.ts'
import { createVerifier, loadSigner } from '../../src/config/keys.ts'
import { toText } from '../../src/core/bytes.ts'
import type { Command } from '../../src/core/command.ts'
import { DEFAULT_POLICY, type Mode, type Policy } from '../../src/core/policy.ts'
import { DAY_MS, HOUR_MS } from '../../src/core/time.ts'
import { topicSpecs } from '../../src/core/topics.ts'
import type { Placement } from '../../src/core/workload.ts'
import { Fleet, STEP_MS } from '../../src/fleet/fleet.ts'
import { createInventory } from '../../src/fleet/inventory.ts'
import type { FailureTruth } from '../../src/fleet/truth.ts'
import { ClockDriver } from '../../src/pipeline/clock-driver.ts'
import { driveWorld } from '../../src/pipeline/driven-world.ts'
import { startService, untilReady } from '../../src/pipeline/service.ts'
import { serviceOptions, topologyOf } from '../support/deployment.ts'

const START_MS = Date.UTC(2026, 0, 5, 8)
const HOURS = 1
const END_MS = START_MS + HOURS * HOUR_MS
const NODE_COUNT = 60
const SEED = 11
const HORIZON_MS = 1_800_000
const [ACTION, FAILURE] = [1, 20]

interface Run {
  readonly directory: string
  readonly config: string
  /** Confirmed by the end. */
  readonly failures: readonly FailureTruth[]
  readonly commands: readonly { readonly command: Command; readonly atMs: number }[]
  readonly report: PrintedReport
  readonly text: string
  /** How the fleet is at the end. */
  readonly placements: readonly Placement[]
  readonly upNodes: readonly string[]
}

const directories: string[] = []
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

async function foreshock(
  argv: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const registry = { report: async () => reportCommand, forecast: async () => forecastCommand }
  const code = await runCli(registry, argv, {
    stdout: (text) => void (out += text),
    stderr: (text) => void (err += text),
    isTTY: false,
    env: {},
    signal: new AbortController().signal,
    nowMs: () => END_MS,
  })
  return { code, out, err }
}

function newConfig(mode: Mode): { readonly directory: string; readonly config: string } {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-report-'))
  directories.push(directory)
  const config = join(directory, 'foreshock.toml')
  const text = `
[bus]
kind = "embedded"
directory = "${join(directory, 'bus')}"
[topology]
prefix = "r."
clock = "driven"
node_partitions = 2
pool_partitions = 2
[policy]
mode = "${mode}"
acting_point = { action_cost = ${ACTION}, failure_cost = ${FAILURE} }
`
  writeFileSync(config, text)
  return { directory, config }
}

/** The fleet under the service for some hours of its time; then the report. */
async function run(mode: Mode): Promise<Run> {
  const { directory, config } = newConfig(mode)
  const bus = await openEmbeddedBus({ directory: join(directory, 'bus') })
  const topology = topologyOf('r.', 'driven', 2)
  await bus.create(topicSpecs(topology))
  const policy: Policy = { ...DEFAULT_POLICY, mode, actingPoint: { kind: 'card' } }
  const options = {
    ...(await serviceOptions(bus, topology, directory)),
    models: { server: packagedModel('fleet') },
    policyFor: () => policy,
    policies: [policy],
  }
  const service = await startService(options)
  expect(await untilReady(service, options, new AbortController().signal)).toBe(true)
  const verify = createVerifier(loadSigner(directory).publicKey)
  const fleet = new Fleet({
    seed: SEED,
    nodeCount: NODE_COUNT,
    topology,
    startMs: START_MS,
    failureRateFactor: 9,
    createExecutor: (hooks) => new Executor({ topology, source: '/fleet', verify, hooks }),
  })
  const commands: { command: Command; atMs: number }[] = []
  const driver = new ClockDriver(bus, topology)
  await driveWorld({
    bus,
    topology,
    driver,
    startMs: START_MS,
    endMs: END_MS,
    stepMs: STEP_MS,
    signal: new AbortController().signal,
    world: {
      step: (nowMs) => fleet.step(nowMs),
      take: (record, nowMs) => {
        commands.push({ command: JSON.parse(toText(record.value!)) as Command, atMs: nowMs })
        return fleet.handle([record], nowMs)
      },
    },
  })
  await driver.close()
  await service.stop()
  await bus.close()
  const told = new Set(fleet.unconfirmed().map(({ node, atMs }) => `${node}@${atMs}`))
  const failures = fleet.truth().failures.filter(({ node, atMs }) => !told.has(`${node}@${atMs}`))
  const json = await foreshock(['report', '--config', config, '--json', '--days', '30'])
  expect([json.code, json.err]).toEqual([0, expect.stringContaining('report')])
  const { out: text } = await foreshock(['report', '--config', config])
  const report = JSON.parse(json.out) as PrintedReport
  const [placements, upNodes] = [fleet.placements(), fleet.upNodes()]
  return { directory, config, failures, commands, report, text, placements, upNodes }
}

/** Cordons of healthy nodes, by the commands alone. */
function emptied({ commands }: Run): readonly { readonly node: string; readonly atMs: number }[] {
  return commands.flatMap(({ command, atMs }) =>
    command.action === 'cordon' ? [{ node: command.node, atMs }] : [],
  )
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0)
}

describe('in mode enforce', () => {
  let world: Run
  beforeAll(async () => {
    world = await run('enforce')
  }, 280_000)

  test('every confirmed failure is counted, and those that the fleet saw foreseen are', () => {
    const { report, failures } = world
    const { asItRan } = report.whole.approaches
    expect(failures.length).toBeGreaterThan(10)
    expect(report.whole.failures).toBe(failures.length)
    const foreseen = failures.filter((failure) => failure.foreseen)
    expect(foreseen.length).toBeGreaterThan(3)
    expect(asItRan.foreseen).toBe(foreseen.length)
    const leads = foreseen.map(({ leadTimeMs }) => leadTimeMs!).sort((a, b) => a - b)
    expect(Math.abs(asItRan.leadTimeMs!.max - leads.at(-1)!)).toBeLessThanOrEqual(2 * STEP_MS)
    expect(Math.abs(asItRan.leadTimeMs!.min - leads[0])).toBeLessThanOrEqual(2 * STEP_MS)
  })

  test('pools add up to the whole, and each is told by its own failures', () => {
    const { report, failures } = world
    for (const { pool, failures: count } of report.pools) {
      expect(count, pool!).toBe(failures.filter((failure) => failure.pool === pool).length)
    }
    expect(sum(report.pools.map(({ nodes }) => nodes))).toBe(NODE_COUNT)
  })

  test('node-days are the time that nodes were up, as far as events can say', () => {
    const downMs = sum(world.failures.map(({ atMs }) => Math.min(150_000, END_MS - atMs)))
    const most = (NODE_COUNT * (END_MS - START_MS) - downMs) / DAY_MS
    expect(world.report.whole.nodeDays).toBeLessThanOrEqual(most)
    expect(world.report.whole.nodeDays).toBeGreaterThan(0.6 * most)
  })

  test('workloads that failures interrupted, and that were moved in time, are those of the fleet', () => {
    const { report, failures } = world
    const { interrupted, movedInTime, recovered } = report.whole.workloads
    expect(interrupted).toBe(sum(failures.map(({ interruptedCount }) => interruptedCount)))
    const foreseen = failures.filter((failure) => failure.foreseen)
    expect(movedInTime).toBe(sum(foreseen.map(({ savedCount }) => savedCount)))
    expect(recovered).toBeGreaterThan(0)
    expect(recovered).toBeLessThanOrEqual(interrupted)
  })

  test('a node was emptied in vain when nothing followed its cordon', () => {
    const { report, failures } = world
    const cordons = emptied(world)
    const followed = cordons.filter(({ node, atMs }) =>
      failures.some((failure) => failure.node === node && failure.atMs > atMs),
    )
    const { migrations, falseMigrations, pendingMigrations } = report.whole.approaches.asItRan
    expect(migrations).toBe(cordons.length)
    expect(falseMigrations + pendingMigrations).toBeGreaterThanOrEqual(
      cordons.length - followed.length,
    )
    const old = cordons.filter(({ atMs }) => atMs + HORIZON_MS <= END_MS)
    expect(falseMigrations).toBeLessThanOrEqual(old.length)
  })

  test('costs are those of the policy', () => {
    const { nothing, asItRan } = world.report.whole.approaches
    expect(nothing.cost).toBe(FAILURE * world.failures.length)
    const missed = world.failures.filter(({ foreseen }) => !foreseen).length
    expect(asItRan.cost).toBe(ACTION * emptied(world).length + FAILURE * missed)
    expect(asItRan.saved).toBe(nothing.cost! - asItRan.cost!)
  })

  test('the text names every pool and way of acting', () => {
    for (const { pool } of world.report.pools) expect(world.text).toContain(pool!)
    for (const way of [
      'doing nothing',
      'probability 0.8 or more',
      'as it ran',
      'in mode enforce',
    ]) {
      expect(world.text).toContain(way)
    }
  })

  test('a forecast begins from the work and the nodes that the fleet has', async () => {
    const { config, placements, upNodes, failures } = world
    const argv = ['forecast', '--config', config, '--ahead', '1h', '--json']
    const { code, out } = await foreshock(argv)
    const { atMs, pools } = JSON.parse(out) as Forecast
    const up = new Set(upNodes)
    const gone = new Set(failures.map(({ node }) => node).filter((node) => !up.has(node)))
    const specs = createInventory(SEED, NODE_COUNT).nodes.filter(({ id }) => !gone.has(id))
    expect(atMs).toBe(END_MS)
    for (const { pool, nodes, resources } of pools) {
      const ours = specs.filter((spec) => spec.pool === pool)
      expect(nodes, pool).toBe(ours.length)
      const [cpu] = resources
      expect(cpu.capacity, pool).toBe(sum(ours.map(({ capacity }) => capacity.cpu)))
      const work = placements.filter((each) => each.pool === pool && each.node !== null)
      expect(cpu.load, pool).toBeCloseTo(sum(work.map(({ needs }) => needs.cpu)), 6)
    }
    const isShort = pools.some(({ resources }) =>
      resources.some(({ runsOutAtMs }) => runsOutAtMs.expected !== null),
    )
    expect(code).toBe(isShort ? 1 : 0)
    const expected = sum(pools.map(({ failures: each }) => each?.expected ?? 0))
    // As many as in the hour before, within what chance and a shift in ages may do.
    expect(expected).toBeGreaterThan(failures.length / 3)
    expect(expected).toBeLessThan(failures.length * 3)
  })

  test('of one pool only that is told', async () => {
    const [{ pool, failures }] = world.report.pools
    const { out } = await foreshock(['report', '--config', world.config, '--json', '--pool', pool!])
    const report = JSON.parse(out) as PrintedReport
    expect(report.pools.map((each) => each.pool)).toEqual([pool])
    expect(report.whole.failures).toBe(failures)
  })
})

describe('in mode observe', () => {
  let world: Run
  beforeAll(async () => {
    world = await run('observe')
  }, 280_000)

  test('nothing was done, and what enforce would have done is told', () => {
    const { asItRan, enforced } = world.report.whole.approaches
    expect(world.commands).toEqual([])
    expect([asItRan.migrations, asItRan.foreseen]).toEqual([0, 0])
    expect(enforced.migrations).toBe(world.report.whole.heldNodes)
    expect(enforced.foreseen).toBeGreaterThan(3)
    const builtUp = world.failures.filter(({ buildUpMs }) => buildUpMs > 0)
    expect(enforced.foreseen).toBeLessThanOrEqual(builtUp.length + 2)
    expect(enforced.outageMinutes!).toBeLessThan(asItRan.outageMinutes!)
    expect(world.report.whole.refusals.find(({ rail }) => rail === 'mode')?.foretold).toBe(
      world.report.whole.heldNodes,
    )
  })
})

test('without a journal and without nodes it says so, and how to get there', async () => {
  const { directory, config } = newConfig('observe')
  const before = await foreshock(['report', '--config', config])
  expect([before.code, before.err]).toEqual([
    1,
    expect.stringContaining('there is no topic r.journal'),
  ])
  const bus = await openEmbeddedBus({ directory: join(directory, 'bus') })
  await bus.create(topicSpecs(topologyOf('r.', 'driven', 2)))
  await bus.close()
  const { code, err } = await foreshock(['report', '--config', config, '--days', '7'])
  expect([code, err]).toEqual([1, expect.stringContaining('no journal in the last 7 days')])
  const ahead = await foreshock(['forecast', '--config', config])
  expect([ahead.code, ahead.err]).toEqual([1, expect.stringContaining('no pool is known')])
})

test.each([
  { argv: ['report', '--days', '0'], message: '--days: write a number over 0' },
  { argv: ['report', '--days', 'x'], message: '--days: "x" is no number' },
  { argv: ['forecast', '--ahead', 'soon'], message: '--ahead: "soon" is no length of time' },
  { argv: ['forecast', '--ahead', '0s'], message: '--ahead: write a time over 0' },
  { argv: ['report', '--action-cost', '1'], message: 'belong together' },
])('$argv is wrong use', async ({ argv, message }) => {
  const { code, err } = await foreshock(argv)
  expect([code, err]).toEqual([2, expect.stringContaining(message)])
})
