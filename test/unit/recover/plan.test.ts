import { expect, test } from 'vitest'
import type { WorkloadId } from '../../../src/core/ids.ts'
import { orderByDependency } from '../../../src/recover/dependencies.ts'
import {
  isFree,
  outcomeOf,
  planFor,
  type PlanStrategy,
  type PlanView,
} from '../../../src/recover/plan.ts'
import { planStep, type Step, type StepState } from '../../../src/recover/step.ts'

const [DB, WEB] = ['db', 'web'] as WorkloadId[]
const TIMEOUT_MS = 1_000
const ORDERED = orderByDependency([
  { workload: WEB, rank: 0, dependsOn: [DB] },
  { workload: DB, rank: 3, dependsOn: [] },
])

test.each<{ strategy: PlanStrategy; steps: Record<string, readonly string[]> }>([
  { strategy: 'wait', steps: {} },
  { strategy: 'restart', steps: { restart: [] } },
  { strategy: 'return', steps: { uncordon: [] } },
  {
    strategy: 'migrate',
    steps: { cordon: [], 'migrate:db': [], 'migrate:web': ['migrate:db'] },
  },
  {
    strategy: 'fail-over',
    steps: { fence: [], 'recover:db': ['fence'], 'recover:web': ['fence', 'recover:db'] },
  },
])('the steps of $strategy, and what comes before each', ({ strategy, steps }) => {
  const plan = planFor(strategy, ORDERED, TIMEOUT_MS)
  expect(Object.fromEntries(plan.map(({ stepId, after }) => [stepId, after]))).toEqual(steps)
  expect(plan.map(({ stepId }) => stepId)).toEqual(Object.keys(steps))
})

function view(steps: readonly Step[], more: Partial<PlanView> = {}): PlanView {
  const map = new Map(steps.map((step) => [step.stepId, step]))
  const [isPrepared, isThere] = [() => false, () => true]
  return { steps: map, attemptsMax: 3, nowMs: 0, isPrepared, isThere, ...more }
}

test.each<{ state: StepState | 'none'; free: boolean }>([
  { state: 'planned', free: false },
  { state: 'started', free: false },
  { state: 'failed', free: false },
  { state: 'succeeded', free: true },
  { state: 'assumed', free: true },
])('a workload starts elsewhere with its old node fenced: $state', ({ state, free }) => {
  const recover = planStep('recover', WEB, { after: ['fence'] })
  const fence = { ...planStep('fence', null), state: state as StepState, attempts: 9, freeAtMs: 0 }
  expect(isFree(recover, view([fence], { nowMs: 1e9 }))).toBe(free)
})

test.each<{ state: StepState; free: boolean }>([
  { state: 'planned', free: false },
  { state: 'sent', free: true },
  { state: 'failed', free: false },
  { state: 'succeeded', free: true },
])('what waits for its fence by itself goes beside it: $state', ({ state, free }) => {
  const promote = planStep('recover', WEB, { after: ['fence'] })
  const fence = { ...planStep('fence', null), state }
  expect(isFree(promote, view([fence], { isPrepared: () => true }))).toBe(free)
})

const before = { ...planStep('recover', DB, { timeoutMs: TIMEOUT_MS }), freeAtMs: 0 }

test.each<{ what: string; step: Step; more?: Partial<PlanView>; free: boolean }>([
  { what: 'is planned', step: before, free: false },
  {
    what: 'has succeeded and may not answer',
    step: { ...before, state: 'succeeded' },
    free: false,
  },
  { what: 'is verified', step: { ...before, state: 'verified' }, free: true },
  { what: 'has failed', step: { ...before, state: 'failed', attempts: 2 }, free: false },
  { what: 'is given up', step: { ...before, state: 'failed', attempts: 3 }, free: true },
  { what: 'is not there any more', step: before, more: { isThere: () => false }, free: true },
  { what: 'takes its time', step: before, more: { nowMs: TIMEOUT_MS - 1 }, free: false },
  { what: 'takes too long', step: before, more: { nowMs: TIMEOUT_MS }, free: true },
])('whether a workload may start when what it depends on $what', ({ step, more = {}, free }) => {
  const dependent = planStep('recover', WEB, { after: ['recover:db'] })
  expect(isFree(dependent, view([step], more))).toBe(free)
})

test.each<{ states: readonly StepState[]; outcome: string | null }>([
  { states: ['verified', 'assumed'], outcome: 'done' },
  { states: ['verified', 'rehearsed'], outcome: 'rehearsed' },
  { states: ['verified', 'succeeded'], outcome: null },
  { states: ['verified', 'planned'], outcome: null },
  { states: ['verified', 'failed'], outcome: 'failed' },
])('a plan with steps that are $states ends as $outcome', ({ states, outcome }) => {
  const steps = states.map((state) => ({ ...planStep('recover', WEB), state, attempts: 3 }))
  expect(outcomeOf(steps, 3)).toBe(outcome)
})
