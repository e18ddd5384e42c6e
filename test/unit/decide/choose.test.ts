import { expect, test } from 'vitest'
import type { FaultKind } from '../../../src/core/fault.ts'
import type { ChoiceContext, Strategy } from '../../../src/core/strategy.ts'
import { Chooser } from '../../../src/decide/choose.ts'
import { Draws } from '../../../src/decide/draws.ts'
import { costSOf, OutcomeModel } from '../../../src/decide/outcome-model.ts'

const RULES = { exploreMinRatio: 0.01, exploreMaxRatio: 0.1 }
const silent = (kind: FaultKind): ChoiceContext => ({ cause: 'silent', kind, severity: 'critical' })

function bestOf(chooser: Chooser, context: ChoiceContext, after: Strategy | null = null): Strategy {
  const asked = { seed: 'i', context, after, isCritical: true, rules: RULES }
  return chooser.choose(asked).strategy
}

test.each([
  { kind: 'software', best: 'restart', because: 'a restart mends most of it' },
  { kind: 'node-hardware', best: 'fail-over', because: 'nothing milder mends it' },
  { kind: 'network', best: 'wait', because: 'half of it passes' },
  { kind: 'attack', best: 'fail-over', because: 'nothing else is allowed' },
] as const)('before any outcome $kind is answered by $best: $because', ({ kind, best }) => {
  expect(bestOf(new Chooser(), silent(kind))).toBe(best)
})

test('what fails again and again gives way, in its own context only', () => {
  const chooser = new Chooser()
  const context = silent('software')
  for (let i = 0; i < 12; i++) {
    const trial = { context, strategy: 'restart', ok: false, elapsedMs: 180_000 } as const
    chooser.learn({ ...trial, failedMeanwhile: false })
  }
  expect(bestOf(chooser, context)).not.toBe('restart')
  expect(bestOf(chooser, context, 'wait')).toBe('fail-over')
  expect(bestOf(chooser, { ...context, cause: 'failed' })).toBe('restart')
})

test('what changes is learned again: the old outcomes are forgotten', () => {
  const model = new OutcomeModel(silent('software'), 'restart')
  for (let i = 0; i < 10_000; i++) model.learn(true, 60)
  expect(model.count).toBeLessThanOrEqual(201)
  for (let i = 0; i < 400; i++) model.learn(false, 180)
  expect(model.successProbability).toBeLessThan(0.2)
  expect(model.costMeanS).toBeGreaterThan(150)
})

test('what a failure costs is no price of success: the mean follows the odds', () => {
  const model = new OutcomeModel(silent('software'), 'restart')
  for (let i = 0; i < 100; i++) model.learn(true, 60)
  for (let i = 0; i < 100; i++) model.learn(false, 200)
  const { successProbability: works, costMeanS } = model
  expect(costMeanS).toBeCloseTo(60 * works + 200 * (1 - works), 0)
})

test.each([
  {
    cause: 'predicted',
    strategy: 'wait',
    failed: false,
    costS: 0,
    because: 'the work runs on',
  },
  { cause: 'predicted', strategy: 'wait', failed: true, costS: 300, because: 'it fell with it' },
  { cause: 'predicted', strategy: 'restart', failed: false, costS: 45, because: 'it was down' },
  { cause: 'predicted', strategy: 'migrate', failed: false, costS: 60, because: 'a node is empty' },
  { cause: 'silent', strategy: 'wait', failed: false, costS: 30, because: 'nothing ran' },
  { cause: 'failed', strategy: 'fail-over', failed: false, costS: 210, because: 'both' },
] as const)('$strategy of 30 s when $cause costs $costS s: $because', (row) => {
  const context = { cause: row.cause, kind: 'software', severity: 'error' } as const
  const { strategy, failed: failedMeanwhile } = row
  expect(costSOf({ context, strategy, elapsedMs: 30_000, failedMeanwhile })).toBe(row.costS)
})

test('draws have the moments of their distributions', () => {
  const draws = new Draws('moments')
  const mean = (draw: () => number) =>
    Array.from({ length: 20_000 }, draw).reduce((sum, x) => sum + x, 0) / 20_000
  expect(mean(() => draws.normal())).toBeCloseTo(0, 1)
  expect(mean(() => draws.normal() ** 2)).toBeCloseTo(1, 1)
  expect(mean(() => draws.gamma(0.3))).toBeCloseTo(0.3, 1)
  expect(mean(() => draws.gamma(7.5))).toBeCloseTo(7.5, 0)
  expect(mean(() => draws.beta(3, 1))).toBeCloseTo(0.75, 2)
})
