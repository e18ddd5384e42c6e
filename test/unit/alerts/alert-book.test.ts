import { describe, expect, test } from 'vitest'
import { AlertBook, BOOK_LIMITS } from '../../../src/alerts/alert-book.ts'
import { fingerprintOf } from '../../../src/alerts/fingerprint.ts'
import { SILENCES_MAX } from '../../../src/alerts/silences.ts'
import type { Matchers, PublishedAlert } from '../../../src/core/alert.ts'
import type { IncidentId, NodeId, PoolId } from '../../../src/core/ids.ts'
import { alertOf, endOf, entryOf } from '../../support/alerts.ts'

function bookOf(...alerts: readonly PublishedAlert[]): AlertBook {
  const book = new AlertBook()
  for (const alert of alerts) book.takeAlert(alert)
  return book
}

const only = (book: AlertBook) => {
  expect(book.list()).toHaveLength(1)
  return book.list()[0]
}

test('records of one node and kind are one alert, which fires until its incident is over', () => {
  const book = bookOf(alertOf(1), alertOf(5, { severity: 'error' }), alertOf(5))
  expect(only(book)).toMatchObject({ state: 'firing', firingSinceMs: 1, count: 2, atMs: 5 })
  expect(only(book).severity).toBe('error')
  book.takeJournal(endOf('i1', 9))
  expect(only(book)).toMatchObject({ state: 'resolved', resolvedAtMs: 9 })
  book.takeAlert(alertOf(12))
  expect(only(book)).toMatchObject({ state: 'firing', firingSinceMs: 12, count: 1 })
})

test('an end that is read before its alert is not lost, and ends no later one', () => {
  const book = new AlertBook()
  book.takeJournal(endOf('i1', 9))
  book.takeAlert(alertOf(5))
  expect(only(book).state).toBe('resolved')
  book.takeAlert(alertOf(10))
  expect(only(book).state).toBe('firing')
})

test.each([
  { kind: 'anomaly', over: true },
  { kind: 'drift', over: false },
  { kind: 'shared-cause', over: false },
] as const)(
  'an alert of kind $kind without an incident ends by itself: $over',
  ({ kind, over }) => {
    const book = bookOf(alertOf(1, { kind, incidentId: null, cause: 'zone:z' }))
    book.advance(BOOK_LIMITS.resolveAfterMs)
    expect(only(book).state).toBe('firing')
    book.advance(BOOK_LIMITS.resolveAfterMs + 1)
    expect(only(book).state).toBe(over ? 'resolved' : 'firing')
    book.takeAlert(alertOf(1e9, { kind, incidentId: null, cause: 'zone:z', resolved: true }))
    expect(only(book).state).toBe('resolved')
  },
)

test('kind, pool, and cause or node tell alerts apart; severity and text do not', () => {
  const [one, pool] = [alertOf(1), 'db' as PoolId]
  expect(fingerprintOf({ ...one })).toMatch(/^[0-9a-f]{16}$/)
  expect(fingerprintOf(alertOf(2, { severity: 'critical', message: 'm' }))).toBe(fingerprintOf(one))
  const others = [
    alertOf(1, { kind: 'failure' }),
    alertOf(1, { pool }),
    alertOf(1, { node: 'n2' as NodeId }),
    alertOf(1, { cause: 'zone:z' }),
    alertOf(1, { cause: 'zone:y' }),
  ]
  expect(new Set([one, ...others].map(fingerprintOf)).size).toBe(6)
})

