import { describe, expect, test } from 'vitest'
import type { NodeId, PlanId, WorkloadId } from '../../../src/core/ids.ts'
import {
  idempotencyKeyOf,
  isAchieved,
  isDone,
  isOpen,
  isUnderWay,
  nextStepState,
  planStep,
  preconditionOf,
  STEP_TABLE,
  type StepEvent,
  type StepState,
  undoneBy,
} from '../../../src/recover/step.ts'

const W = 'w' as WorkloadId
const NODE = 'n' as NodeId
const STATES = Object.keys(STEP_TABLE) as StepState[]

describe('a step', () => {
  test.each<{ from: StepState; event: StepEvent; to: StepState | undefined; because: string }>([
    { from: 'planned', event: 'send', to: 'sent', because: 'it is sent' },
    { from: 'sent', event: 'verified', to: 'verified', because: 'words in between may be missing' },
    { from: 'sent', event: 'kept-back', to: 'planned', because: 'it never left' },
    { from: 'started', event: 'kept-back', to: undefined, because: 'what began has left' },
    { from: 'started', event: 'accepted', to: undefined, because: 'it does not go back' },
    { from: 'succeeded', event: 'expired', to: 'assumed', because: 'nobody verified it' },
    { from: 'assumed', event: 'verified', to: 'verified', because: 'late, but verified' },
    { from: 'failed', event: 'send', to: 'sent', because: 'it is tried again' },
    { from: 'failed', event: 'verified', to: 'verified', because: 'the late word is the truth' },
    { from: 'verified', event: 'failed', to: undefined, because: 'what is verified stays so' },
    { from: 'verified', event: 'undone', to: 'planned', because: 'its placement says it is back' },
    { from: 'succeeded', event: 'undone', to: undefined, because: 'an old placement may be late' },
    { from: 'succeeded', event: 'compensated', to: 'planned', because: 'we took it back' },
    { from: 'rehearsed', event: 'send', to: undefined, because: 'a dry run is over' },
    { from: 'rehearsed', event: 'compensated', to: undefined, because: 'nothing was done' },
  ])('$from + $event = $to, because $because', ({ from, event, to }) => {
    expect(nextStepState(from, event)).toBe(to)
  })

  test.each(STATES)('that is %s is open, under way or done, and never two of these', (state) => {
    for (const action of ['migrate', 'cordon'] as const) {
      const step = { ...planStep(action, W), state }
      expect([isOpen(step), isUnderWay(step), isDone(step)].filter(Boolean)).toHaveLength(1)
    }
  })

  test('of a node is done when it has succeeded, a move only when it is verified', () => {
    const succeeded = { state: 'succeeded' } as const
    const fence = { ...planStep('fence', null), ...succeeded }
    const move = { ...planStep('recover', W), ...succeeded }
    expect([isDone(fence), isAchieved(fence)]).toEqual([true, true])
    expect([isDone(move), isAchieved(move)]).toEqual([false, true])
  })

  test('has one key for all its tries, and another one once it was undone', () => {
    const plan = 'i.plan' as PlanId
    const step = { ...planStep('migrate', W), attempts: 1 }
    const key = idempotencyKeyOf(plan, step)
    expect(idempotencyKeyOf(plan, { ...step, state: 'failed', attempts: 2 })).toBe(key)
    const undone = undoneBy({ ...step, state: 'verified' }, 'undone')!
    expect(undone).toMatchObject({ state: 'planned', attempts: 1, freeAtMs: null })
    expect(idempotencyKeyOf(plan, undone)).not.toBe(key)
    expect(undoneBy(step, 'undone')).toBeNull()
  })
})

test('each action says what must hold when it begins', () => {
  expect(preconditionOf(planStep('recover', W), NODE)).toEqual({ kind: 'fenced', node: NODE })
  const placed = { kind: 'placed-on', workload: W, node: NODE }
  expect(preconditionOf(planStep('migrate', W), NODE)).toEqual(placed)
  expect(preconditionOf(planStep('fence', null), NODE)).toBeNull()
})
