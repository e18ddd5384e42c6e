// Goal: a split of the fleet's network is one side against another, keeps commands and blocks out until it ends, and a
// fleet without agents knows nothing of it.
import { describe, expect, test } from 'vitest'
import type { LogRecord } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import type { CommandAction } from '../../../src/core/command.ts'
import type { ReachabilityReport } from '../../../src/core/evidence.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { FleetAgents } from '../../../src/fleet/agents.ts'
import { Cluster, type ClusterNode } from '../../../src/fleet/cluster.ts'
import { STEP_MS } from '../../../src/fleet/fleet.ts'
import { createInventory } from '../../../src/fleet/inventory.ts'
import { FleetNetwork } from '../../../src/fleet/network.ts'
import { bodies, commandRecord, createCommand, FleetWorld } from '../../support/fleet-world.ts'

const HOUR_STEPS = 720

function createNetwork(nodeCount = 60, seed = 1) {
  const noted: string[] = []
  let agents: FleetAgents | null = null
  const cluster = new Cluster(createInventory(seed, nodeCount), (placement, before) =>
    agents?.note(placement, before),
  )
  const options = { seed, cluster, startMs: 0, stepMs: STEP_MS, isMoving: () => false }
  const network = new FleetNetwork(options)
  const createAgent = (node: NodeId) => ({
    note: ({ workload }: Placement) => void noted.push(`${node} ${workload}`),
    take: () => [{ topic: 'answer', partition: 0, key: node, value: null }],
  })
  agents = new FleetAgents({ cluster, network, createAgent })
  return { cluster, network, agents, noted, row: () => rowOf(cluster, network) }
}

function rowOf({ nodes }: Cluster, network: FleetNetwork): readonly ClusterNode[] {
  return nodes.filter((node) => network.isApart(node))
}

/** Until a split has begun; the time. */
function untilSplit({ network, row }: ReturnType<typeof createNetwork>, fromMs = 0): number {
  for (let nowMs = fromMs; nowMs < fromMs + 4 * HOUR_STEPS * STEP_MS; nowMs += STEP_MS) {
    network.step(nowMs)
    if (row().length > 0) return nowMs
  }
  throw new Error('no split')
}

function untilMerged({ network, row }: ReturnType<typeof createNetwork>, fromMs: number): number {
  let nowMs = fromMs
  while (row().length > 0) network.step((nowMs += STEP_MS))
  return nowMs
}

describe('a split', () => {
  test('takes nodes of one zone and pool, fewer than the others of it, for some minutes', () => {
    const world = createNetwork()
    let nowMs = 0
    for (let i = 1; i <= 5; i++) {
      const beganAtMs = untilSplit(world, nowMs)
      const row = world.row()
      const [{ spec }] = row
      expect(row.every((node) => node.spec.place.zone === spec.place.zone)).toBe(true)
      expect(row.every((node) => node.spec.pool === spec.pool)).toBe(true)
      const pool = world.cluster.nodes.filter((node) => node.spec.pool === spec.pool)
      expect(row.length).toBeGreaterThanOrEqual(3)
      expect(2 * row.length).toBeLessThan(pool.length)
      nowMs = untilMerged(world, beganAtMs)
      expect(nowMs - beganAtMs).toBeGreaterThanOrEqual(180_000)
      expect(nowMs - beganAtMs).toBeLessThanOrEqual(360_000 + STEP_MS)
      expect(world.network.counts().splits).toBe(i)
    }
  })

  test('is told from both sides, with latencies to those that are reached', () => {
    const world = createNetwork()
    const { network, cluster } = world
    const nowMs = untilSplit(world)
    const reports = [0, 1, 2].flatMap((turn) => network.reports(nowMs + turn * STEP_MS))
    expect(new Set(reports.map(({ node }) => node)).size).toBe(cluster.nodes.length)
    for (const { node, reachable, unreachable, latenciesMs } of reports) {
      const from = cluster.node(node)!
      const reached = (id: NodeId) => network.reaches(from, cluster.node(id)!)
      expect(reachable.every(reached)).toBe(true)
      expect(unreachable.some(reached)).toBe(false)
      expect(latenciesMs).toHaveLength(reachable.length)
    }
    expect(reports.some(({ unreachable }) => unreachable.length > 0)).toBe(true)
  })

  test('lets the row move its own work within itself, which its agents see', () => {
    const world = createNetwork()
    const beganAtMs = untilSplit(world)
    const row = new Set(world.row())
    const before = new Map([...world.cluster.allPlacements()].map((each) => [each.workload, each]))
    world.noted.length = 0
    untilMerged(world, beganAtMs)
    const moved = [...world.cluster.allPlacements()].filter(
      (each) => before.get(each.workload) !== each,
    )
    expect(moved.length).toBeGreaterThan(0)
    for (const { workload, node } of moved) {
      expect(row.has(world.cluster.node(node!)!)).toBe(true)
      expect(row.has(world.cluster.node(before.get(workload)!.node!)!)).toBe(true)
      expect(world.noted).toContain(`${node} ${workload}`)
      expect(world.noted).toContain(`${before.get(workload)!.node} ${workload}`)
    }
  })

  test('does not come to a fleet that is too small for two sides', () => {
    expect(() => untilSplit(createNetwork(12))).toThrow('no split')
  })
})

