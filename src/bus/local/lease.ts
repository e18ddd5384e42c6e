/** A lease on one partition number of a store in this process. */
import type {
  CommitOutcome,
  Lease,
  LeaseBuffer,
  LogRecord,
  Offsets,
  Output,
} from '../../core/bus.ts'
import { assert } from '../../core/errors.ts'
import { Cursor } from './cursor.ts'
import type { Claimed, Fence, LogStore, WaitClock } from './log-store.ts'

export interface LeaseSetup {
  readonly store: LogStore
  readonly clock: WaitClock
  readonly fence: Fence
  readonly topics: readonly string[]
  readonly claimed: Claimed
  readonly bufferBytesMax: number
  /** The lease was lost by its own doing or by a fence: claim again if the partition is still ours. */
  readonly onLost: () => void
  readonly onError: (error: unknown) => void
}

export class LocalLease implements Lease {
  readonly partition: number
  readonly epoch: number
  readonly committed: Offsets
  readonly #setup: LeaseSetup
  #cursor: Cursor | undefined
  #lost = false
  #committing: Promise<CommitOutcome> | undefined

  constructor(setup: LeaseSetup) {
    this.#setup = setup
    this.partition = setup.fence.partition
    this.epoch = setup.claimed.epoch
    this.committed = setup.claimed.committed
  }

  get lost(): boolean {
    return this.#lost
  }

  get waitingSinceMs(): number | null {
    return this.#cursor?.waitingSinceMs ?? null
  }

  start(from: Offsets): void {
    assert(this.#cursor === undefined, 'a lease is started once')
    const { store, clock, topics, bufferBytesMax } = this.#setup
    const starts = topics.map((topic) => {
      return { topic, partition: this.partition, offset: from[topic] ?? this.committed[topic] ?? 0 }
    })
    this.#cursor = new Cursor(store, clock, starts, bufferBytesMax)
    if (this.#lost) this.#cursor.close()
  }

  async take(waitMs: number): Promise<readonly LogRecord[]> {
    if (this.#lost) return []
    assert(this.#cursor !== undefined, 'take comes after start')
    return await this.#cursor.take(waitMs)
  }

  async commit(outputs: readonly Output[], next: Offsets): Promise<CommitOutcome> {
    assert(this.#committing === undefined, 'one commit at a time per lease')
    if (this.#lost) return 'fenced'
    this.#committing = this.#write(outputs, next)
    const outcome = await this.#committing
    this.#committing = undefined
    if ((outcome === 'fenced' || outcome === 'unknown') && !this.#lost) this.#giveUp()
    return outcome
  }

  async behind(): Promise<number> {
    if (this.#lost) return 0
    if (this.#cursor !== undefined) return this.#cursor.behind()
    const { store, topics } = this.#setup
    const lag = (topic: string): number =>
      Math.max(0, store.end(topic, this.partition) - (this.committed[topic] ?? 0))
    return topics.reduce((sum, topic) => sum + lag(topic), 0)
  }

  /** Records stay in the store: it is what the next `take` would give. */
  buffer(): LeaseBuffer {
    const { bufferBytesMax: bytesMax } = this.#setup
    const cursor = this.#lost ? undefined : this.#cursor
    return { bytesMax, ...(cursor?.next() ?? { recordCount: 0, bytes: 0, paused: false }) }
  }

  release(): void {
    if (!this.#lost) this.#giveUp()
  }

  /** Falls silent; nobody is told, because whoever says so knows. */
  lose(): void {
    this.#lost = true
    this.#cursor?.close()
  }

  /** Resolves when no commit is under way. Never throws. */
  async settled(): Promise<void> {
    await this.#committing
  }

  /** What the store refuses was not written: the cause is in the bus's health, the lease holds. */
  async #write(outputs: readonly Output[], next: Offsets): Promise<CommitOutcome> {
    const { store, fence, claimed, onError } = this.#setup
    try {
      return await store.commit(fence, claimed.token, outputs, next)
    } catch (error) {
      onError(error)
      return 'aborted'
    }
  }

  #giveUp(): void {
    this.lose()
    this.#setup.onLost()
  }
}
