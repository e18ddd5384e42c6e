// Goal: what the coordinator says of alerts is enough for people to get one for one cause.
// Method: a coordinator's own outputs are read by the book of alerts, as a console does.
import { expect, test } from 'vitest'
import { AlertBook } from '../../../src/alerts/alert-book.ts'
import type { PublishedAlert } from '../../../src/core/alert.ts'
import type { JournalEntry } from '../../../src/core/command.ts'
import { asText, bodies, CoordinatorWorld } from '../../support/coordinator-world.ts'

function bookOf({ outputs }: CoordinatorWorld): AlertBook {
  const book = new AlertBook()
  for (const alert of bodies<PublishedAlert>(outputs, 't.alerts')) book.takeAlert(alert)
  for (const entry of bodies<JournalEntry>(outputs, 't.journal')) book.takeJournal(entry)
  return book
}

const told = (world: CoordinatorWorld) =>
  bookOf(world)
    .list()
    .filter(({ state, inhibitedBy }) => state === 'firing' && inhibitedBy === null)
    .map(({ kind, cause, node }) => `${kind} ${cause ?? node}`)

test('half a zone that alarms is one alert, which ends when the zone has calmed down', () => {
  const world = new CoordinatorWorld({ policy: { sharedCauseRatio: 0.3, budgetRatio: 1 } })
  world.joinMany(10)
  const nodes = world.joinMany(6, 'z')
  for (const node of nodes.slice(0, 4)) world.risky(node)
  world.after(1_000)
  expect(told(world).toSorted()).toEqual(['shared-cause zone:z'])
  for (const node of nodes.slice(0, 3)) world.risky(node, 0.01)
  world.after(1_000)
  expect(told(world).toSorted()).toEqual(['prediction z3'])
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('nodes that fall silent later for the same cause are told to be of it', () => {
  const world = new CoordinatorWorld({ policy: { sharedCauseRatio: 0.3 } })
  world.joinMany(20)
  const nodes = world.joinMany(8, 'z')
  for (const node of nodes) world.silent(node)
  const of = bookOf(world).list()
  const cause = of.find(({ kind }) => kind === 'fault')
  expect(cause?.cause).toBe('zone:z')
  expect(world.journal('fault').filter(({ cause: said }) => said === 'zone:z')).not.toEqual([])
  expect(told(world).toSorted()).toEqual(['fault zone:z', 'shared-cause zone:z'])
  expect(
    new Set(of.filter(({ cause: said }) => said === 'zone:z').map(({ group }) => group)).size,
  ).toBe(1)
})

test('what is said of alerts is journaled by the first coordinator alone', () => {
  const world = new CoordinatorWorld()
  const acknowledge = { kind: 'acknowledge', fingerprint: '0123456789abcdef', acknowledged: true }
  world.control({ ...acknowledge, pool: null } as never)
  expect(world.journal('control')).toMatchObject([
    {
      pool: '_fleet',
      reasons: ['Alert 0123456789abcdef is acknowledged by ada: a test.'],
      said: acknowledge,
    },
  ])
})
