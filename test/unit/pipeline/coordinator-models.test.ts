// Goal: a better challenger takes the champion's place, a worse one is refused and journaled, and one that
// turns out worse after all is rolled back, whoever put it in place.
import { expect, test } from 'vitest'
import type { JournalEntry } from '../../../src/core/command.ts'
import type { ModelId, PoolId } from '../../../src/core/ids.ts'
import { KIND } from '../../../src/core/log.ts'
import {
  type ClassModels,
  DEFAULT_PROMOTION,
  type DriftCounts,
  type HoldOutRecord,
  type ModelAssignment,
  type OutcomeRecord,
  type ProposalRecord,
  scoreBin,
} from '../../../src/core/model-life.ts'
import type { ModelControl } from '../../../src/core/policy.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'
import { textOf } from '../../support/output.ts'

const [A, B] = ['a', 'b'].map((digit) => digit.repeat(64) as ModelId)

class Life {
  readonly world: CoordinatorWorld

  constructor(world = new CoordinatorWorld()) {
    this.world = world
    this.outcomes({ champion: A, trial: 0 })
  }

  say(action: ModelControl['action'], model: ModelId | null): void {
    const said = { by: 'ops', reason: 'test', nodeClass: 'server', pool: null, kind: 'model' }
    this.world.feed('control', { ...said, action, model })
  }

  /** `pairs`: what champion and challenger gave each failed node. */
  outcomes(more: {
    readonly champion?: ModelId
    readonly trial?: number
    readonly pairs?: readonly (readonly [number, number])[]
    readonly drift?: DriftCounts
    readonly source?: number
  }): void {
    const { champion = A, trial = this.assignment().trial, pairs = [], drift, source = 0 } = more
    const quiet = { [scoreBin(0.01)]: 1_000 }
    const record: OutcomeRecord = {
      source,
      nodeClass: 'server',
      trial,
      champion,
      outcomes: {
        exposureMs: 1_000 * DAY_MS,
        quiet: { champion: quiet, challenger: quiet },
        failures: pairs.map(([a, b]) => ({ champion: a, challenger: b, leadMs: 60_000 })),
        unscoredFailureCount: 0,
        rowCount: 1_000,
        squaredErrors: { champion: 10, challenger: 10 },
      },
      drift: drift ?? null,
    }
    this.world.feed('model-outcomes', record)
  }

  assignments(): readonly ModelAssignment[] {
    return this.world.outputs
      .filter(({ headers }) => headers?.[KIND] === 'model')
      .map(({ value }) => JSON.parse(textOf(value)) as ModelAssignment)
  }

  assignment(): ModelAssignment {
    const none = { nodeClass: 'server', champion: null, challenger: null, trial: 0 }
    return this.assignments().at(-1) ?? none
  }

  journal(): readonly string[] {
    return this.#of<JournalEntry>('t.journal')
      .filter(({ kind }) => kind === 'model')
      .map(({ reasons }) => reasons.join(' '))
  }

  state(): ClassModels {
    return this.#of<ClassModels>('t.models').at(-1)!
  }

  alerts(): readonly string[] {
    return this.#of<{ message: string }>('t.alerts').map(({ message }) => message)
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the topic says which body it is
  #of<Body>(topic: string): readonly Body[] {
    const outputs = this.world.outputs.filter((output) => output.topic === topic)
    return outputs.map(({ value }) => JSON.parse(textOf(value)) as Body)
  }
}

const repeated = (count: number, a: number, b: number) =>
  Array.from({ length: count }, () => [a, b] as const)
/** At 20 failures the first look is due. */
const CHALLENGER_BETTER = [...repeated(10, 0.001, 0.9), ...repeated(10, 0.9, 0.9)]
const CHAMPION_BETTER = CHALLENGER_BETTER.map(([a, b]) => [b, a] as const)
const ALIKE = repeated(20, 0.9, 0.9)

