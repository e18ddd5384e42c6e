// Goal: in mode `approve` nothing is done before somebody says yes, and only for what they said yes to.
import { expect, test } from 'vitest'
import type { AlertRecord } from '../../../src/core/alert.ts'
import type { IncidentId } from '../../../src/core/ids.ts'
import { bodies, CoordinatorWorld } from '../../support/coordinator-world.ts'

function waiting(): { readonly world: CoordinatorWorld; readonly incident: IncidentId } {
  const world = new CoordinatorWorld({ policy: { mode: 'approve' } })
  world.joinMany(30)
  world.join('ill')
  world.place('w1', 'ill')
  world.risky('ill')
  return { world, incident: world.journal('incident-opened').at(-1)!.incidentId! }
}

function approvalAlerts(world: CoordinatorWorld): readonly AlertRecord[] {
  return bodies<AlertRecord>(world.outputs, 't.alerts').filter(({ kind }) => kind === 'approval')
}

test('people are asked once, and with their word what waited is done', () => {
  const { world, incident } = waiting()
  world.after(60_000)
  expect(world.commands()).toEqual([])
  expect(approvalAlerts(world)).toMatchObject([{ incidentId: incident, node: 'ill' }])
  world.control({ kind: 'approval', incident, approved: true })
  expect(world.commands().map(({ action }) => action)).toEqual(['cordon', 'migrate'])
  expect(world.journal('control').at(-1)).toMatchObject({
    incidentId: incident,
    reasons: [`Incident ${incident} is approved by ada: a test.`],
  })
})

test('an approval is for one incident', () => {
  const { world, incident } = waiting()
  world.place('w2', 'n3')
  world.risky('n3')
  world.control({ kind: 'approval', incident, approved: true })
  expect(new Set(world.commands().map(({ node }) => node))).toEqual(new Set(['ill']))
})

test('what gets graver is asked for again', () => {
  const { world, incident } = waiting()
  world.control({ kind: 'approval', incident, approved: true })
  world.fail('ill')
  expect(world.commands('fence')).toEqual([])
  expect(approvalAlerts(world)).toHaveLength(2)
  world.control({ kind: 'approval', incident, approved: true })
  expect(world.commands('fence')).toHaveLength(1)
})

test('an approval that is taken back withdraws what has not begun', () => {
  const { world, incident } = waiting()
  world.control({ kind: 'approval', incident, approved: true })
  const [migrate] = world.commands('migrate')
  world.control({ kind: 'approval', incident, approved: false })
  expect(world.commands('cancel')).toMatchObject([{ workload: migrate.workload }])
})

test('an approval of what is not open does nothing, and says so', () => {
  const { world } = waiting()
  world.control({ kind: 'approval', incident: 'web.1.i9' as IncidentId, approved: true })
  expect(world.commands()).toEqual([])
  expect(world.journal('control').at(-1)!.reasons[0]).toMatch(
    /which is not open, so nothing follows/,
  )
})

test('no word makes a pool act that only observes', () => {
  const world = new CoordinatorWorld({ policy: { mode: 'observe' } })
  world.joinMany(30)
  world.risky('n1')
  const incident = world.journal('incident-opened').at(-1)!.incidentId!
  world.control({ kind: 'approval', incident, approved: true })
  expect(world.commands()).toEqual([])
})
