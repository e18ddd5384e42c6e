/** Maintenance windows that are planned or running, as the journal tells of them. */
import type { JournalEntry } from '../core/command.ts'
import type { WindowRecord } from '../core/maintenance.ts'

export interface WindowView extends WindowRecord {
  /** When the journal told of it last. */
  readonly atMs: number
}

export class MaintenanceViews {
  readonly #windows = new Map<string, WindowView>()
  readonly #countMax: number
  #leftOutCount = 0

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  /** Windows not shown because there are too many. */
  get leftOutCount(): number {
    return this.#leftOutCount
  }

  take({ window, atMs }: Pick<JournalEntry, 'window' | 'atMs'>): void {
    if (window === undefined) return
    const { window: name, state } = window
    // Partitions of the journal are read side by side, so the newest word counts, not the last one read.
    if ((this.#windows.get(name)?.atMs ?? 0) > atMs) return
    if (state === 'ended' || state === 'withdrawn') this.#windows.delete(name)
    else if (this.#windows.has(name) || this.#windows.size < this.#countMax) {
      this.#windows.set(name, { ...window, atMs })
    } else this.#leftOutCount++
  }

  /** In the order in which they begin. */
  list(): readonly WindowView[] {
    return [...this.#windows.values()].sort(
      (a, b) => a.startMs - b.startMs || (a.window < b.window ? -1 : 1),
    )
  }
}
