/**
 * A broker in memory, on virtual time, with seeded faults. The same seed and the same callers give
 * the same run, record for record: there is no timer, no clock and no random source but its own.
 *
 *     const broker = createSimulatedBus({ seed: 7, faults: { commitUnknownRatio: 0.02 } })
 *     const bus = broker.open('watcher-1')      // each client is a process of its own
 *     await broker.clock.advance(60_000)        // a minute passes
 */
import type { Bus } from '../../core/bus.ts'
import { assert } from '../../core/errors.ts'
import { LocalClient } from '../local/client.ts'
import { Groups } from '../local/group.ts'
import { claimOutput } from '../local/membership.ts'
import { FaultyStore } from './faulty-store.ts'
import type { ForcedFault, SimulatedFaults } from './faulty-store.ts'
import { MemoryStore } from './memory-store.ts'
import { seededRandom, shuffled } from './random.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface SimulatedBusOptions {
  readonly seed: number
  readonly faults?: BrokerFaults
  /** Where virtual time begins. */
  readonly startMs?: number
  /** Shared with the rest of a simulated world; made here when absent. */
  readonly clock?: VirtualClock
}

export interface BrokerFaults extends SimulatedFaults {
  /** Mean time between group rebalances that happen for no reason; absent: none. */
  readonly rebalanceEveryMs?: number
}

/** Which partition of which membership another owner takes. */
export interface Theft {
  readonly group: string
  readonly role: string
  readonly claimTopic: string | null
  readonly topics: readonly string[]
  readonly partition: number
}

/** How long a group waits for a member that has fallen silent. */
const SESSION_MS = 6_000

export class SimulatedBroker {
  readonly clock: VirtualClock
  readonly #memory = new MemoryStore()
  readonly #store: FaultyStore
  readonly #groups = new Groups()
  readonly #random: () => number
  #faults: BrokerFaults
  /** Added to virtual time to give the log's own. */
  #logClockOffsetMs = 0
  readonly #clients = new Map<string, LocalClient>()
  #clientCount = 0

  constructor(options: SimulatedBusOptions) {
    this.clock = options.clock ?? new VirtualClock(options.startMs ?? 0)
    this.#random = seededRandom(options.seed)
    this.#faults = options.faults ?? {}
    const logNowMs = (): number => this.clock.nowMs() + this.#logClockOffsetMs
    this.#store = new FaultyStore(this.#memory, this.clock, logNowMs, this.#random, this.#faults)
    this.#scheduleRebalance()
  }

  /** A client of its own, as another process would be; `owner` is in its claim records. */
  open(owner?: string): Bus {
    this.#clientCount += 1
    const name = owner ?? `client-${this.#clientCount}`
    const client = new LocalClient({
      name: 'simulated',
      capabilities: new Set(['processes']),
      // A process that comes back is another member, whatever its name.
      owner: this.#clients.has(name) ? `${name}.${this.#clientCount}` : name,
      store: this.#store,
      groups: this.#groups,
      clock: this.clock,
    })
    this.#clients.set(name, client)
    return client
  }

  /**
   * Kills the client's process: what it wrote stays, what it had not yet written never comes, and
   * its partitions go to others when the session is over.
   */
  crash(owner: string, sessionMs = SESSION_MS): void {
    const client = this.#clients.get(owner)
    assert(client !== undefined, `no client ${owner} to kill`)
    const members = client.abandon()
    this.clock.after(sessionMs, () => {
      for (const { group, memberId } of members) this.#groups.get(group)?.expire(memberId)
    })
  }

  /** From now on; what is on its way stays so. */
  setFaults(faults: BrokerFaults): void {
    const idle = this.#faults.rebalanceEveryMs === undefined
    this.#faults = faults
    this.#store.setFaults(faults)
    if (idle) this.#scheduleRebalance()
  }

  failNextCommit(fault: ForcedFault): void {
    this.#store.failNextCommit(fault)
  }

  /** Another owner claims the partition while the present one notices nothing. */
  async seize(theft: Theft): Promise<void> {
    const { group, role, partition } = theft
    const claim = claimOutput(theft, 'thief', partition)
    await this.#store.claim({ group, role, partition }, theft.topics, claim)
  }

  /**
   * The broker thinks the owner of the partition dead, as when a process sleeps past its session. Its
   * leases go to others, it is not told, and its next commit is fenced.
   */
  expireOwner(group: string, partition: number): void {
    const members = this.#groups.get(group)
    const owner = members?.owner(partition)
    if (owner !== undefined) members?.expire(owner)
  }

  /** Moves partitions among the members of each group, for no reason. */
  rebalance(): void {
    for (const name of this.#groups.names()) {
      const group = this.#groups.get(name)!
      group.shuffle(shuffled(this.#random, group.partitionCount))
    }
  }

  /** Runs retention and compaction over all topics. */
  clean(): void {
    for (const spec of this.#memory.topics()) {
      for (let partition = 0; partition < spec.partitions; partition++) {
        if (spec.cleanup === 'compact') this.#memory.compact(spec.name, partition)
        if (spec.retentionMs === undefined) continue
        const beforeMs = this.clock.nowMs() + this.#logClockOffsetMs - spec.retentionMs
        this.#memory.dropBefore(spec.name, partition, beforeMs)
      }
    }
  }

  /** Steps the broker's own clock, not the time of those who wait. */
  stepLogClock(ms: number): void {
    this.#logClockOffsetMs += ms
  }

  #scheduleRebalance(): void {
    const meanMs = this.#faults.rebalanceEveryMs
    if (meanMs === undefined) return
    const waitMs = Math.max(1, Math.round(-meanMs * Math.log(1 - this.#random())))
    this.clock.after(waitMs, () => {
      if (this.#faults.rebalanceEveryMs === undefined) return
      this.rebalance()
      this.#scheduleRebalance()
    })
  }
}

export function createSimulatedBus(options: SimulatedBusOptions): SimulatedBroker {
  return new SimulatedBroker(options)
}
