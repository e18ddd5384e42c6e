/**
 * The bus port: partitioned, ordered, durable logs with consumer groups and transactions.
 *
 * Three implementations keep these promises and pass one contract suite (test/contract): `kafka`,
 * `embedded` (LMDB, one process) and `simulated` (memory, virtual time, seeded faults). Names here
 * are full topic names; the prefix is the caller's business.
 */

/** One committed record, as read. Only committed records are ever seen. */
export interface LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Time at which the log took the record (LogAppendTime), ms. Never goes back in a partition. */
  readonly appendedAtMs: number
  readonly key: Uint8Array | null
  /** `null` is a tombstone in a compacted topic. */
  readonly value: Uint8Array | null
  /** Decoded as UTF-8; the last one wins where a producer repeats a name. */
  readonly headers: Readonly<Record<string, string>>
}

/** One record to be appended. The partition is always explicit. */
export interface Output {
  readonly topic: string
  readonly partition: number
  readonly key: string | Uint8Array | null
  readonly value: string | Uint8Array | null
  readonly headers?: Readonly<Record<string, string>>
  /** Somebody waits for it: who runs a fold commits at once, and not when its interval is over. */
  readonly urgent?: true
}

export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** Topic name → offset of the next record to read. */
export type Offsets = Readonly<Record<string, number>>

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  /** `compact` keeps the last record of each key, `delete` drops by age and size. */
  readonly cleanup: 'delete' | 'compact'
  /** Absent: kept for ever. */
  readonly retentionMs?: number
}

export interface TopicDescription {
  readonly name: string
  readonly partitions: number
  readonly cleanup: 'delete' | 'compact'
  /** False where the topic takes the producers' time stamps, on which nothing here may rely. */
  readonly logAppendTime: boolean
}

/**
 * - `committed`: outputs and offsets are readable, all of them.
 * - `aborted`: nothing was written; the lease still holds and the same commit may be tried again.
 * - `fenced`: another owner has claimed the partition; nothing was written; the lease is lost.
 * - `unknown`: it may or may not have been written; the lease is lost. If the partition is still
 *   ours, `onGained` gives a new lease whose `committed` tells which it was.
 */
export type CommitOutcome = 'committed' | 'aborted' | 'fenced' | 'unknown'

/** Records that wait for the owner's next `take`. */
export interface LeaseBuffer {
  readonly recordCount: number
  /** Of keys and values. */
  readonly bytes: number
  readonly bytesMax: number
  /** It is full, and nothing more comes before something is taken. */
  readonly paused: boolean
}

/** One partition number, owned: of every topic of the membership, the partition with that number. */
export interface Lease {
  readonly partition: number
  /** Offset of the claim record (the fencing token); -1 where `claimTopic` is null. */
  readonly epoch: number
  /** Per topic the next offset, as committed when the claim had fenced the previous owner. */
  readonly committed: Offsets
  /** True once the partition was given away, fenced or released; `take` then returns nothing. */
  readonly lost: boolean
  /** Begins delivery at these offsets (a topic left out begins at `committed`). Call it once. */
  start(from: Offsets): void
  /**
   * Records in order per topic, at least one unless `waitMs` passed or the lease was lost. What is
   * not taken stays in a buffer of `bufferBytesMax`; when that is full the partition is paused.
   */
  take(waitMs: number): Promise<readonly LogRecord[]>
  /** Appends `outputs` and stores `next`, atomically. One at a time per lease. Never throws. */
  commit(outputs: readonly Output[], next: Offsets): Promise<CommitOutcome>
  /** How many records (committed, of all topics) are not yet taken; 0 means caught up. */
  behind(): Promise<number>
  /** How full the buffer is; empty before `start` and once the lease is lost. */
  buffer(): LeaseBuffer
  /** Gives the lease up because its fold is stuck or broken; a new one follows through `onGained`. */
  release(): void
}

export interface MembershipOptions {
  readonly group: string
  /** With the partition number it makes the transactional id: one producer per owned partition. */
  readonly role: string
  /** All with the same partition count; the same number of each is one lease, owned together. */
  readonly topics: readonly string[]
  /** Where the claim is appended, in the partition of the lease's number. `null`: claims leave no record. */
  readonly claimTopic: string | null
  readonly bufferBytesMax?: number
  /** Called once per gained lease, after the claim. It must not block: start a loop and return. */
  readonly onGained: (lease: Lease) => void
}

export interface Membership {
  readonly leases: readonly Lease[]
  /** Loses every lease, then leaves the group, so that others take over at once. */
  leave(): Promise<void>
}

export interface ReaderOptions {
  readonly topic: string
  /** Absent: all. */
  readonly partitions?: readonly number[]
  readonly from:
    | 'start'
    | 'end'
    | { readonly offsets: readonly number[] }
    | { readonly timeMs: number }
}

/** Reads without a group and without committing: consoles, agents, tools. */
export interface Reader {
  /** Records in order per partition; empty when `waitMs` passed or the reader was closed. */
  take(waitMs: number): Promise<readonly LogRecord[]>
  /**
   * Everything before these offsets, by partition, has been taken, or is nothing to take: what was aborted,
   * and the ends of transactions. Partitions that it does not read do not count.
   */
  reached(ends: readonly number[]): boolean
  close(): Promise<void>
}

export interface BusHealth {
  readonly connected: boolean
  readonly reconnectCount: number
  readonly lastError: string | null
  /** Leases whose offset has not moved for the watchdog's time although records were waiting. */
  readonly stuckLeaseCount: number
}

export interface Bus {
  readonly name: 'kafka' | 'embedded' | 'simulated'
  /** `processes`: several processes may share it. `compression`: takes foreign compressed batches. */
  readonly capabilities: ReadonlySet<'processes' | 'compression'>
  /** Creates what is missing. ServiceError TOPIC_MISMATCH where one exists with other partitions. */
  create(specs: readonly TopicSpec[]): Promise<void>
  /** Missing topics are absent from the answer. */
  describe(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>>
  /** Durable when it returns, each record once, in order per partition. Positions in order given. */
  produce(outputs: readonly Output[]): Promise<readonly Position[]>
  join(options: MembershipOptions): Promise<Membership>
  read(options: ReaderOptions): Promise<Reader>
  /** Per partition the offset of the oldest record still kept. */
  starts(topic: string): Promise<readonly number[]>
  /** Per partition the offset after the last committed record (Kafka: the last stable offset). */
  ends(topic: string): Promise<readonly number[]>
  /** Per partition the group's next offset; 0 where it never committed. */
  committed(group: string, topic: string): Promise<readonly number[]>
  /** Wall time in ms for pacing and waiting only (virtual in a simulation); never for decisions. */
  nowMs(): number
  health(): BusHealth
  /** Loses every lease, ends readers, waits for what is in flight. Safe to call twice. */
  close(): Promise<void>
}
