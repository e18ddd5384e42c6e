// Goal: each rail refuses what it is for, says the numbers, and the first in order speaks.
import { describe, expect, test } from 'vitest'
import type { CommandId, NodeId, WorkloadId } from '../../../src/core/ids.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import { admit, type Ask, budgetNodesMax, isSharedCause } from '../../../src/decide/admission.ts'

const POLICY = { ...DEFAULT_POLICY, mode: 'enforce' as const }
const NOW_MS = 1_000_000

const FREE: Ask = {
  action: 'migrate',
  node: 'n1' as NodeId,
  workload: 'w1' as WorkloadId,
  nowMs: NOW_MS,
  policy: POLICY,
  mode: 'enforce',
  stopped: null,
  vetoed: null,
  approved: null,
  maintenanceUntilMs: null,
  liveness: 'live',
  confirmed: false,
  zone: null,
  probability: 0.9,
  actingPoint: 0.8,
  overCount: 1,
  alarmRaised: true,
  attempts: 0,
  lastPreemptiveAtMs: null,
  budget: { nodeCount: 20, busyCount: 0, nodeIsBusy: false },
  target: () => ({ ok: true, target: 'n2' as NodeId, why: 'the best' }),
  inFlight: null,
}

const FULL_BUDGET = { nodeCount: 20, busyCount: 2, nodeIsBusy: false }
const BAD_ZONE = { name: 'z', nodeCount: 10, alarmingCount: 3 }
const NO_TARGET = { ok: false as const, why: 'none of 3 other nodes can take it' }

test('what nothing speaks against is admitted, with its target', () => {
  expect(admit(FREE)).toEqual({ ok: true, target: 'n2', why: 'the best' })
})

describe('refused', () => {
  test.each<{ rail: string; ask: Partial<Ask>; reason: string }>([
    {
      rail: 'stop',
      ask: { stopped: 'a fire (by ada)' },
      reason: 'the pool is stopped: a fire (by ada)',
    },
    {
      rail: 'mode',
      ask: { mode: 'observe' },
      reason: 'the pool only observes; this is what would be done',
    },
    {
      rail: 'mode',
      ask: { mode: 'approve' },
      reason: 'the pool acts on approval only, and nobody has approved',
    },
    { rail: 'veto', ask: { vetoed: 'mine (by ada)' }, reason: 'node n1 is vetoed: mine (by ada)' },
    {
      rail: 'maintenance',
      ask: { maintenanceUntilMs: NOW_MS + 60_000 },
      reason: 'node n1 is in maintenance for another 1m',
    },
    {
      rail: 'observer',
      ask: { liveness: 'unknown' },
      reason: 'our own view of node n1 is late or cut off, so nothing is known of it',
    },
    {
      rail: 'shared-cause',
      ask: { zone: BAD_ZONE },
      reason: '3 of 10 nodes of zone z alarm at once (limit 30 %): one shared cause',
    },
    {
      rail: 'hysteresis',
      ask: { alarmRaised: false, policy: { ...POLICY, persistenceCount: 3 } },
      reason: 'probability 90 %, acting point 80 %, seen 1 of 3 times in a row',
    },
    {
      rail: 'hysteresis',
      ask: { alarmRaised: false, actingPoint: null },
      reason: "the policy's acting point is not in the model's card",
    },
    { rail: 'attempts', ask: { attempts: 3 }, reason: '3 of 3 attempts are used up' },
    {
      rail: 'cooldown',
      ask: { lastPreemptiveAtMs: NOW_MS - 60_000 },
      reason: 'node n1 was acted on 1m ago; cooldown is 5m',
    },
    {
      rail: 'budget',
      ask: { budget: FULL_BUDGET },
      reason: '2 nodes are in preemptive work; the budget is 2 (10 % of 20 nodes)',
    },
    { rail: 'capacity', ask: { target: () => NO_TARGET }, reason: NO_TARGET.why },
    {
      rail: 'in-flight',
      ask: { inFlight: 'c9' as CommandId },
      reason: 'command c9 for workload w1 is still in flight',
    },
  ])('by $rail: $reason', ({ rail, ask, reason }) => {
    expect(admit({ ...FREE, ...ask })).toEqual({ ok: false, rail, reason })
  })
})

describe('admitted all the same', () => {
  test.each<{ because: string; ask: Partial<Ask> }>([
    { because: 'maintenance is over', ask: { maintenanceUntilMs: NOW_MS } },
    { because: 'the failure is confirmed', ask: { liveness: 'unknown', confirmed: true } },
    { because: 'recovery goes on in a bad zone', ask: { action: 'recover', zone: BAD_ZONE } },
    { because: 'recovery needs no alarm', ask: { action: 'fence', alarmRaised: false } },
    {
      because: 'recovery knows no cooldown',
      ask: { action: 'recover', lastPreemptiveAtMs: NOW_MS },
    },
    { because: 'the cooldown is over', ask: { lastPreemptiveAtMs: NOW_MS - 300_000 } },
    {
      because: 'the node is in the budget already',
      ask: { budget: { ...FULL_BUDGET, nodeIsBusy: true } },
    },
    {
      because: 'a zone of four has no shared cause',
      ask: { zone: { name: 'z', nodeCount: 4, alarmingCount: 4 } },
    },
  ])('because $because', ({ ask }) => {
    expect(admit({ ...FREE, ...ask }).ok).toBe(true)
  })

  test.each(['uncordon', 'cancel'] as const)('%s, whatever speaks against it', (action) => {
    const worst: Ask = {
      ...FREE,
      action,
      stopped: 'a fire',
      mode: 'observe',
      vetoed: 'mine',
      liveness: 'unknown',
      attempts: 99,
      budget: FULL_BUDGET,
    }
    expect(admit(worst).ok).toBe(true)
  })
})

test('the first rail in order speaks, and no target is looked for behind a refusal', () => {
  let asked = 0
  const target = () => {
    asked++
    return NO_TARGET
  }
  const ask = { ...FREE, target, inFlight: 'c9' as CommandId }
  expect(admit({ ...ask, attempts: 3, budget: FULL_BUDGET })).toMatchObject({ rail: 'attempts' })
  expect(asked).toBe(0)
  expect(admit(ask)).toMatchObject({ rail: 'capacity' })
  expect(asked).toBe(1)
})

test.each([
  { nodeCount: 0, max: 1 },
  { nodeCount: 9, max: 1 },
  { nodeCount: 19, max: 1 },
  { nodeCount: 20, max: 2 },
  { nodeCount: 300, max: 30 },
])('of $nodeCount nodes $max may be in work, at least one', ({ nodeCount, max }) => {
  expect(budgetNodesMax(POLICY, nodeCount)).toBe(max)
})

test('a shared cause begins exactly at the ratio', () => {
  expect(isSharedCause(POLICY, { name: 'z', nodeCount: 10, alarmingCount: 3 })).toBe(true)
  expect(isSharedCause(POLICY, { name: 'z', nodeCount: 10, alarmingCount: 2 })).toBe(false)
})
