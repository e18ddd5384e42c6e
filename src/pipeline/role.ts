/**
 * Runs a fold over every partition that this process owns: restore, fold, commit.
 *
 * Folding goes on while a transaction is under way; only committing is throttled. After a claim the
 * state is rebuilt from the start of the log, or goes on where this process had it (`kept-folds.ts`);
 * outputs of records before the committed offset are thrown away, because an owner has sent them.
 */
import type { Bus, Lease, LogRecord, Membership, Output } from '../core/bus.ts'
import { isServiceError, type ServiceError } from '../core/errors.ts'
import { logOutput, type Tick } from '../core/log.ts'
import { partitionCount, topicName, type TopicName, type Topology } from '../core/topics.ts'
import type { Fold } from './fold.ts'
import { KeptFolds, type Told } from './kept-folds.ts'
import { type LeaseFigures, LeaseGauge } from './lease-gauge.ts'

/** An idle owner looks up from its log at least this often, ms. */
const IDLE_WAIT_MS = 1_000
/** What waits for the end of a transaction looks again after this. */
export const IN_FLIGHT_WAIT_MS = 10
/** Urgent outputs are committed at once, but no sooner than this after the last commit. */
const URGENT_GAP_MS = 10
/** Outputs held while a transaction is under way; beyond it folding waits for the commit. */
const PENDING_OUTPUTS_MAX = 20_000
/** Records that are on their way to a thread at once, each with what follows from it on the way back. */
const FOLDED_AT_ONCE_MAX = 16
/** Tries of one commit that ends `aborted` before the lease is given up. */
const COMMIT_TRIES_MAX = 5
/** Of ticks, which an owner gives by its clock; the next owner gives its own. */
const TOLD_BY_NO_RECORD = -1

export interface RoleEvents {
  /** A transaction has ended. */
  committed?(role: string, outcome: string, outputs: readonly Output[], elapsedMs: number): void
  /** An expected trouble, for the log; the partition is claimed again. */
  trouble?(role: string, partition: number, error: ServiceError): void
  /** A bug: the state of the partition can no longer be trusted, and the process must end. */
  bug?(role: string, partition: number, error: unknown): void
  /** The state of a partition is as new as its log was when it was claimed. */
  restored?(role: string, partition: number, recordCount: number, elapsedMs: number): void
}

export interface RoleOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly role: 'watcher' | 'coordinator'
  readonly topic: Extract<TopicName, 'node-log' | 'pool-log'>
  readonly createFold: (partition: number) => Promise<Fold>
  readonly commitIntervalMs: number
  /** Under the arrival clock each owner appends a tick to its own partition this often. */
  readonly tickIntervalMs: number
  /** Sees outputs just before they are sent and may hold some back (the out-of-band stop). */
  readonly guard?: (partition: number, outputs: readonly Output[]) => readonly Output[]
  readonly events?: RoleEvents
}

export interface Role {
  /** Partition → its fold's stats. */
  stats(): ReadonlyMap<number, Readonly<Record<string, number>>>
  /** Partition → its lag and its queues. */
  leases(): ReadonlyMap<number, LeaseFigures>
  /** Partitions whose state is restored. */
  readyPartitions(): readonly number[]
  stop(): Promise<void>
}

export function groupName(topology: Topology, role: string): string {
  return `${topology.prefix}${role}`
}

export async function startRole(options: RoleOptions): Promise<Role> {
  const { bus, topology, role } = options
  const runs = new Map<number, LeaseRun>()
  const ends = new Map<number, Promise<void>>()
  const kept = new KeptFolds()
  const topic = topicName(topology, options.topic)
  const membership: Membership = await bus.join({
    group: groupName(topology, role),
    role,
    topics: [topic],
    claimTopic: topic,
    onGained: (lease) => {
      const { partition } = lease
      const run = new LeaseRun({ options, lease, topic, kept })
      runs.set(partition, run)
      // A lease of the same partition before this one lets go of the fold first.
      const before = ends.get(partition) ?? Promise.resolve()
      const end = before
        .then(() => run.run())
        .catch((error: unknown) => giveUp(role, lease, error, options.events))
        .finally(() => {
          if (ends.get(partition) === end) ends.delete(partition)
        })
      ends.set(partition, end)
    },
  })
  return {
    stats: () => new Map([...live(runs)].map(([partition, run]) => [partition, run.stats()])),
    leases: () => new Map([...live(runs)].map(([partition, run]) => [partition, run.figures()])),
    readyPartitions: () => [...live(runs)].filter(([, run]) => run.ready).map(([p]) => p),
    stop: async () => {
      await membership.leave()
      await kept.close()
      await Promise.all(ends.values())
    },
  }
}

