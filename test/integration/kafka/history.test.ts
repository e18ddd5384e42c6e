/**
 * Goal: `foreshock report` and `foreshock forecast` say of a deployment on a real broker what happened there and
 * when it will be full, from its topics alone.
 * Method: two days of a small pool, an hour at a time, whose work grows by half a processor an hour and of whose
 * nodes one fails; the service observes. Then the command line as people run it, with nothing running.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import type { Forecast } from '../../../src/commands/forecast.ts'
import type { PrintedReport } from '../../../src/commands/report.ts'
import type { Output } from '../../../src/core/bus.ts'
import type { NodeId, WorkloadId } from '../../../src/core/ids.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import { DAY_MS, HOUR_MS } from '../../../src/core/time.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { ClockDriver } from '../../../src/pipeline/clock-driver.ts'
import { driveWorld } from '../../../src/pipeline/driven-world.ts'
import { startService, untilReady } from '../../../src/pipeline/service.ts'
import { serviceOptions, topologyOf } from '../../support/deployment.ts'
import { foreshock } from '../../support/foreshock-process.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { placementOn, publicOutput } from '../../support/server-pulse.ts'

const START_MS = Date.UTC(2026, 0, 5)
const HOURS = 48
const END_MS = START_MS + HOURS * HOUR_MS
const CPU = 10
const NODES = Array.from({ length: 8 }, (_, n) => `n${n}`)
const FAILING = 'n7'
const FAILS_AT_HOUR = 30
/** Of processors: what is placed at the start, and what comes each hour. */
const [AT_FIRST, PER_HOUR] = [8, 0.5]
/** One of eight has failed and one more may be in repair: 90 % of the other six, 54. */
const USABLE = (NODES.length - 2) * CPU * DEFAULT_POLICY.targetLoadMaxRatio

