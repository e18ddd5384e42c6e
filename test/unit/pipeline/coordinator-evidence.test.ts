// Goal: a fault that no plan answers becomes one incident of its cause, is told, and leads to no command.
import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import {
  asText,
  bodies,
  CAPACITY,
  CoordinatorWorld,
  POOL,
} from '../../support/coordinator-world.ts'

const SLOW = { networkMs: { network_latency: 2_000 }, latencyMs: {}, usageRatio: {} }
const QUICK = { networkMs: { network_latency: 2 }, latencyMs: {}, usageRatio: {} }

function join(
  world: CoordinatorWorld,
  node: string,
  labels: Readonly<Record<string, string>>,
): void {
  const place = { zone: null, region: null, latitude: null, longitude: null }
  const base = { kind: 'join', atMs: world.nowMs, class: 'server', pool: POOL, place } as const
  world.fact({ ...base, node: node as NodeId, labels, capacity: CAPACITY })
  world.live(node)
}

function slow(world: CoordinatorWorld, node: string): void {
  for (let i = 0; i < 2; i++) world.assess(node, { readings: SLOW })
}

function alerts(
  world: CoordinatorWorld,
): readonly { kind: string; severity: string; message: string }[] {
  return bodies(world.outputs, 't.alerts')
}

function evidence(world: CoordinatorWorld, record: object): void {
  world.feed('evidence', { pool: POOL, atMs: world.nowMs, ...record })
}

test('a node over a limit is an incident that is told and not acted on, and the journal says why', () => {
  const world = new CoordinatorWorld()
  world.joinMany(3)
  world.place('w', 'n0')
  slow(world, 'n0')
  const [opened] = world.journal('incident-opened')
  expect(opened).toMatchObject({ node: 'n0', pool: POOL })
  expect(opened.reasons[0]).toContain(
    'A fault of kind network (100 % sure), priority HIGH, at node:n0',
  )
  expect(opened.reasons[1]).toContain(
    'Nothing is done about it: no plan answers a fault of kind network',
  )
  expect(world.journal('fault')).toMatchObject([{ node: 'n0', incidentId: opened.incidentId }])
  expect(alerts(world)).toMatchObject([{ kind: 'fault', severity: 'critical' }])
  expect(world.commands()).toEqual([])
  world.assess('n0', { readings: QUICK })
  expect(world.journal('incident-closed')).toMatchObject([{ incidentId: opened.incidentId }])
})

test('trouble that comes back soon is the incident of before, and later it is another', () => {
  const world = new CoordinatorWorld()
  world.joinMany(3)
  for (const pauseMs of [60_000, 3_600_000, 0]) {
    slow(world, 'n0')
    world.assess('n0', { readings: QUICK })
    world.after(pauseMs)
  }
  const [first, again, other] = world.journal('incident-opened').map(({ incidentId }) => incidentId)
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})

test('nodes that share an image and fall ill together are one incident, whatever they were before', () => {
  const world = new CoordinatorWorld()
  for (let i = 0; i < 20; i++) join(world, `n${i}`, { image: i < 8 ? 'v2' : 'v1' })
  for (let i = 0; i < 7; i++) slow(world, `n${i}`)
  const opened = world.journal('incident-opened')
  expect(opened).toHaveLength(5)
  expect(opened[4].reasons[0]).toContain('at image:v2 (n0, n1, n2 and 2 more): 5 of 8 nodes')
  expect(world.journal('incident-closed')).toHaveLength(4)
  expect(world.stats()['openObservedCount']).toBe(1)
  expect(world.stats()['mergedIncidentCount']).toBe(4)
})

test('a node that is ill with many of its image is not moved from, and is when it is ill alone', () => {
  for (const shared of [true, false]) {
    const world = new CoordinatorWorld()
    for (let i = 0; i < 20; i++) join(world, `n${i}`, { image: i < 8 ? 'v2' : 'v1' })
    world.place('w', 'n0')
    for (let i = 1; i < (shared ? 7 : 2); i++) slow(world, `n${i}`)
    world.risky('n0')
    expect(world.commands('cordon')).toHaveLength(shared ? 0 : 1)
    expect(world.rails()).toEqual(shared ? ['shared-cause'] : [])
  }
})

test('a node that reports itself is not silent, for a minute', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  const report = () => {
    evidence(world, { kind: 'reachability', node: 'n0', reachable: ['n1'], unreachable: [] })
  }
  report()
  world.silent('n0')
  expect(world.commands('fence')).toEqual([])
  expect(world.stats()['vouchedCount']).toBe(1)
  for (let i = 0; i < 4; i++) {
    world.after(9_000)
    report()
  }
  expect(world.commands('fence')).toEqual([])
  world.after(11_000)
  expect(world.commands('fence')).toHaveLength(1)
  expect(world.stats()['vouchedCount']).toBe(0)
})

