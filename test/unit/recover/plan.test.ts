import { describe, expect, test } from 'vitest'
import type { NodeId, WorkloadId } from '../../../src/core/ids.ts'
import {
  isAchieved,
  isOpen,
  isReady,
  nextStepState,
  planFor,
  planStep,
  preconditionOf,
  STEP_TABLE,
  type StepEvent,
  type StepState,
} from '../../../src/recover/plan.ts'

const W = 'w' as WorkloadId
const NODE = 'n' as NodeId

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
    { from: 'rehearsed', event: 'send', to: undefined, because: 'a dry run is over' },
  ])('$from + $event = $to, because $because', ({ from, event, to }) => {
    expect(nextStepState(from, event)).toBe(to)
  })

  test('is open, under way or achieved in every state, and never two of these', () => {
    const underWay = new Set<StepState>(['sent', 'accepted', 'started'])
    for (const state of Object.keys(STEP_TABLE) as StepState[]) {
      const step = { ...planStep('migrate', W), state }
      const answers = [isOpen(step), underWay.has(state), isAchieved(step)]
      expect(answers.filter(Boolean), state).toHaveLength(1)
    }
  })
})

test('the shield comes first, then the workloads in the order given', () => {
  expect(planFor('predicted', [W]).map(({ stepId }) => stepId)).toEqual(['cordon', 'migrate:w'])
  expect(planFor('silent', [W]).map(({ stepId }) => stepId)).toEqual(['fence', 'recover:w'])
  expect(planFor('release', [W]).map(({ stepId }) => stepId)).toEqual(['uncordon'])
})

test('a workload starts elsewhere only once its old node is fenced', () => {
  const recover = planStep('recover', W)
  const fence = planStep('fence', null)
  expect(isReady(recover, undefined)).toBe(false)
  expect(isReady(recover, fence)).toBe(false)
  expect(isReady(recover, { ...fence, state: 'started' })).toBe(false)
  expect(isReady(recover, { ...fence, state: 'failed' })).toBe(false)
  expect(isReady(recover, { ...fence, state: 'succeeded' })).toBe(true)
  expect(isReady(planStep('migrate', W), undefined)).toBe(true)
})

test('each action says what must hold when it begins', () => {
  expect(preconditionOf(planStep('recover', W), NODE)).toEqual({ kind: 'fenced', node: NODE })
  const placed = { kind: 'placed-on', workload: W, node: NODE }
  expect(preconditionOf(planStep('migrate', W), NODE)).toEqual(placed)
  expect(preconditionOf(planStep('fence', null), NODE)).toBeNull()
})