const brokers = await kafkaBrokers()
const prefix = uniquePrefix('history')
const directory = mkdtempSync(join(tmpdir(), 'foreshock-history-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function run(...argv: readonly string[]) {
  const env = { FORESHOCK_KAFKA_BROKERS: (brokers ?? []).join() }
  return foreshock(argv, { cwd: directory, env })
}

function placed(workload: string, node: string, cpu: number) {
  const needs = { cpu, memoryBytes: 1e6, gpu: null }
  return { ...placementOn(node as NodeId), workload: workload as WorkloadId, needs }
}

/** What happens in one hour. */
function happening(topology: Topology, hour: number, atMs: number): readonly Output[] {
  const output = (...args: [Parameters<typeof publicOutput>[1], string, unknown]) =>
    publicOutput(topology, ...args)
  const place = (placement: ReturnType<typeof placed>) =>
    output('placements', placement.workload, placement)
  if (hour === 1) {
    return NODES.flatMap((node) => {
      const { pool } = placementOn(node as NodeId)
      const capacity = { cpu: CPU, memoryBytes: 64e9 }
      const joined = { kind: 'join', node, at: START_MS, pool, capacity }
      return [
        output('events', node, joined),
        place(placed(`${node}-work`, node, AT_FIRST / NODES.length)),
      ]
    })
  }
  const failure = { kind: 'failure', node: FAILING, at: atMs, failureKind: 'power' }
  const alive = NODES.filter((node) => node !== FAILING || hour < FAILS_AT_HOUR)
  return [
    ...(hour === FAILS_AT_HOUR ? [output('events', FAILING, failure)] : []),
    place(placed(`grown-${hour}`, NODES[hour % (NODES.length - 1)], PER_HOUR)),
    ...alive.map((node) =>
      output('telemetry', node, { node, at: atMs, metrics: { cpu_utilization: 0.5 } }),
    ),
  ]
}

describe.skipIf(brokers === null)('the past and the future of a pool on a real broker', () => {
  beforeAll(async () => {
    const text = `
[topology]
prefix = "${prefix}"
clock = "driven"
node_partitions = 2
pool_partitions = 2
`
    writeFileSync(join(directory, 'foreshock.toml'), text)
    const bus = await openKafkaBus({ brokers: brokers ?? [], clientId: 'history', prefix })
    const topology = topologyOf(prefix, 'driven', 2)
    await bus.create(topicSpecs(topology))
    const options = {
      ...(await serviceOptions(bus, topology, directory)),
      policyFor: () => DEFAULT_POLICY,
      policies: [DEFAULT_POLICY],
    }
    const service = await startService(options)
    expect(await untilReady(service, options, AbortSignal.timeout(60_000))).toBe(true)
    const driver = new ClockDriver(bus, topology)
    const reachedMs = await driveWorld({
      bus,
      topology,
      driver,
      startMs: START_MS,
      endMs: END_MS,
      stepMs: HOUR_MS,
      signal: AbortSignal.timeout(120_000),
      world: {
        step: (atMs) => happening(topology, Math.round((atMs - START_MS) / HOUR_MS), atMs),
        take: () => [],
      },
    })
    expect(reachedMs).toBe(END_MS)
    await driver.close()
    await service.stop()
    await bus.close()
  }, 240_000)

  test('the report counts what failed, what it interrupted and what the mode held back', async () => {
    const { code, stdout, stderr } = await run('report', '--json', '--days', '7')
    expect(code, stderr).toBe(0)
    const { whole, pools, toMs } = JSON.parse(stdout) as PrintedReport
    expect(toMs).toBe(END_MS)
    expect(whole).toMatchObject({ nodes: NODES.length, failures: 1, mode: 'observe' })
    // Its own, and what has been placed on it since; here nothing was.
    expect(whole.workloads.interrupted).toBe(1)
    expect(whole.workloads.recovered).toBe(0)
    expect(whole.approaches.asItRan).toMatchObject({ migrations: 0, foreseen: 0 })
    expect(whole.refusals.map(({ rail }) => rail)).toContain('mode')
    const upHours = NODES.length * HOURS - (HOURS - FAILS_AT_HOUR)
    expect(whole.nodeDays).toBeLessThanOrEqual((upHours * HOUR_MS) / DAY_MS)
    expect(whole.nodeDays).toBeGreaterThan((0.9 * upHours * HOUR_MS) / DAY_MS)
    expect(pools.map(({ pool }) => pool)).toEqual([placementOn('n0' as NodeId).pool])
    const { stdout: text } = await run('report', '--days', '7')
    expect(text).toContain('doing nothing')
  })

  test('the forecast goes on as the work has grown, and says when there is no room', async () => {
    const { code, stdout, stderr } = await run('forecast', '--json', '--ahead', '3d')
    expect(code, stderr).toBe(1)
    const { atMs, pools } = JSON.parse(stdout) as Forecast
    expect(atMs).toBe(END_MS)
    const [{ nodes, resources, budgetNodes, failures }] = pools
    // Nothing was predicted.
    expect({ nodes, budgetNodes, failures }).toEqual({
      nodes: NODES.length - 1,
      budgetNodes: 1,
      failures: null,
    })
    const cpu = resources.find(({ resource }) => resource === 'cpu')!
    const load = AT_FIRST + PER_HOUR * (HOURS - 1)
    expect(cpu.load).toBeCloseTo(load, 9)
    expect(cpu.usable).toBeCloseTo(USABLE, 9)
    const hoursLeft = (USABLE - load) / PER_HOUR
    const hoursSaid = (cpu.runsOutAtMs.expected! - END_MS) / HOUR_MS
    expect(Math.abs(hoursSaid - hoursLeft)).toBeLessThanOrEqual(2)
    const { stdout: text, code: again } = await run('forecast', '--ahead', '3d')
    expect(again).toBe(1)
    expect(text).toContain(placementOn('n0' as NodeId).pool)
  })

  test('where it is not full within the time that is asked for, that is no failure', async () => {
    expect(await run('forecast', '--ahead', '6h')).toMatchObject({ code: 0 })
  })
})
