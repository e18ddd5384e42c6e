// Goal: a pool of which too much fails moves nothing ahead of a failure, goes on recovering the most
// urgent first, and people are told when it begins and when it is over.
import { expect, test } from 'vitest'
import type { AlertRecord } from '../../../src/core/alert.ts'
import { asText, bodies, CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'

const RULES = { enterRatio: 0.33, leaveRatio: 0.2, leaveAfterMs: 60_000, nodesMin: 2 }
const SICK = { networkMs: { network_latency: 5_000 }, latencyMs: {}, usageRatio: {} }

function createWorld(nodeCount = 12): CoordinatorWorld {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1, emergency: RULES } })
  world.joinMany(nodeCount)
  return world
}

function silence(world: CoordinatorWorld, count: number): void {
  for (let i = 0; i < count; i++) world.silent(`n${i + 1}`)
}

function told(world: CoordinatorWorld): readonly AlertRecord[] {
  return bodies<AlertRecord>(world.outputs, 't.alerts').filter(({ kind }) => kind === 'emergency')
}

const states = (world: CoordinatorWorld) =>
  world.journal('condition').map(({ condition }) => condition?.state)

test('it begins with the node too many, holds what is only foreseen, and is told once', () => {
  const world = createWorld()
  silence(world, 3)
  expect(told(world)).toEqual([])
  world.silent('n4')
  expect(told(world)).toMatchObject([{ pool: POOL, severity: 'critical', cause: 'emergency' }])
  expect(told(world)[0].message).toContain('4 of 12 nodes are failing (limit 33 %)')
  silence(world, 5)
  expect(states(world)).toEqual(['standing'])
  world.risky('n0')
  expect(world.rails()).toEqual(['emergency'])
  expect(world.commands('cordon')).toEqual([])
  expect(world.commands('fence').map(({ node }) => node)).toContain('n5')
  expect(world.railFigures()).toMatchObject({ emergency: true, failingRatio: 5 / 12 })
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('it is over when few have failed for a while, and what waited is done then', () => {
  const world = createWorld()
  silence(world, 4)
  world.risky('n0')
  for (let i = 1; i <= 3; i++) world.live(`n${i}`)
  world.after(59_000)
  expect(states(world)).toEqual(['standing'])
  expect(world.commands('cordon')).toEqual([])
  world.after(1_000)
  expect(states(world)).toEqual(['standing', 'over'])
  expect(told(world).at(-1)).toMatchObject({ resolved: true, severity: 'info' })
  expect(world.commands('cordon').map(({ node }) => node)).toEqual(['n0'])
})

test.each([
  {
    of: 'confirmed failures',
    fail: (world: CoordinatorWorld, node: string) => world.fail(node),
    begins: true,
  },
  {
    of: 'nodes in a critical state',
    fail: (world: CoordinatorWorld, node: string) => {
      for (let i = 0; i < 2; i++) world.assess(node, { readings: SICK })
    },
    begins: true,
  },
  {
    of: 'nodes whose watcher is late',
    fail: (world: CoordinatorWorld, node: string) =>
      world.assess(node, { liveness: 'unknown', trigger: 'liveness' }, { late: true }),
    begins: false,
  },
  {
    of: 'nodes that were silent when their watcher became late',
    fail: (world: CoordinatorWorld, node: string) => {
      world.assess('n0', { liveness: 'unknown', trigger: 'liveness' }, { late: true, source: 0 })
      for (const source of [1, 2, 3]) {
        world.assess('n0', { liveness: 'unknown', trigger: 'liveness' }, { late: true, source })
      }
      world.assess(node, { liveness: 'silent', trigger: 'liveness' }, { late: true })
    },
    begins: false,
  },
  {
    of: 'alarms alone',
    fail: (world: CoordinatorWorld, node: string) => world.risky(node),
    begins: false,
  },
])('a pool full of $of: $begins', ({ fail, begins }) => {
  const world = createWorld()
  for (let i = 1; i < 9; i++) fail(world, `n${i}`)
  expect(told(world)).toHaveLength(begins ? 1 : 0)
})

test('failures of long ago are no emergency', () => {
  const world = createWorld()
  for (let i = 1; i <= 3; i++) world.fail(`n${i}`)
  world.after(3_600_001)
  for (const node of ['n4', 'n5']) world.fail(node)
  expect(told(world)).toEqual([])
  world.fail('n6')
  expect(told(world)).toHaveLength(1)
})

test('what was sent ahead of a failure and has not begun is taken back', () => {
  const world = createWorld()
  world.place('w', 'n0')
  world.risky('n0')
  const [move] = world.commands('migrate')
  silence(world, 4)
  expect(world.commands('cancel')).toMatchObject([{ workload: 'w', node: 'n0' }])
  expect(move.workload).toBe('w')
})

test('critical work is recovered first', () => {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 0.05, emergency: RULES } })
  world.joinMany(12)
  world.control({ kind: 'stop', stopped: true })
  for (const [i, priority] of (['LOW', 'NORMAL', 'HIGH', 'CRITICAL'] as const).entries()) {
    world.place(`w${i}`, `n${i + 1}`, { priority })
  }
  silence(world, 5)
  world.control({ kind: 'stop', stopped: false })
  for (let done = 0; done < 5; done++) {
    const open = world.commands('fence')[done]
    world.carryOut(open)
    for (const command of world.commands('recover').slice(done)) world.carryOut(command)
  }
  const order = world.commands('recover').map(({ workload }) => workload)
  expect(order).toEqual(['w3', 'w2', 'w1', 'w0'])
  expect(world.railFigures().emergency).toBe(true)
})

test('a person declares one for every pool, also for those that come later, and ends it', () => {
  const world = createWorld(2)
  world.control({ kind: 'emergency', pool: null, emergency: true, reason: 'flood' })
  expect(world.journal('control')[0].reasons[0]).toContain('An emergency is declared by ada: flood')
  const later = 'later' as typeof POOL
  world.fact({
    kind: 'join',
    node: 'm0' as never,
    atMs: world.nowMs,
    class: 'server',
    pool: later,
    labels: {},
    place: { zone: null, region: null, latitude: null, longitude: null },
    capacity: { cpu: 1, memoryBytes: 1, gpu: null },
  })
  expect(world.journal('condition').map(({ pool }) => pool)).toEqual([POOL, later])
  world.after(600_000)
  expect(told(world)).toHaveLength(2)
  world.control({ kind: 'emergency', pool: null, emergency: false, reason: 'dry again' })
  expect(told(world).filter(({ resolved }) => resolved)).toHaveLength(2)
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})
