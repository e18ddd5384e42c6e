// Goal: one side of a split network goes on, the others are paused or fenced, without one the pool only
// advises, and what heals is let back at a pace.
import { describe, expect, test } from 'vitest'
import type { AlertRecord } from '../../../src/core/alert.ts'
import type { SplitBrainRules } from '../../../src/core/split-brain.ts'
import { asText, bodies, CoordinatorWorld } from '../../support/coordinator-world.ts'
import { reach, SPLIT_BRAIN } from '../../support/split-network.ts'

const NODES = 20
/** The oldest six are apart. */
const SMALL_SIDE = (node: number) => (node < 6 ? 1 : 0)
const HALVES = (node: number) => node % 2
const WHOLE = () => 0

function createWorld(rules: Partial<SplitBrainRules> = {}): CoordinatorWorld {
  const splitBrain = { ...SPLIT_BRAIN, ...rules }
  const world = new CoordinatorWorld({ policy: { splitBrain, budgetRatio: 0.1 } })
  world.joinMany(NODES)
  reach(world, WHOLE, 2, NODES)
  return world
}

function split(world: CoordinatorWorld, sideOf: (node: number) => number | null, seconds = 25) {
  reach(world, sideOf, seconds, NODES)
}

/** For longer than what the node says of its network vouches for it. */
function silence(world: CoordinatorWorld, node: string): void {
  const silentForMs = 70_000
  const lastSeenAtMs = world.nowMs - silentForMs
  world.assess(node, { liveness: 'silent', silentForMs, lastSeenAtMs, trigger: 'liveness' })
}

const figures = (world: CoordinatorWorld) => {
  const { hasQuorum, pausedNodes } = world.railFigures()
  return { hasQuorum, pausedNodes }
}
const told = (world: CoordinatorWorld) =>
  bodies<AlertRecord>(world.outputs, 't.alerts').filter(({ kind }) => kind === 'split-brain')

test('nothing follows before the sides have been the same for long enough', () => {
  const world = createWorld()
  split(world, SMALL_SIDE, 14)
  expect(figures(world)).toEqual({ hasQuorum: true, pausedNodes: 0 })
  split(world, (node) => (node < 7 ? 1 : 0), 14)
  expect(told(world)).toEqual([])
  split(world, (node) => (node < 7 ? 1 : 0), 4)
  expect(figures(world)).toEqual({ hasQuorum: true, pausedNodes: 7 })
  expect(told(world)).toMatchObject([{ severity: 'critical', cause: 'split-brain' }])
  expect(told(world)[0].message).toContain('13 and 7 of 20 nodes')
})

describe.each([
  { policy: 'keep-majority', paused: 6, living: 'n10' },
  { policy: 'keep-oldest', paused: 14, living: 'n0' },
  { policy: 'lease-majority', paused: 6, living: 'n10' },
] as const)('$policy', ({ policy, paused, living }) => {
  test('the other side is left alone and takes nothing, the living one is acted on', () => {
    const world = createWorld({ policy })
    split(world, SMALL_SIDE, 30)
    expect(figures(world)).toEqual({ hasQuorum: true, pausedNodes: paused })
    const other = living === 'n0' ? 'n10' : 'n0'
    world.risky(other)
    expect(world.rails()).toEqual(['no-quorum'])
    world.place('w', living)
    world.risky(living)
    const [move] = world.commands('migrate')
    const isSmall = (node: string) => Number(node.slice(1)) < 6
    expect(isSmall(move.target!)).toBe(isSmall(living))
  })
})

test.each([
  { rules: { policy: 'static-quorum', quorumNodes: 11 } as const, sides: SMALL_SIDE, quorum: true },
  {
    rules: { policy: 'static-quorum', quorumNodes: 15 } as const,
    sides: SMALL_SIDE,
    quorum: false,
  },
  { rules: { policy: 'down-all' } as const, sides: SMALL_SIDE, quorum: false },
  { rules: { policy: 'keep-majority' } as const, sides: HALVES, quorum: false },
])('$rules with a quorum: $quorum', ({ rules, sides, quorum }) => {
  const world = createWorld(rules)
  split(world, sides)
  expect(figures(world).hasQuorum).toBe(quorum)
})