describe('a firing cause inhibits the alerts of nodes that it explains', () => {
  const cause = alertOf(2, {
    kind: 'fault',
    node: null,
    cause: 'rack:r1',
    nodes: ['n1' as NodeId],
    incidentId: 'c1' as IncidentId,
  })
  const inhibited = (book: AlertBook) =>
    book.list().flatMap(({ node, kind, inhibitedBy }) => (inhibitedBy ? [`${node}/${kind}`] : []))

  test('those it names, and those that the journal adds, while it fires', () => {
    const n2 = { node: 'n2' as NodeId, incidentId: 'i2' as IncidentId }
    const book = bookOf(alertOf(1), alertOf(1, n2), cause)
    expect(inhibited(book)).toEqual(['n1/prediction'])
    book.takeJournal(entryOf(3, { kind: 'fault', node: n2.node, cause: 'rack:r1' }))
    expect(inhibited(book)).toEqual(['n2/prediction', 'n1/prediction'])
    book.takeJournal(endOf('c1', 4))
    expect(inhibited(book)).toEqual([])
  })

  test('those of its zone', () => {
    const zoned = alertOf(1, { zone: 'z' })
    expect(inhibited(bookOf(zoned, { ...cause, nodes: [], cause: 'zone:z' }))).toHaveLength(1)
    expect(inhibited(bookOf(zoned, { ...cause, nodes: [], cause: 'zone:y' }))).toEqual([])
  })

  test('not of another pool, and not what asks people for something', () => {
    expect(inhibited(bookOf(alertOf(1, { pool: 'db' as PoolId }), cause))).toEqual([])
    for (const kind of ['approval', 'attempts'] as const) {
      expect(inhibited(bookOf(alertOf(1, { kind }), cause))).toEqual([])
    }
  })
})

test('an acknowledgement holds until the alert is over and comes again', () => {
  const book = bookOf(alertOf(1))
  const { fingerprint } = only(book)
  const by = { kind: 'acknowledge', pool: null, fingerprint, by: 'ada', reason: 'on it' } as const
  book.takeJournal(entryOf(2, { said: { ...by, acknowledged: true } }))
  book.takeAlert(alertOf(3))
  expect(only(book).acknowledgedBy).toEqual({ by: 'ada', reason: 'on it', atMs: 2 })
  book.takeJournal(endOf('i1', 4))
  book.takeAlert(alertOf(5))
  expect(only(book).acknowledgedBy).toBeNull()
  book.takeJournal(entryOf(6, { said: { ...by, acknowledged: true } }))
  book.takeJournal(entryOf(7, { said: { ...by, acknowledged: false } }))
  expect(only(book).acknowledgedBy).toBeNull()
})

function silence(matchers: Matchers, untilMs: number | null, name = 's1') {
  const said = { pool: null, silence: name, matchers, untilMs, by: 'ada', reason: 'drill' }
  return entryOf(1, { said: { kind: 'silence', withdrawn: untilMs === null, ...said } })
}

test.each<{ matchers: Matchers; silenced: boolean }>([
  { matchers: { pool: 'web' }, silenced: true },
  { matchers: { pool: 'w*', kind: 'prediction' }, silenced: true },
  { matchers: { pool: 'web', kind: 'failure' }, silenced: false },
  { matchers: { node: 'n' }, silenced: false },
  { matchers: { cause: '*' }, silenced: false },
])('a silence of $matchers keeps the alert from people: $silenced', ({ matchers, silenced }) => {
  const book = bookOf(alertOf(1))
  book.takeJournal(silence(matchers, 9))
  expect(only(book).silencedBy).toBe(silenced ? 's1' : null)
  book.advance(9)
  expect(only(book).silencedBy).toBeNull()
})

test('a silence is withdrawn by its name, and too many lose the one that ends first', () => {
  const book = bookOf(alertOf(1))
  book.takeJournal(silence({ pool: 'web' }, 1e6))
  book.takeJournal(silence({}, null))
  expect(only(book).silencedBy).toBeNull()
  for (let i = 0; i <= SILENCES_MAX; i++) book.takeJournal(silence({ pool: 'x' }, 1e6 + i, `s${i}`))
  expect(book.silences()).toHaveLength(SILENCES_MAX)
  expect(book.silences()[0].silence).toBe('s1')
})

test('when there is no room what is over goes first, and a firing one that goes is counted', () => {
  const book = new AlertBook({ alertsMax: 2 })
  const of = (n: number) =>
    alertOf(n, { node: `n${n}` as NodeId, incidentId: `i${n}` as IncidentId, alertId: `a${n}` })
  book.takeAlert(of(1))
  book.takeAlert(of(2))
  book.takeJournal(endOf('i2', 3))
  book.takeAlert(of(4))
  expect(book.list().map(({ node }) => node)).toEqual(['n4', 'n1'])
  expect(book.forgottenCount).toBe(0)
  book.takeAlert(of(5))
  expect(book.list().map(({ node }) => node)).toEqual(['n5', 'n4'])
  expect(book.forgottenCount).toBe(1)
})
