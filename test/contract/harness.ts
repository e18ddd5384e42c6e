/**
 * What a bus must offer, beyond the port itself, to be held to its promises: a second client, a thief
 * who seizes a partition, a transaction that can be left open, and faults on demand.
 *
 * A harness is made afresh for each clause. Its `prefix` is unique, so clauses may share one broker.
 */
import type { Bus, CommitOutcome, Output } from '../../src/core/bus.ts'

/** The partition of a membership that another owner claims while the present one does not notice. */
export interface Seizure {
  readonly group: string
  readonly role: string
  readonly topics: readonly string[]
  readonly claimTopic: string | null
  readonly partition: number
}

/** A transaction held open by somebody else, outside every lease, each with an identity of its own. */
export interface OpenTransaction {
  /** Sent to the log, as far as the bus does that before the commit. */
  send(outputs: readonly Output[]): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
}

/** What the next commit of any lease is made to end as, and whether it was written all the same. */
export interface CommitFault {
  readonly outcome: Extract<CommitOutcome, 'aborted' | 'unknown'>
  /** `unknown` only: true when the commit reached the log and only its answer was lost. */
  readonly written: boolean
}

export type Codec = 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface BusHarness {
  readonly name: string
  /** Put before every topic, group and role of a clause. */
  readonly prefix: string
  /** Longest wait for something that must happen, in ms of `Bus.nowMs` (virtual where time is). */
  readonly patienceMs: number
  /** Lets so much of the bus's time pass. */
  pause(ms: number): Promise<void>
  /** How far one `take` may exceed `bufferBytesMax`: the size of one fetch, 0 where it is exact. */
  readonly overshootBytesMax: number
  /** Another client of the same logs, as another process would be. `dispose` closes it. */
  open(): Promise<Bus>
  /** Fences the present owner behind its back: the group still says that the partition is its own. */
  seize(seizure: Seizure): Promise<void>
  openTransaction(): Promise<OpenTransaction>
  /** Makes retention drop what is before `offset`, by whatever means the bus has. */
  expire(topic: string, partition: number, offset: number): Promise<void>
  /** Absent where such a fault cannot be forced; those cases are then left out. */
  readonly failNextCommit?: (fault: CommitFault) => void
  /** Compacts at once. Absent where only the bus decides when. */
  readonly compact?: (topic: string) => Promise<void>
  /** Steps the clock of the log back. Absent where it is not ours to step. */
  readonly stepClockBack?: (ms: number) => void
  /** Produces with a foreign client's codec. Present with the capability `compression`. */
  readonly produceCompressed?: (codec: Codec, outputs: readonly Output[]) => Promise<void>
  /** Closes every client that was opened and frees what the harness holds. */
  dispose(): Promise<void>
}
