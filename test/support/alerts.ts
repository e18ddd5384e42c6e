/** Records of `alerts` and `journal`, as a book of alerts reads them. */
import type { PublishedAlert } from '../../src/core/alert.ts'
import type { JournalEntry } from '../../src/core/command.ts'
import type { IncidentId, NodeId, PoolId } from '../../src/core/ids.ts'

export function alertOf(atMs: number, more: Partial<PublishedAlert> = {}): PublishedAlert {
  return {
    alertId: `a${atMs}`,
    atMs,
    kind: 'prediction',
    pool: 'web' as PoolId,
    node: 'n1' as NodeId,
    severity: 'warning',
    message: 'Node n1 will fail.',
    incidentId: 'i1' as IncidentId,
    ...more,
  }
}

export function entryOf(atMs: number, more: Partial<JournalEntry> = {}): JournalEntry {
  return {
    entryId: `e${atMs}`,
    atMs,
    pool: 'web' as PoolId,
    kind: 'control',
    incidentId: null,
    commandId: null,
    node: null,
    workload: null,
    rail: null,
    reasons: [],
    evidence: [],
    ...more,
  }
}

export function endOf(incidentId: string, atMs: number): JournalEntry {
  return entryOf(atMs, { kind: 'incident-closed', incidentId: incidentId as IncidentId })
}
