/** Ballots that are open or were decided lately, as the journal tells of them. */
import type { JournalEntry } from '../core/command.ts'
import type { BallotRecord } from '../core/vote.ts'

export interface BallotView extends BallotRecord {
  readonly pool: string
  /** When the journal told of it last. */
  readonly atMs: number
}

/** The one that was told of longest ago goes first. */
const BALLOTS_MAX = 1_000

export class BallotViews {
  readonly #ballots = new Map<string, BallotView>()

  take({ ballot, pool, atMs }: Pick<JournalEntry, 'ballot' | 'pool' | 'atMs'>): void {
    if (ballot === undefined) return
    const known = this.#ballots.get(ballot.ballot)
    // Lines of its votes lie in other partitions of the journal, and may be read later.
    if (known !== undefined && (known.atMs > atMs || known.voteCount > ballot.voteCount)) return
    if (known !== undefined && known.state !== 'open' && ballot.state === 'open') return
    this.#ballots.delete(ballot.ballot)
    this.#ballots.set(ballot.ballot, { ...ballot, pool, atMs })
    if (this.#ballots.size <= BALLOTS_MAX) return
    const [oldest] = this.#ballots.keys()
    if (oldest !== undefined) this.#ballots.delete(oldest)
  }

  /** Newest first. */
  list(): readonly BallotView[] {
    return [...this.#ballots.values()].toReversed()
  }
}