/** After a failed run: the lease goes back, and who watches hears whether it may be tried again. */
export function giveUp(
  role: string,
  lease: Lease,
  error: unknown,
  events: RoleEvents | undefined,
): void {
  if (isServiceError(error)) events?.trouble?.(role, lease.partition, error)
  else events?.bug?.(role, lease.partition, error)
  lease.release()
}

function live(runs: Map<number, LeaseRun>): Map<number, LeaseRun> {
  for (const [partition, run] of runs) if (run.lost) runs.delete(partition)
  return runs
}

interface LeaseRunSetup {
  readonly options: RoleOptions
  readonly lease: Lease
  readonly topic: string
  readonly kept: KeptFolds
}

class LeaseRun {
  readonly #options: RoleOptions
  readonly #lease: Lease
  readonly #topic: string
  readonly #kept: KeptFolds
  readonly #restoreTo: number
  readonly #gauge: LeaseGauge
  #fold: Fold | null = null
  #pending: Told[] = []
  #pendingCount = 0
  /** Of a transaction that is under way, or was not seen to end well. */
  #unsettled: readonly Told[] = []
  #position = 0
  #lastCommitMs = Number.NEGATIVE_INFINITY
  #tickDueMs = 0
  #inFlight: Promise<void> | null = null
  /** Something among what is pending is. */
  #urgent = false
  ready = false

  constructor({ options, lease, topic, kept }: LeaseRunSetup) {
    this.#options = options
    this.#lease = lease
    this.#topic = topic
    this.#kept = kept
    this.#restoreTo = lease.committed[topic] ?? 0
    this.#gauge = new LeaseGauge(lease, options.bus)
  }

  get lost(): boolean {
    return this.#lease.lost
  }

  stats(): Readonly<Record<string, number>> {
    return this.#fold?.stats() ?? {}
  }

  figures(): LeaseFigures {
    return this.#gauge.figures(this.#pendingCount)
  }

