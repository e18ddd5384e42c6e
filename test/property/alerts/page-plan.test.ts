// Goal: no alert that stands is lost, none is told twice, and no minute has more pages than the budget.
// Method: alerts begin and end at random; each second the plan is asked, and what it says is sent, or fails
// and is asked again. After a calm in which the budget lets all through, what was told is compared.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { AlertBook } from '../../../src/alerts/alert-book.ts'
import { MINUTE_MS, type Page, PagePlan } from '../../../src/alerts/page-plan.ts'
import type { PageRules } from '../../../src/core/alert.ts'
import type { IncidentId, NodeId } from '../../../src/core/ids.ts'
import { alertOf, endOf } from '../../support/alerts.ts'

const RULES: PageRules = {
  severityMin: 'warning',
  repeatMs: 1e9,
  escalateMs: 1e9,
  pagesPerMinute: 3,
}
const SECOND_MS = 1_000

const seconds = fc.array(
  fc.record({
    node: fc.integer({ min: 0, max: 12 }),
    ends: fc.boolean(),
    fails: fc.boolean(),
    burst: fc.integer({ min: 1, max: 6 }),
  }),
  { minLength: 1, maxLength: 80 },
)

function play(said: readonly { node: number; ends: boolean; fails: boolean; burst: number }[]) {
  const [book, sent] = [new AlertBook(), [] as Page[]]
  let plan = new PagePlan(RULES)
  let nowMs = 0
  const step = (fails: boolean) => {
    nowMs += SECOND_MS
    book.advance(nowMs)
    for (const page of plan.due(book.list(), nowMs)) {
      if (fails) break
      sent.push(page)
      plan.take(page)
    }
  }
  for (const { node, ends, fails, burst } of said) {
    for (let i = 0; i < burst; i++) {
      const [name, atMs] = [`${(node + i) % 13}`, nowMs + 1 + i]
      if (ends) book.takeJournal(endOf(name, atMs))
      else {
        const more = { node: name as NodeId, incidentId: name as IncidentId }
        book.takeAlert(alertOf(atMs, { ...more, alertId: `${name}/${atMs}` }))
      }
    }
    step(fails)
  }
  // Another process takes over, and knows what was sent from the journal.
  plan = new PagePlan(RULES)
  for (const page of sent) plan.take(page)
  for (let i = 0; i < 130; i++) step(false)
  return { book, sent }
}

test.prop([seconds], { numRuns: 40 })(
  'every alert that stands was told, and what was told and is over too',
  (said) => {
    const { book, sent } = play(said)
    const state = new Map<string, { state: string; told: readonly string[] }>()
    for (const { groups } of sent) for (const each of groups) state.set(each.group, each)
    for (const { group, state: stands, fingerprint, firingSinceMs } of book.list()) {
      const last = state.get(group)
      if (stands === 'firing') expect(last?.told).toContain(`${fingerprint}@${firingSinceMs}`)
      expect(last?.state ?? 'resolved').toBe(stands)
    }
  },
)

test.prop([seconds], { numRuns: 40 })('nothing is told twice', (said) => {
  const { sent } = play(said)
  const told = sent.flatMap(({ groups }) =>
    groups.map(({ group, state, told: alerts }) => `${group} ${state} ${alerts.join()}`),
  )
  expect(new Set(told).size).toBe(told.length)
})

test.prop([seconds], { numRuns: 40 })(
  'no minute has more pages than the budget, and one digest',
  (said) => {
    const { sent } = play(said)
    for (const { atMs: endMs } of sent) {
      const within = sent.filter(({ atMs }) => atMs <= endMs && endMs - atMs < MINUTE_MS)
      const digests = within.filter(({ kind }) => kind === 'digest').length
      expect(digests).toBeLessThanOrEqual(1)
      expect(within.length - digests).toBeLessThanOrEqual(RULES.pagesPerMinute)
    }
  },
)
