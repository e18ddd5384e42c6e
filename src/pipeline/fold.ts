/** What a role is: a fold over one partition of one log. State is `records`, nothing else. */
import type { LogRecord, Output } from '../core/bus.ts'

export interface Fold {
  /**
   * Takes the next record and returns what follows from it. It reads no clock, random source or
   * environment, so the same records give the same outputs. While a state is rebuilt the caller
   * throws the outputs away.
   */
  fold(record: LogRecord): readonly Output[] | Promise<readonly Output[]>
  /** The same for several records, one after the other: what follows from each, in order. */
  foldAll?(records: readonly LogRecord[]): Promise<readonly (readonly Output[])[]>
  /** Counters and sizes for metrics and the status page. */
  stats(): Readonly<Record<string, number>>
  /** Frees what the fold holds, when its lease is lost. */
  dispose?(): void | Promise<void>
}
