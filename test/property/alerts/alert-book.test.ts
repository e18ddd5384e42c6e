// Goal: what stands does not depend on how the partitions of two topics are read side by side, and no
// alert is lost or told twice.
// Method: alerts and ends of incidents in two lists, each in order, woven in any way; the times in them
// rise, as they do in a log.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { AlertBook } from '../../../src/alerts/alert-book.ts'
import { fingerprintOf } from '../../../src/alerts/fingerprint.ts'
import type { IncidentId, NodeId } from '../../../src/core/ids.ts'
import { alertOf, endOf } from '../../support/alerts.ts'

type Step = { readonly ends: boolean; readonly node: number }
const steps = fc.array(fc.record({ ends: fc.boolean(), node: fc.integer({ min: 0, max: 4 }) }), {
  maxLength: 40,
})

function recordOf({ ends, node }: Step, atMs: number) {
  if (ends) return endOf(`i${node}`, atMs)
  return alertOf(atMs, { node: `n${node}` as NodeId, incidentId: `i${node}` as IncidentId })
}

test.prop([steps, fc.infiniteStream(fc.boolean())])(
  'any way of reading two topics side by side gives the same alerts',
  (said, choice) => {
    const records = said.map((step, i) => recordOf(step, 10 * (i + 1)))
    const [inOrder, woven] = [new AlertBook(), new AlertBook()]
    const take = (book: AlertBook, record: (typeof records)[number]) => {
      if ('alertId' in record) book.takeAlert(record)
      else book.takeJournal(record)
    }
    for (const record of records) take(inOrder, record)
    const alerts = records.filter((record) => 'alertId' in record)
    const ends = records.filter((record) => !('alertId' in record))
    while (alerts.length + ends.length > 0) {
      const from = (choice.next().value && alerts.length > 0) || ends.length === 0 ? alerts : ends
      take(woven, from.shift()!)
    }
    const shown = (book: AlertBook) =>
      book.list().map(({ fingerprint, state, atMs }) => ({ fingerprint, state, atMs }))
    const sorted = (book: AlertBook) =>
      shown(book).toSorted((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1))
    expect(sorted(woven)).toEqual(sorted(inOrder))
    const seen = new Set(
      records.flatMap((record) => ('alertId' in record ? [fingerprintOf(record)] : [])),
    )
    expect(sorted(woven).map(({ fingerprint }) => fingerprint)).toEqual([...seen].toSorted())
  },
)