  async run(): Promise<void> {
    const { bus } = this.#options
    await this.#restore()
    this.#lease.start({ [this.#topic]: this.#position })
    const beganAtMs = bus.nowMs()
    const from = this.#position
    this.#tickDueMs = beganAtMs
    this.#markReady(from, beganAtMs)
    while (!this.#lease.lost) {
      const records = await this.#lease.take(this.#waitMs())
      this.#gauge.sample()
      await this.#foldAll(records)
      if (!this.ready) this.#markReady(from, beganAtMs)
      if (this.ready) this.#appendTick()
      await this.#commitWhenDue()
      if (this.#kept.size > 0) await this.#kept.sweep(bus.nowMs())
    }
    await this.#inFlight
    const told = [...this.#unsettled, ...this.#pending]
    const kept = { fold: this.#fold!, position: this.#position, told }
    await this.#kept.keep(this.#lease.partition, kept, bus.nowMs())
  }

  async #restore(): Promise<void> {
    const { bus, createFold } = this.#options
    const { partition } = this.#lease
    const start = (await bus.starts(this.#topic))[partition] ?? 0
    const end = (await bus.ends(this.#topic))[partition] ?? 0
    const kept = await this.#kept.takeBack(partition, { start, end })
    this.#fold = kept?.fold ?? (await createFold(partition))
    this.#position = kept?.position ?? start
    for (const told of kept?.told ?? []) this.#tell(told)
  }

  /** What an owner has sent before the claim is not sent again. */
  #tell(told: Told): void {
    if (told.outputs.length === 0 || told.offset < this.#restoreTo) return
    this.#pending.push(told)
    this.#pendingCount += told.outputs.length
    this.#urgent ||= told.outputs.some(({ urgent }) => urgent === true)
  }

  #markReady(from: number, beganAtMs: number): void {
    if (this.#position < this.#restoreTo) return
    this.ready = true
    const elapsedMs = this.#options.bus.nowMs() - beganAtMs
    const { events, role } = this.#options
    events?.restored?.(role, this.#lease.partition, this.#position - from, elapsedMs)
  }

  #waitMs(): number {
    const nowMs = this.#options.bus.nowMs()
    const waits = [IDLE_WAIT_MS]
    if (this.ready && this.#ticks()) waits.push(this.#tickDueMs - nowMs)
    if (this.#pending.length > 0) {
      const commitDueMs = this.#lastCommitMs + this.#gapMs()
      waits.push(this.#inFlight === null ? commitDueMs - nowMs : IN_FLIGHT_WAIT_MS)
    }
    return Math.max(0, Math.min(...waits))
  }

  #ticks(): boolean {
    return this.#options.topology.clock === 'arrival'
  }

  /** A driven step waits for nobody else, so it is committed at once. */
  #intervalMs(): number {
    return this.#ticks() ? this.#options.commitIntervalMs : 0
  }

  #gapMs(): number {
    return this.#urgent ? Math.min(URGENT_GAP_MS, this.#intervalMs()) : this.#intervalMs()
  }

  async #foldAll(records: readonly LogRecord[]): Promise<void> {
    const fold = this.#fold!
    for (let from = 0; from < records.length; from += FOLDED_AT_ONCE_MAX) {
      const some = records.slice(from, from + FOLDED_AT_ONCE_MAX)
      const told = (await fold.foldAll?.(some)) ?? (await foldEach(fold, some))
      for (const [index, { offset }] of some.entries()) {
        this.#position = offset + 1
        this.#tell({ offset, outputs: told[index] })
      }
    }
  }

  #appendTick(): void {
    const nowMs = this.#options.bus.nowMs()
    if (!this.#ticks() || nowMs < this.#tickDueMs) return
    this.#tickDueMs = Math.max(this.#tickDueMs + this.#options.tickIntervalMs, nowMs)
    const tick: Tick = { source: this.#lease.partition, atMs: 0, step: 0 }
    const output = logOutput(this.#topic, this.#lease.partition, 'tick', null, tick)
    this.#pending.push({ offset: TOLD_BY_NO_RECORD, outputs: [output] })
    this.#pendingCount++
  }

  async #commitWhenDue(): Promise<void> {
    if (this.#pendingCount > PENDING_OUTPUTS_MAX) await this.#inFlight
    const due = this.#options.bus.nowMs() >= this.#lastCommitMs + this.#gapMs()
    if (this.#pending.length === 0 || !due || this.#inFlight !== null || this.#lease.lost) return
    const pending = this.#pending.flatMap(({ outputs }) => outputs)
    const outputs = this.#options.guard?.(this.#lease.partition, pending) ?? pending
    this.#unsettled = this.#pending
    this.#pending = []
    this.#pendingCount = 0
    this.#urgent = false
    this.#inFlight = this.#commit(outputs, this.#position).finally(() => {
      this.#inFlight = null
    })
    if (!this.#ticks()) await this.#inFlight
  }

  async #commit(outputs: readonly Output[], next: number): Promise<void> {
    const { bus, role, events } = this.#options
    for (let attempt = 1; attempt <= COMMIT_TRIES_MAX; attempt++) {
      const beganAtMs = bus.nowMs()
      const outcome = await this.#lease.commit(outputs, { [this.#topic]: next })
      this.#lastCommitMs = bus.nowMs()
      events?.committed?.(role, outcome, outputs, this.#lastCommitMs - beganAtMs)
      if (outcome === 'committed') this.#unsettled = []
      if (outcome !== 'aborted') return
    }
    this.#lease.release()
  }
}

async function foldEach(
  fold: Fold,
  records: readonly LogRecord[],
): Promise<readonly (readonly Output[])[]> {
  const told: (readonly Output[])[] = []
  for (const record of records) told.push(await fold.fold(record))
  return told
}

/** One output for every partition of a log. */
export function toEveryPartition(
  topology: Topology,
  name: Extract<TopicName, 'node-log' | 'pool-log'>,
  output: (topic: string, partition: number) => Output,
): readonly Output[] {
  const topic = topicName(topology, name)
  return Array.from({ length: partitionCount(topology, name) }, (_, partition) =>
    output(topic, partition),
  )
}