describe('commands', () => {
  const record = (action: CommandAction, node: ClusterNode, target?: ClusterNode) =>
    commandRecord(
      createCommand(action, 'c1', { node: node.spec.id, target: target?.spec.id ?? null }),
    )
  function split() {
    const world = createNetwork()
    const nowMs = untilSplit(world)
    const [apart] = world.row()
    const there = world.cluster.nodes.find((node) => !world.network.isApart(node))!
    return { ...world, world, nowMs, apart, there }
  }

  test.each<{
    action: CommandAction
    node: 'apart' | 'there'
    target?: 'apart' | 'there'
    waits: boolean
  }>([
    { action: 'migrate', node: 'apart', target: 'there', waits: true },
    { action: 'migrate', node: 'there', target: 'apart', waits: true },
    { action: 'recover', node: 'apart', target: 'there', waits: false },
    { action: 'promote', node: 'there', target: 'apart', waits: true },
    { action: 'fence', node: 'apart', waits: false },
    { action: 'cordon', node: 'apart', waits: true },
    { action: 'cordon', node: 'there', waits: false },
  ])('$action of a node $node to one $target waits: $waits', ({ action, node, target, waits }) => {
    const world = split()
    const sent = record(action, world[node], target === undefined ? undefined : world[target])
    expect(world.agents.reached([sent])).toEqual(waits ? [] : [sent])
    untilMerged(world.world, world.nowMs)
    expect(world.agents.released()).toEqual(waits ? [sent] : [])
    expect(world.agents.released()).toEqual([])
  })

  test('a cancel does not overtake what it is about', () => {
    const { agents, world, nowMs, apart, there } = split()
    const [move, cancel] = [record('migrate', there, apart), record('cancel', there)]
    expect(agents.reached([move, cancel])).toEqual([])
    untilMerged(world, nowMs)
    expect(agents.released()).toEqual([move, cancel])
  })

  test('what is no command goes on to who says so', () => {
    const { agents } = split()
    const broken = commandRecord('no')
    expect(agents.reached([broken])).toEqual([broken])
  })
})

test('a block is answered by the agent of its node alone, and only where that is up and reached', () => {
  const world = createNetwork()
  const { agents, cluster } = world
  const block = (key: string | null): LogRecord => ({
    ...commandRecord('{}'),
    key: key === null ? null : toBytes(key),
  })
  const [node] = cluster.nodes
  const answer = [{ topic: 'answer', partition: 0, key: node.spec.id, value: null }]
  expect(agents.take(block(node.spec.id), 0)).toEqual(answer)
  expect(agents.answerCount).toBe(1)
  node.up = false
  expect(agents.take(block(node.spec.id), 0)).toEqual([])
  expect(agents.take(block('nobody'), 0)).toEqual([])
  expect(agents.take(block(null), 0)).toEqual([])
  untilSplit(world)
  expect(agents.take(block(world.row()[0].spec.id), 0)).toEqual([])
})

test('an agent that begins anew knows what runs on its node, and one that is down sees nothing', () => {
  const { agents, cluster, noted } = createNetwork()
  const [node] = cluster.nodes.filter(({ workloads }) => workloads.size > 1)
  noted.length = 0
  agents.begin(node)
  expect(noted).toEqual([...node.workloads].map((workload) => `${node.spec.id} ${workload}`))
  node.up = false
  noted.length = 0
  const [workload] = node.workloads
  agents.note(cluster.placement(workload)!, null)
  expect(noted).toEqual([])
})

test('the same seed gives the same bytes, also of what the network does', () => {
  const createAgent = () => ({ note: () => undefined, take: () => [] })
  const runs = [0, 1].map(() => {
    const world = new FleetWorld({ createAgent, standbys: true })
    world.steps(2 * HOUR_STEPS)
    expect(world.fleet.networkTruth().splits).toBeGreaterThan(0)
    return JSON.stringify(world.outputs)
  })
  expect(runs[0]).toBe(runs[1])
})

test('a fleet without agents tells nothing of its network, and nobody counts its placements', () => {
  const world = new FleetWorld()
  world.steps(10)
  expect(bodies<ReachabilityReport>(world.outputs, 'evidence')).toEqual([])
  expect(world.fleet.placements().every(({ versions }) => versions === undefined)).toBe(true)
  const none = { splits: 0, localMoves: 0, blocksAnswered: 0 }
  expect(world.fleet.networkTruth()).toEqual(none)
  expect(world.fleet.answer(commandRecord('{}'), 0)).toEqual([])
})

test('critical workloads of a fleet with standbys have one, each in another place with room for it', () => {
  const world = new FleetWorld({ standbys: true, nodeCount: 100 })
  const critical = world.fleet.placements().filter(({ priority }) => priority === 'CRITICAL')
  const kept = critical.filter(({ standby }) => typeof standby === 'string')
  expect(kept.length).toBeGreaterThan(critical.length / 2)
  expect(kept.every(({ node, standby }) => node !== standby)).toBe(true)
  const others = world.fleet.placements().filter(({ priority }) => priority !== 'CRITICAL')
  expect(others.every(({ standby = null }) => standby === null)).toBe(true)
})