test('without a quorum the pool only advises, whatever it is, and goes on when the network is whole', () => {
  const world = createWorld()
  world.place('w', 'n0')
  split(world, HALVES)
  world.fail('n0')
  world.risky('n1')
  silence(world, 'n2')
  expect(world.rails()).toEqual(['no-quorum', 'no-quorum', 'no-quorum'])
  expect(world.journal('refusal')[0].reasons).toMatchObject([
    expect.stringContaining('no side has a majority; this is advice'),
    expect.stringContaining('n0'),
  ])
  expect(world.commands()).toEqual([])
  split(world, WHOLE, 40)
  expect(world.commands('fence').map(({ node }) => node)).toContain('n0')
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('an island is nobody`s side: its nodes are not paused', () => {
  const world = createWorld()
  split(world, (node) => (node === 3 ? 1 : 0))
  expect(figures(world)).toEqual({ hasQuorum: true, pausedNodes: 0 })
  split(world, (node) => (node === 3 ? 2 : SMALL_SIDE(node)))
  expect(figures(world)).toEqual({ hasQuorum: true, pausedNodes: 5 })
})

test('what heals is let back a budget at a time', () => {
  const world = createWorld()
  split(world, SMALL_SIDE)
  const counts: number[] = []
  for (let second = 0; second < 70; second++) {
    reach(world, WHOLE, 1, NODES)
    counts.push(figures(world).pausedNodes)
  }
  const steps = counts.filter((count, i) => count !== counts[i - 1])
  expect(steps).toEqual([6, 4, 2, 0])
  const between = counts.filter((count) => count === 4).length
  expect(between).toBe(10)
  const conditions = world.journal('condition').flatMap(({ condition }) => {
    return condition?.name === 'split-brain' ? [condition] : []
  })
  expect(conditions.map(({ state }) => state)).toEqual(['standing', 'standing', 'over'])
  // Nobody is left with the word that a side is cut off, or that none goes on.
  expect(conditions[1].summary).toMatch(/is whole, and \d+ nodes are still to be let back/)
  expect(told(world).at(-1)).toMatchObject({ resolved: true })
})

test('with minority "fence" the other side is fenced, its work starts on the living one, and it comes back', () => {
  const world = createWorld({ minority: 'fence' })
  world.place('w', 'n0')
  split(world, SMALL_SIDE)
  const fenced = () => world.commands('fence').map(({ node }) => node)
  // A tenth of twenty at once.
  expect(fenced()).toHaveLength(2)
  for (let i = 0; i < 6; i++) {
    world.carryOut(world.commands('fence')[i])
    for (const command of world.commands('recover').slice(0, 1)) {
      if (i === 0) world.carryOut(command)
    }
  }
  expect(fenced().sort()).toEqual(['n0', 'n1', 'n2', 'n3', 'n4', 'n5'])
  const [recovered] = world.commands('recover')
  expect(recovered.workload).toBe('w')
  expect(Number(recovered.target!.slice(1))).toBeGreaterThanOrEqual(6)
  expect(world.commands('uncordon')).toEqual([])
  split(world, WHOLE, 70)
  expect(
    world
      .commands('uncordon')
      .map(({ node }) => node)
      .sort(),
  ).toEqual(fenced().sort())
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('a fenced node that falls silent and comes back is fenced again while the network is split', () => {
  const world = createWorld({ minority: 'fence' })
  split(world, SMALL_SIDE)
  const done = new Set<string>()
  const carryOutAll = () => {
    for (const command of world.commands()) {
      if (done.has(command.commandId)) continue
      done.add(command.commandId)
      world.carryOut(command)
    }
  }
  for (let i = 0; i < 6; i++) carryOutAll()
  const ofNode0 = () => world.commands().filter(({ node }) => node === 'n0')
  expect(ofNode0().map(({ action }) => action)).toEqual(['fence'])
  silence(world, 'n0')
  world.live('n0')
  for (let i = 0; i < 3; i++) {
    split(world, SMALL_SIDE, 2)
    carryOutAll()
  }
  expect(ofNode0().at(-1)?.action).toBe('fence')
  expect(ofNode0().length).toBeGreaterThan(1)
})

test('commands to the other side that have not begun are taken back', () => {
  const world = createWorld()
  world.place('w', 'n0')
  world.risky('n0')
  expect(world.commands('migrate')).toHaveLength(1)
  split(world, SMALL_SIDE)
  expect(world.commands('cancel')).toMatchObject([{ workload: 'w' }])
})

test('the lease goes to the majority at once, and to another side only when none is there', () => {
  const world = createWorld({ policy: 'lease-majority' })
  split(world, HALVES, 18)
  expect(figures(world).hasQuorum).toBe(false)
  split(world, HALVES, 15)
  expect(figures(world)).toEqual({ hasQuorum: true, pausedNodes: 10 })
})

test('without rules the side without majority is left alone, as before', () => {
  const world = new CoordinatorWorld()
  world.joinMany(NODES)
  reach(world, SMALL_SIDE, 30, NODES)
  world.risky('n0')
  expect(world.rails()).toEqual(['shared-cause'])
  expect(told(world)).toEqual([])
})

test('a policy that is taken away lets everybody back at once', () => {
  const world = createWorld({ minority: 'fence' })
  split(world, SMALL_SIDE)
  const next = world.successor({ splitBrain: null })
  next.after(1_000)
  const { hasQuorum, pausedNodes } = next.railFigures()
  expect({ hasQuorum, pausedNodes }).toEqual({ hasQuorum: true, pausedNodes: 0 })
  expect(next.journal('incident-closed').length).toBe(world.journal('incident-closed').length)
})
