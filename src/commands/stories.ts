/** Lines of the journal, gathered by incident. */
import type { JournalEntry } from '../core/command.ts'
import type { CommandId, IncidentId, NodeId, PoolId } from '../core/ids.ts'

/** Everything that was written down about one incident. */
export interface Story {
  readonly incidentId: IncidentId
  readonly pool: PoolId
  readonly node: NodeId | null
  /** Null when the journal no longer has its beginning. */
  readonly openedAtMs: number | null
  /** Null while it is open. */
  readonly closedAtMs: number | null
  /** `foreseen` or `missed`, once the failure came. */
  readonly outcome: string | null
  readonly entries: readonly JournalEntry[]
}

export class Stories {
  readonly #entries = new Map<IncidentId, JournalEntry[]>()
  readonly #incidentOf = new Map<CommandId, IncidentId>()

  add(entry: JournalEntry): void {
    const { incidentId, commandId } = entry
    if (incidentId === null) return
    const entries = this.#entries.get(incidentId)
    if (entries === undefined) this.#entries.set(incidentId, [entry])
    else entries.push(entry)
    if (commandId !== null) this.#incidentOf.set(commandId, incidentId)
  }

  ids(): readonly string[] {
    return [...this.#entries.keys()]
  }

  /** Of an incident, or of the one that a command belongs to. */
  find(id: string): Story | undefined {
    const incidentId = this.#incidentOf.get(id as CommandId) ?? (id as IncidentId)
    const entries = this.#entries.get(incidentId)
    return entries === undefined ? undefined : storyOf(incidentId, entries)
  }

  newestFirst(): readonly Story[] {
    return [...this.#entries]
      .map(([id, entries]) => storyOf(id, entries))
      .sort((a, b) => (b.openedAtMs ?? -Infinity) - (a.openedAtMs ?? -Infinity))
  }
}

function storyOf(incidentId: IncidentId, entries: readonly JournalEntry[]): Story {
  const [first] = entries
  const at = (kind: JournalEntry['kind']) => entries.find((entry) => entry.kind === kind)
  const outcome = at('outcome')?.evidence.find(({ what }) => what === 'outcome')
  // What opens again under the same id is open, whatever was closed before.
  const turns = entries.filter(
    ({ kind }) => kind === 'incident-opened' || kind === 'incident-closed',
  )
  const last = turns.at(-1)
  return {
    incidentId,
    pool: first.pool,
    node: entries.find(({ node }) => node !== null)?.node ?? null,
    openedAtMs: at('incident-opened')?.atMs ?? null,
    closedAtMs: last?.kind === 'incident-closed' ? last.atMs : null,
    outcome: outcome === undefined ? null : String(outcome.value),
    entries,
  }
}
