/**
 * Membership of a group: which partition numbers are ours, and for each the way to a lease. A gained
 * partition stays paused until its claim has fenced the previous owner and, only then, its committed
 * offsets were read; read earlier they could be older than what that owner still commits.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import type { Lease, Membership, MembershipOptions } from '../../core/bus.ts'
import { assert } from '../../core/errors.ts'
import { logOutput } from '../../core/log.ts'
import type { Claim } from '../../core/log.ts'
import type { Admin } from './admin.ts'
import type { KafkaBusOptions } from './client.ts'
import { WATCHDOG_MS } from './client.ts'
import type { FeedHooks } from './feed.ts'
import { Feed } from './feed.ts'
import { KafkaLease } from './lease.ts'
import type { Pulse } from './pulse.ts'
import { RecentEnds } from './recent-ends.ts'
import { PartitionProducer, transactionalId } from './transaction.ts'
import { Watchdog } from './watchdog.ts'

export interface MembershipContext {
  readonly bus: KafkaBusOptions
  readonly pulse: Pulse
  readonly admin: Admin
  /** Names this process in claims and to the assigner. */
  readonly owner: string
}

const BUFFER_BYTES_MAX = 16 * 1024 * 1024
const CLAIM_RETRY_MS_MIN = 50
const CLAIM_RETRY_MS_MAX = 2_000

/** One spell of owning a partition number; a rejoin that keeps the partition keeps the slot. */
interface Slot {
  readonly partition: number
  lease: KafkaLease | undefined
  open: boolean
  /** Set while a claim waits for the group to confirm that the partition is still ours. */
  confirm: (() => void) | undefined
}

export class KafkaMembership implements Membership {
  readonly #slots = new Map<number, Slot>()
  readonly #closing = new Set<Promise<void>>()
  readonly #feed: Feed
  readonly #watchdog: Watchdog
  readonly #ends: RecentEnds
  readonly #options: MembershipOptions
  readonly #context: MembershipContext
  #memberId = ''
  #left: Promise<void> | undefined