test('a better challenger is promoted in every partition, and the one before goes on beside it', () => {
  const life = new Life()
  life.say('challenge', B)
  expect(life.assignments()).toHaveLength(4)
  expect(life.assignment()).toMatchObject({ champion: A, challenger: B, trial: 1 })
  life.outcomes({ pairs: CHALLENGER_BETTER.slice(0, 19) })
  expect(life.assignment().trial).toBe(1)
  life.outcomes({ pairs: CHALLENGER_BETTER.slice(19) })
  expect(life.assignment()).toMatchObject({ champion: B, challenger: A, trial: 2 })
  expect(life.state()).toMatchObject({ champion: B, previous: A, trial: 'probation' })
  expect(life.journal().at(-1)).toMatch(
    /^Model b{12} takes the place of a{12}: of 20 failures it foresaw 100 % against 50 %/,
  )
})

test('a worse challenger is refused with the figures; one that is alike is, after the last look', () => {
  const life = new Life()
  life.say('challenge', B)
  life.outcomes({ pairs: CHAMPION_BETTER })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null, trial: 2 })
  expect(life.journal().at(-1)).toMatch(/does not take the place of a{12}: of 20 failures/)
  life.say('challenge', B)
  for (let look = 0; look < 3; look++) life.outcomes({ pairs: ALIKE })
  expect(life.assignment().challenger).toBe(B)
  life.outcomes({ pairs: ALIKE })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null })
})

test('one that was forced in is on probation, and is rolled back when the one before is better', () => {
  const life = new Life()
  life.say('activate', B)
  expect(life.assignment()).toMatchObject({ champion: B, challenger: A })
  life.outcomes({ champion: B, pairs: CHALLENGER_BETTER })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null })
  expect(life.journal().at(-1)).toMatch(/^Model b{12} is rolled back to a{12}: of 20 failures/)
  life.say('rollback', null)
  expect(life.journal().at(-1)).toMatch(/^There is no model to roll back to/)
})

test('an operator rolls back at once, and what was known of other pairs counts no longer', () => {
  const life = new Life()
  life.say('activate', B)
  life.say('rollback', null)
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null, trial: 2 })
  life.say('challenge', B)
  life.outcomes({ trial: 1, pairs: CHALLENGER_BETTER })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: B, trial: 3 })
  life.say('activate', A)
  expect(life.journal().at(-1)).toMatch(/^Model a{12} serves already/)
})

test('a model that no watcher can serve is taken back with their reason', () => {
  const life = new Life()
  life.say('activate', B)
  const refusal = { nodeClass: 'server', trial: 1, model: B, reason: 'other features' }
  for (const source of [0, 1, 2, 3]) life.world.feed('model-refused', { source, ...refusal })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null, trial: 2 })
  expect(life.journal().filter((line) => line.includes('refused: other features'))).toHaveLength(1)
})

test('a challenger whose time is over is refused, whatever is missing', () => {
  const life = new Life()
  life.say('challenge', B)
  life.world.after(31 * DAY_MS)
  life.outcomes({ pairs: ALIKE.slice(0, 1) })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null })
})

test('drift is told once all partitions have seen the window, and once when it ends', () => {
  const life = new Life()
  const counts = (window: number, low: number): DriftCounts => {
    const score = { name: 'score', counts: [low, 1_000 - low, 0], expected: [0.9, 0.1, 0] }
    return { window, nodeCount: 500, referenceNodeCount: 500, score, features: [] }
  }
  const see = (window: number, low: number) => {
    for (const source of [0, 1, 2, 3]) life.outcomes({ source, drift: counts(window, low) })
  }
  see(1, 900)
  expect(life.alerts()).toEqual([])
  see(2, 400)
  see(3, 400)
  expect(life.alerts()).toHaveLength(1)
  expect(life.alerts()[0]).toMatch(
    /is not what it was trained on: stability index of the score 1\.\d/,
  )
  expect(life.state().drift).toMatchObject({ drifted: true })
  see(4, 900)
  expect(life.state().drift).toMatchObject({ drifted: false })
  expect(life.journal().filter((line) => line.includes('sees is'))).toHaveLength(2)
})

test('the same log gives the same assignments after a handover', () => {
  const life = new Life()
  life.say('challenge', B)
  life.outcomes({ pairs: CHALLENGER_BETTER.slice(0, 12) })
  const after = new Life(new CoordinatorWorld({ after: life.world }))
  for (const each of [life, after]) each.outcomes({ pairs: CHALLENGER_BETTER.slice(8) })
  expect(after.assignment()).toEqual(life.assignment())
  expect(after.assignment().champion).toBe(B)
})