test('a node that reports itself and is heard of again was never silent', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  evidence(world, { kind: 'reachability', node: 'n0', reachable: ['n1'], unreachable: [] })
  world.silent('n0')
  world.assess('n0')
  world.after(60_000)
  expect(world.commands()).toEqual([])
  expect(world.journal('incident-opened')).toEqual([])
})

test('an incident tells its kind, the one that is known later, and what joins it', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  const kinds = () => world.journal().flatMap(({ faultKind }) => faultKind ?? [])
  world.silent('n0')
  expect(kinds()).toEqual(['service-unavailability'])
  world.fail('n0')
  slow(world, 'n1')
  const exit = { kind: 'service-check', node: 'n1', about: 'n1', service: 's' } as const
  for (let i = 0; i < 3; i++) {
    evidence(world, { ...exit, probe: 'container', ok: false, status: 1, latencyMs: null })
  }
  expect(kinds().slice(-2)).toEqual(['network', 'software'])
})

/** Ten nodes, of which the first `cut` do not reach the others. */
function partitioned(cut: number, more: { readonly seconds?: number } = {}): CoordinatorWorld {
  const world = new CoordinatorWorld()
  const nodes = world.joinMany(10)
  world.place('w', 'n0')
  for (let second = 0; second < (more.seconds ?? 10); second++) {
    for (const [i, node] of nodes.entries()) {
      const own = nodes.filter((_, j) => j < cut === i < cut && j !== i)
      const others = nodes.filter((_, j) => j < cut !== i < cut)
      evidence(world, { kind: 'reachability', node, reachable: own, unreachable: others })
    }
    world.after(1_000)
  }
  return world
}

test('work of the minority is not moved before it fails, and nothing is moved there', () => {
  const world = partitioned(3)
  expect(world.journal('incident-opened')[0].reasons[0]).toContain('network-partition')
  world.risky('n0')
  expect(world.rails()).toEqual(['shared-cause'])
  world.place('v', 'n9')
  world.risky('n9')
  const [move] = world.commands('migrate')
  expect(['n3', 'n4', 'n5', 'n6', 'n7', 'n8']).toContain(move.target)
})

test('the majority recovers what the minority had; without a majority nobody does, but for what failed for certain', () => {
  const majority = partitioned(3)
  // Until then n0 reports itself.
  majority.after(11_000)
  majority.silent('n0')
  expect(majority.commands('fence')).toHaveLength(1)
  const none = partitioned(5)
  none.after(11_000)
  none.silent('n0')
  expect(none.commands()).toEqual([])
  expect(none.rails()).toEqual(['shared-cause'])
  none.fail('n0')
  none.carryOut(none.commands('fence')[0])
  expect(none.commands('recover')).toHaveLength(1)
})

test('what was refused during a partition is done when it is over', () => {
  const world = partitioned(3)
  world.risky('n0')
  expect(world.commands('migrate')).toEqual([])
  world.after(70_000)
  world.after(10_000)
  world.after(40_000)
  expect(world.commands('migrate')).toHaveLength(1)
})

test('reputation takes its part of trust from health', () => {
  const world = new CoordinatorWorld()
  world.joinMany(8)
  for (let i = 1; i < 7; i++) {
    evidence(world, { kind: 'claim', node: 'n0', about: `n${i}`, claim: 'dead' })
    world.after(60_000)
    world.live(`n${i}`)
  }
  world.live('n0')
  world.after(1_000)
  expect(world.node('n0')!.health).toBeLessThan(0.84)
  expect(world.node('n1')!.health).toBe(0.9)
  expect(world.journal('incident-opened')[0].reasons[0]).toContain('byzantine')
})

test('the same log gives the same bytes', () => {
  const world = partitioned(3)
  for (let i = 0; i < 6; i++) slow(world, `n${i}`)
  world.risky('n0')
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('nodes that only warn have no cause in common, and get one when they are worse', () => {
  const world = new CoordinatorWorld()
  const busy = { networkMs: {}, latencyMs: {}, usageRatio: { memory_utilization: 0.85 } }
  const full = { networkMs: {}, latencyMs: {}, usageRatio: { memory_utilization: 0.97 } }
  for (let i = 0; i < 20; i++) join(world, `n${i}`, { image: i < 8 ? 'v2' : 'v1' })
  const all = (readings: typeof busy) => {
    for (let i = 0; i < 6; i++) {
      for (let n = 0; n < 2; n++) world.assess(`n${i}`, { readings })
    }
  }
  all(busy)
  expect(world.journal('fault')).toHaveLength(6)
  expect(world.journal('incident-opened')).toEqual([])
  all(full)
  expect(world.journal('incident-opened').at(-1)!.reasons[0]).toContain('image:v2')
  expect(world.stats()['openObservedCount']).toBe(1)
  expect(world.commands()).toEqual([])
})
