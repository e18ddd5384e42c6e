// Goal: what the log says of the configuration rules from that record on, the same for every owner, and a
// pool that clearly does worse with it goes back by itself.
import { describe, expect, test } from 'vitest'
import type { PageRules } from '../../../src/core/alert.ts'
import { DEFAULT_DRIFT, DEFAULT_PROMOTION } from '../../../src/core/model-life.ts'
import { DEFAULT_POLICY, type Policy } from '../../../src/core/policy.ts'
import {
  type ConfigControl,
  DEFAULT_WATCH,
  type RuntimeSettings,
} from '../../../src/core/runtime-config.ts'
import { HOUR_MS } from '../../../src/core/time.ts'
import { careful } from '../../../src/pipeline/coordinator-config.ts'
import { asText, CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'

const ALERTS: PageRules = {
  severityMin: 'error',
  repeatMs: HOUR_MS,
  escalateMs: HOUR_MS,
  pagesPerMinute: 3,
}

let number = 0

function configOf(policy: Partial<Policy>, more: Partial<RuntimeSettings> = {}): ConfigControl {
  return {
    kind: 'config',
    pool: null,
    version: `sha256:${++number}`,
    settings: {
      policy: { ...DEFAULT_POLICY, mode: 'enforce', ...policy },
      pools: {},
      promotion: DEFAULT_PROMOTION,
      drift: DEFAULT_DRIFT,
      alerts: ALERTS,
      watch: DEFAULT_WATCH,
      ...more,
    },
    keys: { 'policy.budget': '0.5' },
    changes: [{ key: 'policy.budget', from: null, to: '0.5' }],
    by: 'ada',
    reason: 'a test',
  }
}

const said = (world: CoordinatorWorld) =>
  world.journal('config').map(({ pool, config }) => `${pool} ${config?.state ?? '?'}`)

describe('a configuration', () => {
  test('rules from its record on, and not before', () => {
    const world = new CoordinatorWorld()
    world.joinMany(10)
    for (const node of ['n0', 'n1', 'n2']) world.place(`w-${node}`, node)
    world.risky('n0', 0.7)
    expect(world.commands()).toEqual([])
    world.feed('control', configOf({ actingPoint: { kind: 'threshold', probability: 0.6 } }))
    world.risky('n1', 0.7)
    expect(world.commands().map(({ node }) => node)).toContain('n1')
    expect(said(world)).toEqual(['_fleet in-force', `${POOL} in-force`])
    const [fleet] = world.journal('config')
    expect(fleet.reasons[0]).toContain('by ada: a test')
    expect(fleet.reasons[0]).toContain('policy.budget from the default to 0.5')
    // Who pages people reads its rules there.
    expect(fleet.config?.alerts).toEqual(ALERTS)
  })

  test('is what owners with other files decide by: their outputs are the same to the byte', () => {
    const world = new CoordinatorWorld({ policy: { attemptsMax: 1, mode: 'observe' } })
    world.feed('control', configOf({ hysteresisRatio: 0.5 }))
    world.joinMany(12, 'z1')
    world.place('w0', 'z10')
    world.risky('z10', 0.9)
    world.after(HOUR_MS)
    world.silent('z11')
    expect(world.commands().length).toBeGreaterThan(0)
    const other = new CoordinatorWorld({ policy: { cooldownMs: 1, budgetRatio: 1 } })
    expect(asText(world.refold())).toEqual(asText(world.outputs))
    expect(asText(other.replay(world.records))).toEqual(asText(world.outputs))
  })

  test('is for a pool what it says of that pool, also of one that appears later', () => {
    const world = new CoordinatorWorld({ policy: { mode: 'observe' } })
    const bold = { ...DEFAULT_POLICY, mode: 'enforce' as const }
    world.feed('control', configOf({ mode: 'observe' }, { pools: { [POOL]: bold } }))
    world.joinMany(10)
    world.place('w0', 'n0')
    world.risky('n0')
    expect(world.commands().map(({ node }) => node)).toContain('n0')
  })

  test('that asks for less has what was sent and has not begun withdrawn', () => {
    const world = new CoordinatorWorld()
    world.joinMany(10)
    world.place('w0', 'n0')
    world.risky('n0')
    const sent = world.commands().length
    expect(sent).toBeGreaterThan(0)
    world.feed('control', configOf({ mode: 'observe' }))
    expect(world.commands('cancel').length).toBeGreaterThan(0)
  })

  test('with a detector out of its bounds is refused whole, and the journal names the key', () => {
    const world = new CoordinatorWorld()
    world.joinMany(10)
    world.place('w0', 'n0')
    const detectors = { threshold: { healthWarning: 7 } }
    world.feed('control', configOf({ mode: 'observe', detectors }))
    expect(said(world)).toEqual(['_fleet refused'])
    expect(world.journal('config')[0].reasons[0]).toContain('policy.detectors: `threshold')
    world.risky('n0')
    expect(world.commands().length).toBeGreaterThan(0)
  })

  test('gives a pool its shards, and another number of them', () => {
    const world = new CoordinatorWorld()
    world.joinMany(4)
    const shardsOf = (shardCount: number) => {
      const shards = { shardCount, replicaCount: 1, boundRatio: 1.25, movesMax: null }
      return { pools: { [POOL]: { ...DEFAULT_POLICY, mode: 'enforce' as const, shards } } }
    }
    for (const count of [8, 16]) {
      world.feed('control', configOf({}, shardsOf(count)))
      for (let second = 0; second < 3; second++) world.after(1_000)
      expect(world.map().size).toBe(count)
    }
  })

  test('names what it changes that no pool is watched for', () => {
    const world = new CoordinatorWorld()
    world.joinMany(3)
    const changes = [
      { key: 'policy.budget', from: null, to: '0.5' },
      { key: 'drift.stability_max', from: null, to: '0.5' },
    ]
    world.feed('control', { ...configOf({}), changes })
    const [{ reasons }] = world.journal('config')
    expect(reasons[0]).toContain('drift.stability_max is not taken back by itself: it says when')
    expect(reasons[0]).not.toContain('policy.budget is not taken back')
  })

  test('that is said again changes nothing', () => {
    const world = new CoordinatorWorld()
    world.joinMany(3)
    const config = configOf({ attemptsMax: 7 })
    world.feed('control', config)
    world.feed('control', config)
    expect(said(world)).toHaveLength(2)
  })

  test('reaches the watchers, with what may come back', () => {
    const world = new CoordinatorWorld()
    world.joinMany(3)
    const outputs = world.feed('control', configOf({ hysteresisRatio: 0.4 }))
    const policies = outputs.filter(({ headers }) => headers?.['kind'] === 'policies')
    expect(policies.map(({ partition }) => partition)).toEqual([0, 1, 2, 3])
    const ratios = (JSON.parse(String(policies[0].value)) as Policy[]).map((p) => p.hysteresisRatio)
    expect(new Set(ratios)).toEqual(new Set([0.4, 0.8]))
  })
})

describe('a changed pool', () => {
  /** So many nodes alarm and are refused in each of so many hours. */
  function play(world: CoordinatorWorld, hours: number, refusals: number): void {
    for (let hour = 0; hour < hours; hour++) {
      for (let node = 0; node < refusals; node++) {
        world.risky(`n${node}`, 0.95)
        world.assess(`n${node}`, { probability: 0.01 })
      }
      for (let minute = 0; minute < 60; minute++) world.after(60_000)
    }
  }

  /** Nothing fits anywhere, so that each alarm is a refusal by capacity. */
  function crowded(policy: Partial<Policy> = {}): CoordinatorWorld {
    const world = new CoordinatorWorld({
      policy: { budgetRatio: 1, sharedCauseRatio: 1, ...policy },
    })
    world.joinMany(100)
    for (let node = 0; node < 100; node++) {
      world.place(`w${node}`, `n${node}`, { needs: { cpu: 16, memoryBytes: 64e9, gpu: null } })
    }
    return world
  }

  test('that refuses far more than the day before goes back, and says which rate got worse', () => {
    const world = crowded({ version: 'before' })
    play(world, 24, 1)
    const more = { budgetRatio: 1, sharedCauseRatio: 1, version: 'worse' }
    world.feed('control', configOf({ ...more, attemptsMax: 9 }))
    play(world, 1, 30)
    expect(said(world)).toEqual(['_fleet in-force', `${POOL} in-force`, `${POOL} taken-back`])
    const told = world.journal('config').at(-1)!
    expect(told.reasons[0]).toMatch(/refusals went from 0\.\d+ to \d+(\.\d+)? per node and day/)
    expect(asText(world.refold())).toEqual(asText(world.outputs))
  })

  test('that does as before is kept when its time is over', () => {
    const world = crowded()
    play(world, 24, 2)
    world.feed('control', configOf({ budgetRatio: 1, sharedCauseRatio: 1, attemptsMax: 9 }))
    play(world, 2, 2)
    expect(said(world)).toEqual(['_fleet in-force', `${POOL} in-force`, `${POOL} kept`])
  })

  test('is not judged by refusals that people asked for', () => {
    const world = crowded()
    play(world, 24, 0)
    world.feed('control', configOf({ mode: 'observe', budgetRatio: 1, sharedCauseRatio: 1 }))
    play(world, 2, 30)
    expect(world.rails()).toContain('mode')
    expect(said(world).at(-1)).toBe(`${POOL} kept`)
  })

  test('never becomes bolder by going back', () => {
    const world = crowded({ version: 'before' })
    play(world, 24, 1)
    const more = { budgetRatio: 1, sharedCauseRatio: 1, version: 'after', attemptsMax: 9 }
    world.feed('control', configOf({ ...more, dryRun: true }))
    play(world, 1, 40)
    expect(said(world).at(-1)).toBe(`${POOL} taken-back`)
    world.risky('n90')
    expect(world.commands().at(-1)).toMatchObject({
      node: 'n90',
      policyVersion: 'before',
      dryRun: true,
    })
  })

  test('keeps what was just asked for where that is more careful', () => {
    const votes = { quorumRatio: 0.5 } as Policy['votes']
    const bold = { ...DEFAULT_POLICY, mode: 'enforce', votes: null, dryRun: false } as const
    const shy = { ...bold, mode: 'approve', votes, dryRun: true } as const
    for (const [before, after] of [
      [bold, shy],
      [shy, bold],
    ] as const) {
      const back = careful({ ...before, attemptsMax: 7 }, after)
      expect(back).toMatchObject({ mode: 'approve', votes, dryRun: true, attemptsMax: 7 })
    }
  })

  test('has what is in force, also after the log has forgotten who said it', () => {
    const world = crowded({ version: 'before' })
    play(world, 24, 1)
    const settings = { budgetRatio: 1, sharedCauseRatio: 1, version: 'after', attemptsMax: 9 }
    world.feed('control', configOf(settings))
    play(world, 1, 40)
    expect(said(world).at(-1)).toBe(`${POOL} taken-back`)
    const forgotten = world.records.length
    // Half of the retention of this world.
    world.after(5e8)
    world.after(60_000)
    expect(said(world)).toHaveLength(3)
    const kept = world.records.slice(forgotten)
    const tail = world.createFold()
    for (const record of kept) tail.fold(record)
    expect(tail.configFigures()).toMatchObject({
      said: { version: `sha256:${number}` },
      pools: [{ pool: POOL, state: 'taken-back' }],
    })
  })

  test('is not held against refusals that stood before and stand still', () => {
    const world = crowded()
    play(world, 24, 0)
    for (let node = 0; node < 40; node++) world.risky(`n${node}`)
    for (const command of world.commands()) world.carryOut(command)
    expect(world.rails().length).toBeGreaterThanOrEqual(40)
    world.feed('control', configOf({ budgetRatio: 1, sharedCauseRatio: 1, attemptsMax: 9 }))
    for (let minute = 0; minute < 61; minute++) world.after(60_000)
    expect(said(world).at(-1)).toBe(`${POOL} kept`)
  })
})