/** A week in pool `a` and five failures, of which a rolled back model foresees fewer. */
const CANARY = { ...DEFAULT_PROMOTION, canaryPools: ['a' as PoolId], canaryMs: 7 * DAY_MS }

function lifeWithCanary(): Life {
  const life = new Life(new CoordinatorWorld({ promotion: CANARY }))
  life.say('challenge', B)
  life.outcomes({ pairs: CHALLENGER_BETTER })
  return life
}

test('one that won in the shadow serves the canary pools, and the fleet once it has held there', () => {
  const life = lifeWithCanary()
  expect(life.assignments()).toHaveLength(8)
  expect(life.assignment()).toMatchObject({ champion: A, challenger: B, canaryPools: ['a'] })
  expect(life.state()).toMatchObject({ champion: A, trial: 'canary', canaryPools: ['a'] })
  expect(life.journal().at(-1)).toMatch(
    /^Model b{12} serves the canary pool a before the fleet, beside a{12}: of 20 failures/,
  )
  life.outcomes({ pairs: ALIKE.slice(0, 5) })
  expect(life.state().trial).toBe('canary')
  life.world.after(7 * DAY_MS)
  life.outcomes({ pairs: [] })
  expect(life.assignment()).toMatchObject({ champion: B, challenger: A, canaryPools: [] })
  expect(life.state()).toMatchObject({ previous: A, trial: 'probation', canaryPools: [] })
  expect(life.journal().at(-1)).toMatch(
    /^Model b{12} held in the canary pool a and takes the place of a{12}: of 5 failures/,
  )
})

test('time without failures is not enough for the fleet, and in the end it is taken back', () => {
  const life = lifeWithCanary()
  life.world.after(20 * DAY_MS)
  life.outcomes({ pairs: ALIKE.slice(0, 4) })
  expect(life.state().trial).toBe('canary')
  life.world.after(10 * DAY_MS)
  life.outcomes({ pairs: [] })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null, canaryPools: [] })
  expect(life.journal().at(-1)).toBe(
    `Model ${'b'.repeat(12)} is taken back from the canary pool a to ${'a'.repeat(12)}: in time 4 failures of the 5 were confirmed there.`,
  )
})

test('one that is worse on what it serves is taken back before its time is over', () => {
  const life = lifeWithCanary()
  life.outcomes({ pairs: CHAMPION_BETTER.slice(0, 5) })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null, canaryPools: [] })
  expect(life.journal().at(-1)).toMatch(/is taken back from the canary pool a .*: of 5 failures/)
})

test('an operator sends the challenger to the canary pools, on to the fleet, or back', () => {
  const life = new Life(new CoordinatorWorld({ promotion: CANARY }))
  life.say('canary', null)
  expect(life.journal().at(-1)).toMatch(/^There is no challenger to promote, and none is named/)
  life.say('challenge', B)
  life.say('canary', null)
  expect(life.assignment()).toMatchObject({ challenger: B, canaryPools: ['a'] })
  life.say('canary', B)
  expect(life.journal().at(-1)).toMatch(/^Model b{12} serves the canary pool a already/)
  life.say('rollback', null)
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null, canaryPools: [] })
  life.say('canary', B)
  life.say('promote', null)
  expect(life.assignment()).toMatchObject({ champion: B, challenger: A, canaryPools: [] })
})

test('without canary pools there is no canary, and the journal says what to set', () => {
  const life = new Life()
  life.say('canary', B)
  expect(life.assignments()).toEqual([])
  expect(life.journal().at(-1)).toMatch(/^There are no canary pools: set promotion.canary_pools/)
})

const PROPOSALS = { ...DEFAULT_PROMOTION, overrideMax: 0.5, overrideProposalsMin: 4 }

function propose(life: Life, overridden: boolean, more: Partial<ProposalRecord> = {}): void {
  const proposedAtMs = life.world.nowMs
  const record = { nodeClass: 'server', pool: POOL, proposedAtMs, overridden, ...more }
  life.world.feed('model-proposal', record satisfies ProposalRecord)
}

