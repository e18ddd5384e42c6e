// Goal: the auditor holds a return whole to its watch, but for work that waits; and knows what made room.
import { expect, test } from 'vitest'
import type { Command, JournalEntry } from '../../../src/core/command.ts'
import type { IncidentId, NodeId, WorkloadId } from '../../../src/core/ids.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import { RoomBooks } from '../../../src/simulate/room-books.ts'

const { returnRatio, returnWatchMs } = DEFAULT_POLICY

function entry(kind: JournalEntry['kind'], said: Readonly<Record<string, string>>): JournalEntry {
  return {
    kind,
    incidentId: 'i' as IncidentId,
    node: 'n' as NodeId,
    workload: 'w' as WorkloadId,
    evidence: Object.entries(said).map(([what, value]) => ({ what, value, limit: null })),
  } as unknown as JournalEntry
}

function uncordon(books: RoomBooks, capacityRatio: number, nowMs: number): string | null {
  const command = { action: 'uncordon', stepId: 'uncordon', node: 'n', capacityRatio }
  return books.judge(command as unknown as Command, DEFAULT_POLICY, nowMs)
}

const waits = entry('waiting', { state: 'waits' })
const hastened = entry('plan', { return: 'hastened', roomFor: 'w' })

test.each<{ what: string; told: readonly JournalEntry[]; atMs: number; isWrong: boolean }>([
  { what: 'after its watch', told: [], atMs: returnWatchMs, isWrong: false },
  { what: 'before', told: [], atMs: returnWatchMs - 1, isWrong: true },
  { what: 'early for what waits', told: [waits, hastened], atMs: 1, isWrong: false },
  { what: 'early for what does not wait', told: [hastened], atMs: 1, isWrong: true },
  {
    what: 'early for what waits no more',
    told: [waits, entry('waiting', { state: 'placed' }), hastened],
    atMs: 1,
    isWrong: true,
  },
])('a node is whole again $what: $isWrong', ({ told, atMs, isWrong }) => {
  const books = new RoomBooks()
  expect(uncordon(books, returnRatio, 0)).toBeNull()
  for (const one of told) books.takeJournal(one)
  expect(uncordon(books, 1, atMs) !== null).toBe(isWrong)
})

test('an incident makes room while it says for what, until it becomes something graver', () => {
  const books = new RoomBooks()
  const opened = entry('incident-opened', { strategy: 'redistribute', roomFor: 'w' })
  books.takeJournal(opened)
  expect(books.makesRoom('i' as IncidentId)).toBe(false)
  books.takeJournal(waits)
  books.takeJournal(opened)
  expect(books.makesRoom('i' as IncidentId)).toBe(true)
  books.takeJournal(entry('incident-opened', { silentForMs: '15000' }))
  expect(books.makesRoom('i' as IncidentId)).toBe(false)
})
