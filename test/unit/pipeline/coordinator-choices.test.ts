// Goal: strategies are chosen, escalate and teach as the journal says, and only where policy lets them.
import { describe, expect, test } from 'vitest'
import type { JournalEntry } from '../../../src/core/command.ts'
import { estimateFixed, loggedIncidents } from '../../../src/decide/off-policy.ts'
import { asText, CoordinatorWorld } from '../../support/coordinator-world.ts'

const GREEDY = { exploreMinRatio: 0, exploreMaxRatio: 0 }
const CURIOUS = { exploreMinRatio: 0.5, exploreMaxRatio: 0.5 }
/** Over every time-out of a rung below the last. */
const LONG_MS = 301_000

function poolOf(chooser: typeof GREEDY | null = GREEDY): CoordinatorWorld {
  const world = new CoordinatorWorld({ policy: { chooser, budgetRatio: 1, cooldownMs: 0 } })
  world.joinMany(12)
  world.join('ill')
  world.place('w1', 'ill')
  return world
}

const said = (entry: JournalEntry | undefined, name: string) =>
  entry?.evidence.find(({ what }) => what === name)?.value
const chosen = (world: CoordinatorWorld) =>
  world.journal('choice').map((entry) => said(entry, 'strategy'))
const ends = (world: CoordinatorWorld) =>
  world.journal('trial').map((entry) => `${said(entry, 'strategy')} ${said(entry, 'result')}`)
const actions = (world: CoordinatorWorld) => world.commands().map(({ action }) => action)

function carryOutNew(world: CoordinatorWorld, from = 0): void {
  for (const command of world.commands().slice(from)) world.carryOut(command)
}

test('where the policy fixes it, nothing is chosen', () => {
  const world = poolOf(null)
  world.silent('ill')
  expect(actions(world)).toEqual(['fence'])
  expect(world.journal('choice')).toEqual([])
  expect(world.journal('trial')).toEqual([])
})

describe('a silence', () => {
  test('is waited for, then answered by a restart, then by a fail-over', () => {
    const world = poolOf()
    world.silent('ill')
    expect(actions(world)).toEqual([])
    world.after(44_000)
    expect(actions(world)).toEqual([])
    world.after(1_000)
    expect(actions(world)).toEqual(['restart'])
    world.result(world.commands()[0], 'failed', 'it does not come up')
    expect(actions(world)).toEqual(['restart', 'fence'])
    carryOutNew(world, 1)
    expect(actions(world)).toEqual(['restart', 'fence', 'recover'])
    carryOutNew(world, 2)
    expect(chosen(world)).toEqual(['wait', 'restart', 'fail-over'])
    expect(ends(world)).toEqual(['wait failed', 'restart failed', 'fail-over ok'])
  })

  test('that ends by itself ends the waiting well', () => {
    const world = poolOf()
    world.silent('ill')
    world.after(20_000)
    world.live('ill')
    expect(ends(world)).toEqual(['wait ok'])
    expect(said(world.journal('trial').at(-1), 'costS')).toBe(20)
    expect(actions(world)).toEqual([])
  })

  test('that outlasts the restart has a time-out: nobody needs to say that it failed', () => {
    const world = poolOf()
    world.silent('ill')
    world.after(45_000)
    world.after(181_000)
    expect(actions(world)).toEqual(['restart', 'fence'])
  })

  test('in a pool that only observes teaches nothing but what waiting does', () => {
    const world = poolOf()
    world.control({ kind: 'mode', mode: 'observe' })
    world.silent('ill')
    world.after(45_000)
    world.after(LONG_MS)
    expect(ends(world)).toEqual(['wait failed', 'restart none'])
    expect(actions(world)).toEqual([])
    expect(world.rails()).toContain('mode')
  })
})

describe('a predicted failure', () => {
  /** A restart is tried out: the incident's id decides it, and ids follow from places in the log. */
  function restarted(): CoordinatorWorld {
    for (let tickCount = 0; tickCount < 50; tickCount++) {
      const world = poolOf(CURIOUS)
      for (let tick = 0; tick < tickCount; tick++) world.after(1_000)
      world.risky('ill')
      if (chosen(world)[0] !== 'restart') continue
      expect(actions(world)).toEqual(['restart'])
      world.result(world.commands()[0], 'started')
      world.silent('ill')
      return world
    }
    throw new Error('no incident tries a restart out')
  }

  test('is not taken for a silence while its node restarts', () => {
    const world = restarted()
    expect(world.journal('incident-opened')).toHaveLength(1)
    world.live('ill')
    world.result(world.commands()[0], 'verified')
    world.assess('ill', { probability: 0.01 })
    expect(ends(world)).toEqual(['restart ok'])
    expect(world.journal('incident-closed')).toHaveLength(1)
  })

  test('whose node does not come up again is the silence that it looks like', () => {
    const world = restarted()
    world.result(world.commands()[0], 'failed', 'it does not come up')
    expect(world.journal('incident-opened')).toHaveLength(2)
    expect(chosen(world).at(-1)).toBeDefined()
    world.after(LONG_MS)
    world.after(LONG_MS)
    expect(actions(world)).toContain('fence')
  })
})

test('what works is done sooner the next time', () => {
  const world = poolOf()
  for (let i = 0; i < 12; i++) {
    const before = world.commands().length
    world.silent('ill')
    world.after(45_000)
    carryOutNew(world, before)
    world.live('ill')
    world.after(600_000)
  }
  world.silent('ill')
  expect(chosen(world).slice(0, 2)).toEqual(['wait', 'restart'])
  expect(chosen(world).at(-1)).toBe('restart')
})

test('nothing is tried out where a CRITICAL workload is, and elsewhere as often as is told', () => {
  const explored = (priority: 'CRITICAL' | 'LOW') => {
    const world = poolOf(CURIOUS)
    world.place('w2', 'ill', { priority })
    for (let i = 0; i < 40; i++) {
      world.silent('ill')
      world.live('ill')
    }
    const firsts = world.journal('choice').filter((entry) => said(entry, 'exploring') === 'yes')
    return firsts.length
  }
  expect(explored('CRITICAL')).toBe(0)
  expect(explored('LOW')).toBeGreaterThan(8)
})

test('the same log makes the same choices, and the journal estimates what was not done', () => {
  const world = poolOf(CURIOUS)
  for (let i = 0; i < 30; i++) {
    const before = world.commands().length
    world.silent('ill')
    world.after(10_000)
    if (world.commands('fence').length > 0 && world.commands().length > before) {
      carryOutNew(world, before)
      carryOutNew(world, world.commands().length - 1)
      world.place('w1', 'ill')
    }
    world.live('ill')
    world.after(60_000)
  }
  expect(asText(world.refold())).toEqual(asText(world.outputs))
  const incidents = loggedIncidents(world.journal())
  expect(incidents.length).toBeGreaterThan(10)
  const wait = estimateFixed(incidents, 'wait')
  // Each silence that is waited for lasts 10 s.
  expect(wait.costS).toBeCloseTo(10, 6)
  expect(wait.effectiveCount).toBeGreaterThan(3)
})
