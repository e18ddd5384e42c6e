// Goal: a region that is lost is one incident; what is urgent there goes to other regions, and the rest waits.
import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { Policy } from '../../../src/core/policy.ts'
import type { Priority } from '../../../src/core/workload.ts'
import { asText, CAPACITY, CoordinatorWorld, POOL } from '../../support/coordinator-world.ts'

const PRIORITIES: readonly Priority[] = ['LOW', 'CRITICAL', 'HIGH', 'NORMAL']
const POLICY = { regionalFailover: true, sharedCauseNodesMin: 3, budgetRatio: 0.2 }

/** Four nodes in the west, one workload of each priority, and six in the east. */
function world(policy: Partial<Policy> = {}): CoordinatorWorld {
  const made = new CoordinatorWorld({ policy: { ...POLICY, ...policy } })
  for (let i = 0; i < 10; i++) join(made, i < 4 ? `west${i}` : `east${i}`)
  for (const [i, priority] of PRIORITIES.entries()) made.place(priority, `west${i}`, { priority })
  return made
}

function join(of: CoordinatorWorld, node: string): void {
  const region = node.slice(0, 4)
  of.fact({
    kind: 'join',
    node: node as NodeId,
    atMs: of.nowMs,
    class: 'server',
    pool: POOL,
    labels: {},
    place: { zone: null, region, latitude: null, longitude: null },
    capacity: CAPACITY,
  })
  of.live(node)
}

function lose(of: CoordinatorWorld): void {
  for (let i = 0; i < 4; i++) of.silent(`west${i}`)
}

function carryOutAll(of: CoordinatorWorld): void {
  const done = new Set<string>()
  for (let i = 0; i < 100; i++) {
    const next = of.commands().find(({ commandId }) => !done.has(commandId))
    if (next === undefined) return
    done.add(next.commandId)
    const { priority } = { priority: (next.workload ?? 'LOW') as Priority }
    of.result(next, 'started')
    if (next.workload !== null) of.place(next.workload, next.target, { priority })
    of.result(next, 'succeeded')
    of.result(next, 'verified')
  }
}

const recovered = (of: CoordinatorWorld) =>
  of.commands('recover').map(({ workload, target }) => `${workload}>${target?.slice(0, 4)}`)

test('CRITICAL and HIGH work goes to another region, and the rest waits until half of it is back', () => {
  const lost = world()
  lose(lost)
  carryOutAll(lost)
  expect(recovered(lost)).toEqual(['CRITICAL>east', 'HIGH>east'])
  expect(lost.waiting()?.waiting.map(({ workload }) => workload)).toEqual(['NORMAL', 'LOW'])
  expect(lost.waiting()?.waiting[0].why).toContain('region west is lost')
  lost.live('west1')
  carryOutAll(lost)
  expect(recovered(lost)).toHaveLength(2)
  lost.live('west2')
  carryOutAll(lost)
  const late = recovered(lost).slice(2)
  expect(late.map((text) => text.split('>')[0]).sort()).toEqual(['LOW', 'NORMAL'])
  expect(asText(lost.refold())).toEqual(asText(lost.outputs))
})

test('it is one incident and one alert, which explains those of its nodes, and both end', () => {
  const lost = world()
  lose(lost)
  const opened = lost.journal('incident-opened').filter(({ node }) => node === null)
  expect(opened).toHaveLength(1)
  expect(opened[0].evidence[0]).toEqual({ what: 'cause', value: 'region:west', limit: null })
  expect(lost.journal('fault').at(-1)?.reasons[0]).toBe(
    'Region west is lost: all of its 4 nodes are silent or have failed.',
  )
  const alerts = () => lost.alerts('shared-cause').filter(({ cause }) => cause === 'region:west')
  const nodes = ['west0', 'west1', 'west2', 'west3']
  expect(alerts()).toMatchObject([{ severity: 'critical', nodes }])
  expect(lost.stats()).toMatchObject({ lostRegionCount: 1, regionFailoverCount: 1 })
  lost.live('west0')
  lost.silent('west0')
  expect(alerts()).toHaveLength(1)
  lost.live('west0')
  lost.live('west1')
  expect(alerts()).toMatchObject([{}, { resolved: true }])
  expect(lost.journal('fault').at(-1)?.reasons).toEqual([
    'Region west is back: 2 of its 4 nodes live.',
  ])
  expect(lost.stats()).toMatchObject({ lostRegionCount: 0, regionFailoverCount: 1 })
})

test('it goes at the pace of the recovery budget', () => {
  const lost = world({ budgetRatio: 0.1 })
  lose(lost)
  expect(lost.commands('fence')).toHaveLength(1)
  expect(lost.commands('fence')[0].node).toBe('west0')
})

test('nodes that have failed count as lost as well', () => {
  const lost = world()
  for (let i = 0; i < 4; i++) lost.fail(`west${i}`)
  expect(lost.stats()).toMatchObject({ lostRegionCount: 1 })
})

test.each([
  { because: 'the policy does not ask for it', policy: { regionalFailover: false }, down: 4 },
  { because: 'one of its nodes lives', policy: {}, down: 3 },
  { because: 'it is too small to tell', policy: { sharedCauseNodesMin: 5 }, down: 4 },
])('work of any priority is recovered as ever where $because', ({ policy, down }) => {
  const partly = world(policy)
  for (let i = 0; i < down; i++) partly.silent(`west${i}`)
  carryOutAll(partly)
  expect(recovered(partly)).toHaveLength(down)
  expect(partly.stats()).toMatchObject({ lostRegionCount: 0 })
})
