/** The bus port over a store in this process. Several clients may share one store. */
import type {
  Bus,
  BusHealth,
  Membership,
  MembershipOptions,
  Output,
  Position,
  Reader,
  ReaderOptions,
  TopicDescription,
  TopicSpec,
} from '../../core/bus.ts'
import { assert, ServiceError } from '../../core/errors.ts'
import { Cursor } from './cursor.ts'
import type { Groups } from './group.ts'
import type { LogStore, WaitClock } from './log-store.ts'
import { LocalMembership } from './membership.ts'

const READ_BYTES_MAX = 4 * 1024 * 1024
/** A lease that took nothing for so long, although records waited, counts as stuck. */
const WATCHDOG_MS = 30_000

export interface ClientSetup {
  readonly name: Bus['name']
  readonly capabilities: Bus['capabilities']
  /** Named in claim records; unique among the clients of a store. */
  readonly owner: string
  readonly store: LogStore
  readonly groups: Groups
  readonly clock: WaitClock
  readonly watchdogMs?: number
  /** After everything of this client has ended. */
  readonly onClosed?: () => Promise<void>
}

export class LocalClient implements Bus {
  readonly name: Bus['name']
  readonly capabilities: Bus['capabilities']
  readonly #setup: ClientSetup
  readonly #memberships = new Set<LocalMembership>()
  readonly #readers = new Set<Cursor>()
  readonly #inFlight = new Set<Promise<unknown>>()
  #memberCount = 0
  #lastError: string | null = null
  #closing: Promise<void> | undefined

  constructor(setup: ClientSetup) {
    this.#setup = setup
    this.name = setup.name
    this.capabilities = setup.capabilities
  }

  async create(specs: readonly TopicSpec[]): Promise<void> {
    this.#assertOpen()
    await this.#track(this.#setup.store.create(specs))
  }

  async describe(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    const { store } = this.#setup
    const known = names.filter((name) => store.has(name)).map((name) => store.topic(name))
    return new Map(
      known.map(({ name, partitions, cleanup }) => {
        return [name, { name, partitions, cleanup, logAppendTime: true }]
      }),
    )
  }

  async produce(outputs: readonly Output[]): Promise<readonly Position[]> {
    this.#assertOpen()
    return await this.#track(this.#setup.store.append(outputs))
  }

  async join(options: MembershipOptions): Promise<Membership> {
    this.#assertOpen()
    const { store, clock, groups, owner } = this.#setup
    const partitions = options.topics.map((topic) => store.topic(topic).partitions)
    assert(new Set(partitions).size === 1, 'topics of one membership have one partition count')
    const group = groups.open(options.group, partitions[0])
    this.#memberCount += 1
    const membership = new LocalMembership({
      id: `${owner}-${String(this.#memberCount).padStart(4, '0')}`,
      owner,
      store,
      clock,
      group,
      options,
      onError: (error) => (this.#lastError = String(error)),
    })
    this.#memberships.add(membership)
    group.join(membership)
    return membership
  }

  async read(options: ReaderOptions): Promise<Reader> {
    this.#assertOpen()
    const { store, clock } = this.#setup
    const { topic, from } = options
    const all = [...Array(store.topic(topic).partitions).keys()]
    const offsetOf = (partition: number): number => {
      if (from === 'start') return store.start(topic, partition)
      if (from === 'end') return store.end(topic, partition)
      if ('offsets' in from) return from.offsets[partition] ?? 0
      return store.offsetAt(topic, partition, from.timeMs)
    }
    const starts = (options.partitions ?? all).map((partition) => {
      return { topic, partition, offset: offsetOf(partition) }
    })
    const cursor = new Cursor(store, clock, starts, READ_BYTES_MAX)
    this.#readers.add(cursor)
    const close = async (): Promise<void> => {
      this.#readers.delete(cursor)
      cursor.close()
    }
    return {
      take: async (waitMs) => await cursor.take(waitMs),
      reached: (ends) => cursor.reached(ends),
      close,
    }
  }

  async starts(topic: string): Promise<readonly number[]> {
    return this.#perPartition(topic, (partition) => this.#setup.store.start(topic, partition))
  }

  async ends(topic: string): Promise<readonly number[]> {
    return this.#perPartition(topic, (partition) => this.#setup.store.end(topic, partition))
  }

  async committed(group: string, topic: string): Promise<readonly number[]> {
    const { store } = this.#setup
    return this.#perPartition(topic, (partition) => store.committed(group, topic, partition))
  }

  nowMs(): number {
    return this.#setup.clock.nowMs()
  }

  health(): BusHealth {
    const nowMs = this.nowMs()
    const watchdogMs = this.#setup.watchdogMs ?? WATCHDOG_MS
    const stuck = [...this.#memberships]
      .flatMap((membership) => membership.leases)
      .filter(
        ({ waitingSinceMs }) => waitingSinceMs !== null && nowMs - waitingSinceMs > watchdogMs,
      )
    return {
      connected: this.#closing === undefined,
      reconnectCount: 0,
      lastError: this.#setup.store.lastError ?? this.#lastError,
      stuckLeaseCount: stuck.length,
    }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  /** Ends like a process that was killed. The groups still count its members, which it answers. */
  abandon(): readonly { readonly group: string; readonly memberId: string }[] {
    this.#closing ??= Promise.resolve()
    for (const reader of this.#readers) reader.close()
    for (const membership of this.#memberships) membership.abandon()
    return [...this.#memberships].map(({ id, groupName }) => ({ group: groupName, memberId: id }))
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#memberships].map((membership) => membership.leave()))
    for (const reader of this.#readers) reader.close()
    await Promise.allSettled(this.#inFlight)
    await this.#setup.onClosed?.()
  }

  #perPartition(topic: string, value: (partition: number) => number): readonly number[] {
    return [...Array(this.#setup.store.topic(topic).partitions).keys()].map(value)
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return
    throw new ServiceError('BUS_CLOSED', `the ${this.name} bus is closed: open it again`)
  }

  async #track<Value>(work: Promise<Value>): Promise<Value> {
    this.#inFlight.add(work)
    try {
      return await work
    } finally {
      this.#inFlight.delete(work)
    }
  }
}