  constructor(context: MembershipContext, options: MembershipOptions) {
    this.#context = context
    this.#options = options
    const { group, topics } = options
    const { bus, pulse, owner, admin } = context
    this.#ends = new RecentEnds(
      (topic) => admin.ends(topic),
      () => performance.now(),
    )
    this.#feed = new Feed(bus, pulse, { group, owner, topics, hooks: this.#hooks() })
    this.#watchdog = new Watchdog({
      limitMs: bus.watchdogMs ?? WATCHDOG_MS,
      leases: () => this.#held(),
      restart: (because) => this.#feed.restart(because),
    })
    this.#feed.start()
  }

  get leases(): readonly Lease[] {
    return this.#held().filter((lease) => !lease.lost)
  }

  get left(): boolean {
    return this.#left !== undefined
  }

  get stuckCount(): number {
    return this.#watchdog.stuckCount
  }

  leave(): Promise<void> {
    return (this.#left ??= this.#leave())
  }

  async #leave(): Promise<void> {
    this.#watchdog.stop()
    this.#loseAll()
    await Promise.all(this.#closing)
    await this.#feed.stop()
  }

  #hooks(): FeedHooks {
    return {
      onJoin: (partitions, memberId) => this.#joined(partitions, memberId),
      onHeartbeat: () => {
        for (const slot of this.#slots.values()) slot.confirm?.()
      },
      onBatch: (batch) => this.#slots.get(batch.partition)?.lease?.receive(batch),
      onAdvance: (topic, partition, next) =>
        this.#slots.get(partition)?.lease?.advance(topic, next),
      onOutOfRange: ({ topic, partition }) => {
        const error = this.#slots.get(partition)?.lease?.outOfRange(topic)
        if (error !== undefined) this.#context.pulse.note('offset out of range', error)
      },
      onEnd: () => this.#loseAll(),
    }
  }

  /** A new member id means that the group had given us up: somebody else may have owned what is ours. */
  #joined(partitions: readonly number[], memberId: string): void {
    if (memberId !== this.#memberId) this.#loseAll()
    this.#memberId = memberId
    for (const slot of this.#slots.values()) {
      if (!partitions.includes(slot.partition)) this.#lose(slot)
    }
    if (this.#left !== undefined) return
    this.#feed.pause(partitions)
    for (const partition of partitions) {
      const slot = this.#slots.get(partition)
      if (slot === undefined) this.#open(partition)
      else slot.lease?.follow()
      slot?.confirm?.()
    }
  }

  #open(partition: number): void {
    const slot: Slot = { partition, lease: undefined, open: true, confirm: undefined }
    this.#slots.set(partition, slot)
    void this.#gain(slot)
  }

  /** Tries until it holds the lease or the slot is closed: nobody else can serve this partition. */
  async #gain(slot: Slot): Promise<void> {
    for (let waitMs = CLAIM_RETRY_MS_MIN; slot.open;) {
      const id = transactionalId(this.#context.bus.prefix, this.#options.role, slot.partition)
      const producer = new PartitionProducer(this.#context.bus, this.#context.pulse, id)
      try {
        const lease = await this.#claim(slot, producer)
        if (slot.open) {
          slot.lease = lease
          this.#options.onGained(lease)
          return
        }
      } catch (error) {
        this.#context.pulse.note('claim failed, trying again', error, { transactionalId: id })
      }
      await producer.close()
      if (slot.open) await sleep(waitMs)
      waitMs = Math.min(waitMs * 2, CLAIM_RETRY_MS_MAX)
    }
  }

  async #claim(slot: Slot, producer: PartitionProducer): Promise<KafkaLease> {
    const { group, role, topics, claimTopic } = this.#options
    const { partition } = slot
    const body: Claim = { role, owner: this.#context.owner }
    const claim = claimTopic === null ? null : logOutput(claimTopic, partition, 'claim', null, body)
    const epoch = await producer.claim(claim)
    const offsets = await this.#context.admin.groupOffsets(group, topics)
    const next = topics.map((topic) => {
      const offset = offsets.get(topic)?.[partition]
      assert(offset !== undefined, `${group} has an offset of ${topic}[${partition}]`)
      return [topic, offset] as const
    })
    return new KafkaLease({
      partition,
      epoch,
      committed: Object.fromEntries(next),
      group,
      bufferBytesMax: this.#options.bufferBytesMax ?? BUFFER_BYTES_MAX,
      producer,
      port: {
        seek: (topic, number, offset) => this.#feed.seek(topic, number, offset),
        pause: (number) => this.#feed.pause([number]),
        resume: (number) => this.#feed.resume([number]),
        ends: (topic) => this.#ends.of(topic),
        onLost: (lease) => this.#again(slot, lease),
      },
    })
  }

  /**
   * Fenced, unknown or released: claim again, but only once the group confirms, by a heartbeat or a
   * join, that the partition is still ours. A zombie that claimed at once would fence its heir.
   */
  #again(slot: Slot, lease: KafkaLease): void {
    if (!slot.open || slot.lease !== lease) return
    slot.lease = undefined
    slot.confirm = () => {
      slot.confirm = undefined
      if (slot.open) void this.#gain(slot)
    }
  }

  #lose(slot: Slot): void {
    slot.open = false
    this.#slots.delete(slot.partition)
    const closing = slot.lease?.lose()
    if (closing === undefined) return
    this.#closing.add(closing)
    void closing.finally(() => this.#closing.delete(closing))
  }

  #loseAll(): void {
    for (const slot of this.#slots.values()) this.#lose(slot)
  }

  #held(): readonly KafkaLease[] {
    return [...this.#slots.values()].flatMap(({ lease }) => (lease === undefined ? [] : [lease]))
  }
}
