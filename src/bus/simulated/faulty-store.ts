/**
 * The memory store as a party sees it through a network that is slow and sometimes fails: late
 * acknowledgements, late delivery (each partition on its own, so partitions overtake each other),
 * commits that abort and commits whose answer is lost.
 */
import type { CommitOutcome, Offsets, Output, Position, TopicSpec } from '../../core/bus.ts'
import type { Claimed, Fence, LogStore, Slice, WaitClock } from '../local/log-store.ts'
import { Bells } from '../local/log-store.ts'
import type { MemoryPartition, MemoryStore } from './memory-store.ts'
import type { Random } from './random.ts'

export interface SimulatedFaults {
  /** Share of commits that end `aborted`. */
  readonly commitAbortedRatio?: number
  /** Share of commits that end `unknown`; half of them were written. */
  readonly commitUnknownRatio?: number
  /** Between a write and its acknowledgement, at most. */
  readonly ackDelayMsMax?: number
  /** Between a write and the moment when readers see it, at most. */
  readonly deliveryDelayMsMax?: number
  /** Owners that were replaced may still write: a broker without fencing, to show what it holds. */
  readonly unfenced?: boolean
}

export interface ForcedFault {
  readonly outcome: 'aborted' | 'unknown'
  readonly written: boolean
}

export class FaultyStore implements LogStore {
  readonly bells = new Bells()
  readonly lastError = null
  readonly #memory: MemoryStore
  readonly #clock: WaitClock
  readonly #logNowMs: () => number
  readonly #random: Random
  #faults: SimulatedFaults
  readonly #forced: ForcedFault[] = []

  constructor(
    memory: MemoryStore,
    clock: WaitClock,
    logNowMs: () => number,
    random: Random,
    faults: SimulatedFaults,
  ) {
    this.#memory = memory
    this.#clock = clock
    this.#logNowMs = logNowMs
    this.#random = random
    this.#faults = faults
  }

  setFaults(faults: SimulatedFaults): void {
    this.#faults = faults
  }

  /** The next commit that is not fenced ends so. */
  failNextCommit(fault: ForcedFault): void {
    this.#forced.push(fault)
  }

  has(name: string): boolean {
    return this.#memory.has(name)
  }

  topic(name: string): TopicSpec {
    return this.#memory.topic(name)
  }

  async create(specs: readonly TopicSpec[]): Promise<void> {
    this.#memory.create(specs)
  }

  async append(outputs: readonly Output[]): Promise<readonly Position[]> {
    const positions = this.#write(outputs)
    await this.#delay(this.#faults.ackDelayMsMax)
    return positions
  }

  async claim(fence: Fence, topics: readonly string[], claim: Output | null): Promise<Claimed> {
    const token = this.#memory.claim(fence)
    const epoch = claim === null ? -1 : this.#write([claim])[0].offset
    const committed = Object.fromEntries(
      topics.map((topic) => [topic, this.#memory.committed(fence.group, topic, fence.partition)]),
    )
    await this.#delay(this.#faults.ackDelayMsMax)
    return { token, epoch, committed }
  }

  async commit(
    fence: Fence,
    token: number,
    outputs: readonly Output[],
    next: Offsets,
  ): Promise<CommitOutcome> {
    this.#memory.check(outputs)
    const fenced = this.#faults.unfenced !== true && this.#memory.isFenced(fence, token)
    const { outcome, written } = fenced ? FENCED : this.#draw()
    if (written) {
      this.#write(outputs)
      this.#memory.storeOffsets(fence.group, fence.partition, next)
    }
    await this.#delay(this.#faults.ackDelayMsMax)
    return outcome
  }

  read(topic: string, partition: number, from: number, bytesMax: number): Slice {
    return this.#memory.read(topic, partition, from, bytesMax)
  }

  start(topic: string, partition: number): number {
    return this.#memory.partition(topic, partition).start
  }

  end(topic: string, partition: number): number {
    return this.#memory.partition(topic, partition).end
  }

  offsetAt(topic: string, partition: number, timeMs: number): number {
    return this.#memory.offsetAt(topic, partition, timeMs)
  }

  committed(group: string, topic: string, partition: number): number {
    return this.#memory.committed(group, topic, partition)
  }

  #write(outputs: readonly Output[]): readonly Position[] {
    const positions = this.#memory.append(outputs, this.#logNowMs())
    // The last position of a partition stands for the others: what becomes readable is a prefix.
    const last = new Map<MemoryPartition, number>()
    for (const { topic, partition, offset } of positions) {
      last.set(this.#memory.partition(topic, partition), offset)
    }
    for (const [log, offset] of last) {
      const deliver = (): void => {
        if (log.readable > offset) return
        log.readable = offset + 1
        this.bells.ring(log.topic, log.partition)
      }
      const delayMs = this.#drawMs(this.#faults.deliveryDelayMsMax)
      if (delayMs === 0) deliver()
      else this.#clock.after(delayMs, deliver)
    }
    return positions
  }

  #draw(): { readonly outcome: CommitOutcome; readonly written: boolean } {
    const forced = this.#forced.shift()
    if (forced !== undefined) return forced
    const { commitAbortedRatio = 0, commitUnknownRatio = 0 } = this.#faults
    const drawn = this.#random()
    if (drawn < commitAbortedRatio) return { outcome: 'aborted', written: false }
    if (drawn >= commitAbortedRatio + commitUnknownRatio) {
      return { outcome: 'committed', written: true }
    }
    return { outcome: 'unknown', written: this.#random() < 0.5 }
  }

  #drawMs(most = 0): number {
    return most === 0 ? 0 : Math.floor(this.#random() * (most + 1))
  }

  async #delay(most = 0): Promise<void> {
    const delayMs = this.#drawMs(most)
    if (delayMs > 0) await new Promise<void>((resolve) => void this.#clock.after(delayMs, resolve))
  }
}

const FENCED = { outcome: 'fenced', written: false } as const
