/**
 * Folds whose lease is lost, kept for a while. State is the records that were folded and nothing else, so
 * whoever gets a partition back goes on where it was, instead of folding its log from the start: after a
 * commit of unknown end, a fence or a shuffle of the group that costs nothing.
 */
import type { Output } from '../core/bus.ts'
import type { Fold } from './fold.ts'

/** A partition that is away for longer has another owner; its state is memory for nothing. */
export const KEPT_MS = 60_000

/** What follows from the record at `offset`. */
export interface Told {
  readonly offset: number
  readonly outputs: readonly Output[]
}

export interface KeptFold {
  readonly fold: Fold
  /** Offset after the last record that was folded. */
  readonly position: number
  /** In order, what followed from its records and is not known to be committed. */
  readonly told: readonly Told[]
}

export class KeptFolds {
  readonly #kept = new Map<number, KeptFold & { readonly sinceMs: number }>()
  #closed = false

  get size(): number {
    return this.#kept.size
  }

  async keep(partition: number, kept: KeptFold, nowMs: number): Promise<void> {
    if (this.#closed) await kept.fold.dispose?.()
    else this.#kept.set(partition, { ...kept, sinceMs: nowMs })
  }

  /**
   * The fold of the partition, when the log still holds what comes next; the offsets are the log's own. A fold
   * that has missed records is freed.
   */
  async takeBack(
    partition: number,
    log: { readonly start: number; readonly end: number },
  ): Promise<KeptFold | undefined> {
    const kept = this.#kept.get(partition)
    if (kept === undefined) return undefined
    this.#kept.delete(partition)
    if (kept.position >= log.start && kept.position <= log.end) return kept
    await kept.fold.dispose?.()
    return undefined
  }

  /** Frees what has been kept for too long. */
  async sweep(nowMs: number): Promise<void> {
    for (const [partition, { fold, sinceMs }] of this.#kept) {
      if (nowMs - sinceMs < KEPT_MS) continue
      this.#kept.delete(partition)
      await fold.dispose?.()
    }
  }

  /** Frees everything; what comes later is freed at once. */
  async close(): Promise<void> {
    this.#closed = true
    const kept = [...this.#kept.values()]
    this.#kept.clear()
    for (const { fold } of kept) await fold.dispose?.()
  }
}
