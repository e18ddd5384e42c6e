import { expect, test } from 'vitest'
import { AlertBook } from '../../../src/alerts/alert-book.ts'
import { MINUTE_MS, PagePlan } from '../../../src/alerts/page-plan.ts'
import type { PageRules } from '../../../src/core/alert.ts'
import type { IncidentId, NodeId } from '../../../src/core/ids.ts'
import { alertOf, endOf, entryOf } from '../../support/alerts.ts'

const RULES: PageRules = {
  severityMin: 'warning',
  repeatMs: 60 * MINUTE_MS,
  escalateMs: 15 * MINUTE_MS,
  pagesPerMinute: 10,
}

function deskOf(rules: Partial<PageRules> = {}) {
  const book = new AlertBook()
  const plan = new PagePlan({ ...RULES, ...rules })
  const at = (nowMs: number) => {
    book.advance(nowMs)
    const pages = plan.due(book.list(), nowMs)
    for (const page of pages) plan.take(page)
    return pages.flatMap(({ kind, groups }) =>
      groups.map(({ group, state, severity, escalated }) =>
        [kind, group, state, severity, ...(escalated ? ['escalated'] : [])].join(' '),
      ),
    )
  }
  return { book, at }
}

test('alerts of one node are one page, told again where one is new or graver, and at the end', () => {
  const { book, at } = deskOf()
  book.takeAlert(alertOf(1))
  book.takeAlert(alertOf(1, { kind: 'anomaly', alertId: 'x' }))
  expect(at(2)).toEqual(['page web/node:n1 firing warning'])
  expect(at(3)).toEqual([])
  book.takeAlert(alertOf(4, { severity: 'error' }))
  expect(at(5)).toEqual(['page web/node:n1 firing error'])
  book.takeAlert(alertOf(6, { kind: 'failure', severity: 'critical' }))
  expect(at(7)).toEqual(['page web/node:n1 firing critical'])
  book.takeJournal(endOf('i1', 8))
  expect(at(9)).toEqual(['page web/node:n1 resolved critical'])
  expect(at(10)).toEqual([])
})

test('what nobody acknowledges is repeated, and a critical one is escalated once', () => {
  const { book, at } = deskOf()
  book.takeAlert(alertOf(0, { severity: 'critical' }))
  at(0)
  expect(at(15 * MINUTE_MS - 1)).toEqual([])
  expect(at(15 * MINUTE_MS)).toEqual(['page web/node:n1 firing critical escalated'])
  expect(at(75 * MINUTE_MS - 1)).toEqual([])
  expect(at(75 * MINUTE_MS)).toEqual(['page web/node:n1 firing critical escalated'])
  const [{ fingerprint }] = book.list()
  const by = { pool: null, fingerprint, acknowledged: true, by: 'ada', reason: 'r' }
  book.takeJournal(entryOf(76 * MINUTE_MS, { said: { kind: 'acknowledge', ...by } }))
  expect(at(500 * MINUTE_MS)).toEqual([])
})

test.each([
  { why: 'too slight', alert: { severity: 'info' as const }, silenced: false },
  { why: 'silenced', alert: {}, silenced: true },
])('nobody is paged for what is $why', ({ alert, silenced }) => {
  const { book, at } = deskOf()
  book.takeAlert(alertOf(1, alert))
  const said = { pool: null, silence: 's', withdrawn: false, by: 'ada', reason: 'r' }
  const silence = { kind: 'silence', matchers: { pool: 'web' }, untilMs: 9, ...said } as const
  if (silenced) book.takeJournal(entryOf(1, { said: silence }))
  expect(at(2)).toEqual([])
  expect(at(9)).toHaveLength(silenced ? 1 : 0)
})

test('in a storm the gravest are told one by one and the others in one digest a minute', () => {
  const { book, at } = deskOf({ pagesPerMinute: 2 })
  for (let i = 0; i < 5; i++) {
    const severity = i === 3 ? 'critical' : 'warning'
    const [node, incidentId] = [`n${i}` as NodeId, `i${i}` as IncidentId]
    book.takeAlert(alertOf(1, { node, incidentId, severity, alertId: `${i}` }))
  }
  expect(at(2)).toEqual([
    'page web/node:n3 firing critical',
    'page web/node:n0 firing warning',
    'digest web/node:n1 firing warning',
    'digest web/node:n2 firing warning',
    'digest web/node:n4 firing warning',
  ])
  book.takeAlert(alertOf(3, { node: 'n9' as NodeId, incidentId: 'i9' as IncidentId }))
  expect(at(4)).toEqual([])
  expect(at(2 + MINUTE_MS)).toEqual(['page web/node:n9 firing warning'])
})
