/** The rows of a horizon, labelled for a shorter one. */
import type { LabelledRows, RowFacts } from './row-store.ts'

export class HorizonRows implements LabelledRows {
  readonly #rows: LabelledRows
  readonly #facts: RowFacts

  constructor(rows: LabelledRows, horizonMs: number) {
    const facts = rows.facts()
    const { failureAtMs } = facts
    this.#rows = rows
    // A row that is positive now has its failure at hand; one that is not fails later still, or never.
    const isWithin = (row: number) => failureAtMs[row] - facts.atMs[row] <= horizonMs
    this.#facts = {
      ...facts,
      labels: facts.labels.map((label, row) => (label === 1 && isWithin(row) ? 1 : 0)),
      failureAtMs: failureAtMs.map((atMs, row) => (isWithin(row) ? atMs : NaN)),
    }
  }

  facts(): RowFacts {
    return this.#facts
  }

  rows(): ReturnType<LabelledRows['rows']> {
    const rows = this.#rows.rows()
    return {
      ...rows,
      // Asked for anew each time: training grows the memory, which ends the life of the view before.
      get bins() {
        return rows.bins
      },
      labels: this.#facts.labels,
    }
  }
}
