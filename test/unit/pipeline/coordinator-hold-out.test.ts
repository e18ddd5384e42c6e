// Goal: a capped few of the alarms without urgent work are watched and not answered, the same ones whenever the
// log is folded, and what becomes of them is told.
import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import { KIND } from '../../../src/core/log.ts'
import {
  DEFAULT_PROMOTION,
  type HoldOutRecord,
  type PromotionRules,
} from '../../../src/core/model-life.ts'
import type { Policy } from '../../../src/core/policy.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { CoordinatorWorld, MODEL } from '../../support/coordinator-world.ts'
import { textOf } from '../../support/output.ts'

const ALL = { ...DEFAULT_PROMOTION, holdOutRatio: 1, holdOutsPerDay: 100 }

function alarming(
  more: {
    readonly rules?: Partial<PromotionRules>
    readonly priority?: Placement['priority']
    readonly policy?: Partial<Policy>
  } = {},
): CoordinatorWorld {
  const { rules = {}, priority = 'NORMAL', policy = {} } = more
  const world = new CoordinatorWorld({ promotion: { ...ALL, ...rules }, policy })
  world.joinMany(30)
  world.place('w0', 'n0', { priority })
  world.risky('n0')
  return world
}

function outcomes({ outputs }: CoordinatorWorld): readonly HoldOutRecord[] {
  return outputs
    .filter(({ headers }) => headers?.[KIND] === 'model-hold-out')
    .map(({ value }) => JSON.parse(textOf(value)) as HoldOutRecord)
}

test('a node that is held out is watched, and the journal says with which chance', () => {
  const policy = { budgetRatio: 1, sharedCauseNodesMin: 100 }
  const options = { rules: { holdOutRatio: 0.5 }, policy }
  const world = alarming(options)
  for (let n = 1; n < 24; n++) world.risky(`n${n}`)
  const refused = world.journal('refusal').filter(({ rail }) => rail === 'hold-out')
  const cordoned = new Set(world.commands('cordon').map(({ node }) => node))
  // Whoever is cordoned was not held out.
  expect(refused.length).toBeGreaterThan(4)
  expect(cordoned.size).toBe(24 - refused.length)
  expect(refused.some(({ node }) => node !== null && cordoned.has(node))).toBe(false)
  expect(refused[0].reasons[0]).toMatch(/node n\d+ is held out, as 50 % of such alarms are/)
  expect(refused[0].evidence).toContainEqual({
    what: 'propensityRatio',
    value: 0.5,
    limit: null,
  })

  // The next owner of the log has held out the same.
  const promotion = { ...ALL, ...options.rules }
  const next = new CoordinatorWorld({ promotion, policy: options.policy, after: world })
  for (const owner of [world, next]) owner.after(MODEL.horizonMs)
  expect(outcomes(world)).toHaveLength(refused.length)
  expect(outcomes(next)).toEqual(outcomes(world))
})

test.each([
  { because: 'it is not asked for', more: { rules: { holdOutRatio: 0 } } },
  { because: 'its work is critical', more: { priority: 'CRITICAL' as const } },
  { because: 'its work is of high priority', more: { priority: 'HIGH' as const } },
])('a node is acted upon where $because', ({ more }) => {
  const world = alarming(more)
  expect(world.commands('cordon').map(({ node }) => node)).toEqual(['n0'])
  expect(world.rails()).not.toContain('hold-out')
})

test('no more than so many a pool and day', () => {
  const world = alarming({ rules: { holdOutsPerDay: 2 }, policy: { budgetRatio: 1 } })
  for (const node of ['n1', 'n2', 'n3']) world.risky(node)
  const heldOut = () => world.rails().filter((rail) => rail === 'hold-out').length
  expect(heldOut()).toBe(2)
  expect(world.commands('cordon').map(({ node }) => node)).toEqual(['n2', 'n3'])
  world.after(DAY_MS)
  for (const node of ['n4', 'n5', 'n6']) world.risky(node)
  expect(heldOut()).toBe(4)
})

test('a failure that comes is told as foreseen and recovered from at once', () => {
  const world = alarming()
  world.after(60_000)
  world.fail('n0')
  expect(world.commands().map(({ action }) => action)).toEqual(['fence'])
  expect(outcomes(world)).toMatchObject([
    { nodeClass: 'server', pool: 'web', propensityRatio: 1, failed: true },
  ])
  expect(world.journal('outcome')[0].reasons[0]).toMatch(/came as foreseen while it was held out/)
})

test('a node that lives through its horizon was a false alarm, and may be moved from then on', () => {
  const world = alarming()
  world.after(MODEL.horizonMs - 1)
  expect(outcomes(world)).toEqual([])
  expect(world.commands()).toEqual([])
  world.after(1)
  expect(outcomes(world)).toMatchObject([{ failed: false }])
  expect(world.commands('cordon').map(({ node }) => node)).toEqual(['n0'])
})

test('what can no longer be known is not told', () => {
  const urgent = alarming()
  urgent.place('w-high', 'n0', { priority: 'HIGH' })
  expect(urgent.commands('cordon').map(({ node }) => node)).toEqual(['n0'])
  const silent = alarming()
  silent.silent('n0')
  const left = alarming()
  left.fact({ kind: 'leave', node: 'n0' as NodeId, atMs: left.nowMs })
  for (const world of [urgent, silent, left]) {
    world.after(2 * MODEL.horizonMs)
    expect(outcomes(world)).toEqual([])
  }
})

test('what people have approved is done', () => {
  const world = alarming({ policy: { mode: 'approve' } })
  const incident = world.journal('incident-opened')[0].incidentId!
  world.control({ kind: 'approval', incident, approved: true })
  expect(world.commands('cordon').map(({ node }) => node)).toEqual(['n0'])
})
