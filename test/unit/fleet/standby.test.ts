// Goal: executors of the fleet promote a standby, and nothing else that a command calls one.
import { expect, test } from 'vitest'
import type { Command } from '../../../src/core/command.ts'
import type { RunningAction } from '../../../src/core/executor.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { Hands } from '../../../src/fleet/actions.ts'
import { Cluster } from '../../../src/fleet/cluster.ts'
import { createInventory } from '../../../src/fleet/inventory.ts'
import { TruthLedger } from '../../../src/fleet/truth.ts'
import { createCommand } from '../../support/fleet-world.ts'

function fleet() {
  const inventory = createInventory(1, 20)
  const first = inventory.placements.find(({ needs }) => needs.gpu === null)!
  const peers = inventory.nodes.filter(({ pool, id }) => pool === first.pool && id !== first.node)
  const [standby, other] = peers.map(({ id }) => id)
  const placements = inventory.placements.map((each) =>
    each === first ? { ...each, standby } : each,
  )
  const cluster = new Cluster({ ...inventory, placements })
  const hands = new Hands({
    seed: 1,
    cluster,
    truth: new TruthLedger(),
    powerOff: (node) => void Object.assign(node, { up: false, fenced: true }),
    restart: { begin: () => undefined, end: () => true },
  })
  const { workload } = first
  const home = cluster.node(first.node!)!
  const command = (more: Partial<Command> = {}) =>
    createCommand('promote', 'c1', { node: first.node!, workload, target: standby, ...more })
  return { cluster, hands, home, workload, standby, other, command }
}

function verified(action: RunningAction): readonly (readonly [number, string])[] {
  const told: [number, string][] = []
  for (let nowMs = 0; nowMs <= 2_000 && told.length < 2; nowMs += 100) {
    const { kind } = action.poll(nowMs)
    if (kind !== 'running') told.push([nowMs, kind])
  }
  return told
}

test('a standby takes over within two seconds, and the old home becomes the standby', () => {
  const { cluster, hands, home, workload, standby, command } = fleet()
  home.fenced = true
  const start = hands.promote(command(), 0)
  if (!start.ok) throw new Error(start.refused)
  expect(verified(start.action).map(([, kind]) => kind)).toEqual(['succeeded', 'verified'])
  expect(cluster.placement(workload)).toMatchObject({ node: standby, standby: home.spec.id })
  expect([home.warm.has(workload), cluster.node(standby)!.warm.has(workload)]).toEqual([
    true,
    false,
  ])
})

test.each<{ why: string; change: (world: ReturnType<typeof fleet>) => Partial<Command> | void }>([
  { why: 'is not the standby', change: ({ other }) => ({ target: other }) },
  {
    why: 'is down',
    change: ({ cluster, standby }) => void (cluster.node(standby)!.up = false),
  },
  { why: 'is unknown', change: () => ({ target: 'nobody' as NodeId }) },
])('nothing is promoted where a node $why', ({ why, change }) => {
  const world = fleet()
  world.home.fenced = true
  const more = change(world) ?? {}
  expect(world.hands.promote(world.command(more), 0)).toMatchObject({
    ok: false,
    refused: expect.stringContaining(why),
  })
})

test('a promotion that comes before the fence is ready when it is over, and not before', () => {
  const { cluster, hands, home, workload, command } = fleet()
  const start = hands.promote(command(), 0)
  if (!start.ok) throw new Error(start.refused)
  expect(start.action.poll(5_000)).toEqual({ kind: 'running' })
  expect(cluster.placement(workload)!.node).toBe(home.spec.id)
  home.fenced = true
  expect(start.action.poll(5_100).kind).toBe('succeeded')
  expect(start.action.poll(5_200).kind).toBe('running')
  expect(start.action.poll(5_600).kind).toBe('verified')
})

test('the room of a standby is held', () => {
  const { cluster, workload, standby } = fleet()
  const node = cluster.node(standby)!
  const moving = [...cluster.allPlacements()].find(({ pool, node: at, needs }) => {
    return pool === node.spec.pool && at !== standby && needs.gpu === null
  })!
  // Filled up to where only one of them has room.
  const { needs } = cluster.placement(workload)!
  const used = [...node.workloads].map((each) => cluster.placement(each)!.needs.cpu)
  const cpu = used.reduce((sum, each) => sum + each, 0) + needs.cpu + moving.needs.cpu - 1
  Object.assign(node.spec, { capacity: { ...node.spec.capacity, cpu } })
  expect(cluster.obstacle(moving.workload, node)).toContain('has no room')
  node.warm.clear()
  expect(cluster.obstacle(moving.workload, node)).toBeNull()
})
