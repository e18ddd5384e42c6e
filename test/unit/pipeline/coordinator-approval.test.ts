// Goal: in mode `approve` nothing is done before somebody says yes, and only for what they said yes to.
import { expect, test } from 'vitest'
import type { AlertRecord } from '../../../src/core/alert.ts'
import type { IncidentId, NodeId } from '../../../src/core/ids.ts'
import { KIND } from '../../../src/core/log.ts'
import type { ProposalRecord } from '../../../src/core/model-life.ts'
import { bodies, CoordinatorWorld } from '../../support/coordinator-world.ts'
import { textOf } from '../../support/output.ts'

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

function proposals(world: CoordinatorWorld): readonly ProposalRecord[] {
  return world.outputs
    .filter(({ headers }) => headers?.[KIND] === 'model-proposal')
    .map(({ value }) => JSON.parse(textOf(value)) as ProposalRecord)
}

test('what a prediction asks for is told once, and that people rejected it', () => {
  const { world, incident } = waiting()
  world.after(60_000)
  world.risky('ill')
  const asked = { nodeClass: 'server', pool: 'web', overridden: false }
  expect(proposals(world)).toMatchObject([asked])
  for (let times = 0; times < 2; times++) {
    world.control({ kind: 'approval', incident, approved: false })
  }
  expect(proposals(world)).toMatchObject([asked, { ...asked, overridden: true }])
})

test('a veto of a node that a command was sent for overrules it, one that was asked for by nobody does not', () => {
  const world = new CoordinatorWorld()
  const nodes = world.joinMany(30)
  world.risky(nodes[0])
  for (const node of [nodes[0], nodes[1]]) {
    world.control({ kind: 'veto', node: node as NodeId, veto: true })
  }
  expect(proposals(world).map(({ overridden }) => overridden)).toEqual([false, true])
})

test('a node that has failed asks for itself, and a pool that only observes asks for nothing', () => {
  const failed = new CoordinatorWorld({ policy: { mode: 'approve' } })
  failed.join('n0')
  failed.fail('n0')
  const observing = new CoordinatorWorld({ policy: { mode: 'observe' } })
  observing.join('n0')
  observing.risky('n0')
  expect([failed, observing].flatMap(proposals)).toEqual([])
})
