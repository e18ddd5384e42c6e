// Goal: a choice is a fair, bounded draw that a reader of the journal can repeat.
// Method: choosers that have lived through random outcomes are asked random questions.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { FaultKind } from '../../../src/core/fault.ts'
import {
  type ChoiceCause,
  type ChoiceContext,
  ladderOf,
  type Strategy,
} from '../../../src/core/strategy.ts'
import { type Choice, Chooser, type Question } from '../../../src/decide/choose.ts'
import type { Trial } from '../../../src/decide/outcome-model.ts'

const context: fc.Arbitrary<ChoiceContext> = fc.record({
  cause: fc.constantFrom<ChoiceCause>('predicted', 'silent', 'failed'),
  kind: fc.constantFrom<FaultKind>('software', 'node-hardware', 'network', 'attack'),
  severity: fc.constantFrom('error', 'critical'),
})
const trial = context.chain((of) =>
  fc.record<Trial>({
    context: fc.constant(of),
    strategy: fc.constantFrom<Strategy>(...ladderOf(of)),
    ok: fc.boolean(),
    elapsedMs: fc.nat(600_000),
    failedMeanwhile: fc.boolean(),
  }),
)
const rules = fc
  .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([a, b]) => ({ exploreMinRatio: Math.min(a, b), exploreMaxRatio: Math.max(a, b) }))
const question = fc.record<Question>({
  seed: fc.string(),
  context,
  after: fc.constant(null),
  isCritical: fc.boolean(),
  rules,
})

function chooserOf(trials: readonly Trial[]): Chooser {
  const chooser = new Chooser()
  for (const one of trials) chooser.learn(one)
  return chooser
}

const propensities = ({ ranking }: Choice) => ranking.map((rank) => rank.propensityRatio)

test.prop([fc.array(trial, { maxLength: 60 }), question])(
  'the same outcomes and the same incident make the same choice',
  (trials, asked) => {
    expect(chooserOf(trials).choose(asked)).toEqual(chooserOf(trials).choose(asked))
  },
)

test.prop([fc.array(trial, { maxLength: 60 }), question])(
  'propensities add up to one, belong to the ladder, and that of the choice is logged',
  (trials, asked) => {
    const choice = chooserOf(trials).choose(asked)
    expect(propensities(choice).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9)
    const ladder = ladderOf(asked.context)
    expect(choice.ranking.map(({ strategy }) => strategy).sort()).toEqual([...ladder].sort())
    const chosen = choice.ranking.find(({ strategy }) => strategy === choice.strategy)
    expect(chosen?.propensityRatio).toBe(choice.propensityRatio)
    expect(choice.propensityRatio).toBeGreaterThan(0)
  },
)

test.prop([fc.array(trial, { maxLength: 60 }), question])(
  'what is not the cheapest is chosen as rarely as policy says, and never where work is critical',
  (trials, asked) => {
    const choice = chooserOf(trials).choose(asked)
    const [best, ...others] = propensities(choice)
    expect(choice.isExploring).toBe(choice.ranking[0].strategy !== choice.strategy)
    const exploring = others.reduce((a, b) => a + b, 0)
    expect(best + exploring).toBeCloseTo(1, 9)
    if (asked.isCritical || others.length === 0) {
      expect(exploring).toBe(0)
      expect(choice.isExploring).toBe(false)
    } else {
      expect(exploring).toBeLessThanOrEqual(asked.rules.exploreMaxRatio + 1e-9)
      expect(exploring).toBeGreaterThanOrEqual(asked.rules.exploreMinRatio - 1e-9)
    }
  },
)

test.prop([context, fc.array(trial, { maxLength: 60 })])(
  'a ladder is climbed and ends: what failed is not tried again',
  (of, trials) => {
    const chooser = chooserOf(trials)
    const tried: Strategy[] = []
    const ladder = ladderOf(of)
    while (tried.at(-1) !== ladder.at(-1)) {
      const after = tried.at(-1) ?? null
      const limits = { exploreMinRatio: 0, exploreMaxRatio: 1 }
      const asked = { seed: String(after), context: of, after, isCritical: false, rules: limits }
      tried.push(chooser.choose(asked).strategy)
      expect(tried.length).toBeLessThanOrEqual(ladder.length)
    }
    expect(tried).toEqual(ladder.filter((strategy) => tried.includes(strategy)))
  },
)

test.prop([fc.integer({ min: 0, max: 400 })], { numRuns: 5 })(
  'over many incidents strategies are chosen as often as their propensities say',
  (first) => {
    const chooser = new Chooser()
    const of = { cause: 'silent', kind: 'network', severity: 'critical' } as const
    const limits = { exploreMinRatio: 0.3, exploreMaxRatio: 0.5 }
    let [expected, explored] = [0, 0]
    for (let i = 0; i < 200; i++) {
      const seed = `incident/${first}/${i}`
      const asked = { seed, context: of, after: null, isCritical: false, rules: limits }
      const choice = chooser.choose(asked)
      expected += 1 - propensities(choice)[0]
      explored += Number(choice.isExploring)
    }
    // Six standard deviations.
    expect(Math.abs(explored - expected)).toBeLessThan(6 * Math.sqrt(200 * 0.25))
  },
)