test('a model that people overrule too often goes back to the one before, and the journal says why', () => {
  const life = new Life(new CoordinatorWorld({ promotion: PROPOSALS }))
  life.say('activate', B)
  for (let n = 0; n < 4; n++) propose(life, false)
  for (let n = 0; n < 2; n++) propose(life, true)
  expect(life.assignment()).toMatchObject({ champion: B })
  propose(life, true)
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null })
  expect(life.journal().at(-1)).toBe(
    `Model ${'b'.repeat(12)} is rolled back to ${'a'.repeat(12)}: people overruled 3 of the 4 things that it asked for, over promotion.override_max = 0.5.`,
  )
  // What the one before had asked for says nothing of the one that serves now.
  const { nowMs } = life.world
  life.world.after(60_000)
  for (let n = 0; n < 9; n++) propose(life, n > 3, { proposedAtMs: nowMs - 1 })
  propose(life, false)
  expect(life.state().proposals.champion).toEqual({ proposalCount: 1, overriddenCount: 0 })
})

test('too few proposals are no sign', () => {
  const life = new Life(new CoordinatorWorld({ promotion: PROPOSALS }))
  life.say('activate', B)
  for (let n = 0; n < 3; n++) for (const overridden of [false, true]) propose(life, overridden)
  expect(life.assignment()).toMatchObject({ champion: B })
})

test('where nothing can be gone back to people are told once, and that it is over with the next model', () => {
  const life = new Life(new CoordinatorWorld({ promotion: PROPOSALS }))
  for (let n = 0; n < 4; n++) propose(life, false)
  for (let n = 0; n < 4; n++) propose(life, true)
  expect(life.assignments()).toEqual([])
  expect(life.alerts()).toHaveLength(1)
  expect(life.alerts()[0]).toMatch(/may no longer fit: people overruled 3 of the 4 things/)
  expect(life.state().overruled).toBe(true)
  life.say('activate', B)
  expect(life.alerts()).toHaveLength(2)
  expect(life.state()).toMatchObject({ champion: B, overruled: false })
})

test('what is overruled in the canary pools takes back the challenger, and not the champion', () => {
  const promotion = { ...CANARY, overrideProposalsMin: 4 }
  const life = new Life(new CoordinatorWorld({ promotion }))
  life.say('canary', B)
  const pool = 'a' as PoolId
  for (let n = 0; n < 4; n++) propose(life, false)
  for (let n = 0; n < 4; n++) propose(life, false, { pool })
  for (let n = 0; n < 3; n++) propose(life, true, { pool })
  expect(life.assignment()).toMatchObject({ champion: A, challenger: null, canaryPools: [] })
  expect(life.journal().at(-1)).toMatch(/is taken back from the canary pool a .*people overruled 3/)
})

test('what became of alarms that nobody answered is the precision of the model that raised them', () => {
  const life = new Life()
  const tell = (failed: boolean, more: Partial<HoldOutRecord> = {}) => {
    const sinceMs = life.world.nowMs
    const record = {
      nodeClass: 'server',
      pool: POOL,
      sinceMs,
      propensityRatio: 0.1,
      failed,
      ...more,
    }
    life.world.feed('model-hold-out', record satisfies HoldOutRecord)
  }
  expect(life.state().holdOuts.champion).toEqual({ count: 0, failureCount: 0, precision: null })
  life.world.after(60_000)
  for (const failed of [true, false, false]) tell(failed)
  // It was held out half as seldom, so it stands for half as many.
  tell(true, { propensityRatio: 0.2 })
  life.world.after(60_000)
  life.outcomes({})
  const { count, failureCount, precision } = life.state().holdOuts.champion
  expect([count, failureCount]).toEqual([4, 2])
  expect(precision).toBeCloseTo((10 + 5) / (3 * 10 + 5))
  life.say('activate', B)
  expect(life.state().holdOuts.champion.count).toBe(0)
  const { nowMs } = life.world
  life.world.after(60_000)
  tell(true, { sinceMs: nowMs - 1 })
  expect(life.state().holdOuts.champion.count).toBe(0)
})
