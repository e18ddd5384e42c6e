/**
 * One member of a group: it claims what the group grants, and hands each lease to its owner's code.
 *
 *     granted ──claim──▶ leased ──fenced, unknown, released──▶ granted (claimed again)
 *        └──────revoked──────┴──▶ nothing
 */
import type { Membership, MembershipOptions, Output } from '../../core/bus.ts'
import type { Claim } from '../../core/log.ts'
import { logOutput } from '../../core/log.ts'
import type { Group, Member } from './group.ts'
import { LocalLease } from './lease.ts'
import type { Claimed, Fence, LogStore, WaitClock } from './log-store.ts'

const BUFFER_BYTES_MAX = 8 * 1024 * 1024
/** Between two tries of a claim that the store refused. */
const CLAIM_RETRY_MS = 200

export interface MembershipSetup {
  readonly id: string
  /** Who the claim records say has claimed. */
  readonly owner: string
  readonly store: LogStore
  readonly clock: WaitClock
  readonly group: Group
  readonly options: MembershipOptions
  readonly onError: (error: unknown) => void
}

export class LocalMembership implements Membership, Member {
  readonly id: string
  readonly #setup: MembershipSetup
  readonly #leases = new Map<number, LocalLease>()
  /** Partition → number of its grant: a claim that ends after a newer grant or a revoke is dropped. */
  readonly #grants = new Map<number, number>()
  readonly #claiming = new Set<Promise<void>>()
  readonly #settling = new Set<Promise<void>>()
  #grantCount = 0
  #left = false

  constructor(setup: MembershipSetup) {
    this.id = setup.id
    this.#setup = setup
  }

  get groupName(): string {
    return this.#setup.options.group
  }

  get leases(): readonly LocalLease[] {
    return [...this.#leases.values()].sort((a, b) => a.partition - b.partition)
  }

  grant(partition: number): void {
    if (this.#left) return
    this.#grantCount += 1
    this.#grants.set(partition, this.#grantCount)
    const claiming = this.#claim(partition, this.#grantCount)
    this.#claiming.add(claiming)
    void claiming.finally(() => this.#claiming.delete(claiming))
  }

  revoke(partition: number): void {
    this.#grants.delete(partition)
    this.#drop(partition)
  }

  async leave(): Promise<void> {
    this.#left = true
    for (const partition of this.#grants.keys()) this.revoke(partition)
    await Promise.all([...this.#claiming, ...this.#settling])
    this.#setup.group.leave(this.id)
  }

  /** Ends like a process that was killed: the group is not told, and nothing more is claimed. */
  abandon(): void {
    this.#left = true
    this.#grants.clear()
    for (const lease of this.#leases.values()) lease.lose()
    this.#leases.clear()
  }

  async #claim(partition: number, grant: number): Promise<void> {
    const { store, clock, options, onError } = this.#setup
    const fence: Fence = { group: options.group, role: options.role, partition }
    const claimed = await this.#claimUntilTaken(fence, () => this.#grants.get(partition) === grant)
    if (claimed === undefined || this.#grants.get(partition) !== grant) return
    const lease = new LocalLease({
      store,
      clock,
      fence,
      topics: options.topics,
      claimed,
      bufferBytesMax: options.bufferBytesMax ?? BUFFER_BYTES_MAX,
      onLost: () => this.#claimAgain(partition, lease),
      onError,
    })
    this.#leases.set(partition, lease)
    options.onGained(lease)
  }

  /** A full store makes us wait, not fail; it ends when the partition is no longer granted. */
  async #claimUntilTaken(fence: Fence, wanted: () => boolean): Promise<Claimed | undefined> {
    const { store, options, owner, onError, clock } = this.#setup
    while (wanted()) {
      try {
        return await store.claim(
          fence,
          options.topics,
          claimOutput(options, owner, fence.partition),
        )
      } catch (error) {
        onError(error)
        await new Promise<void>((resolve) => void clock.after(CLAIM_RETRY_MS, resolve))
      }
    }
    return undefined
  }

  #claimAgain(partition: number, lost: LocalLease): void {
    if (this.#leases.get(partition) !== lost) return
    this.#drop(partition)
    if (this.#left) return
    // A member that was expelled while it slept learns so from the fence, and joins again.
    if (!this.#setup.group.has(this.id)) this.#rejoin()
    else if (this.#setup.group.owner(partition) === this.id) this.grant(partition)
  }

  #rejoin(): void {
    for (const partition of this.#grants.keys()) this.revoke(partition)
    this.#setup.group.join(this)
  }

  #drop(partition: number): void {
    const lease = this.#leases.get(partition)
    if (lease === undefined) return
    this.#leases.delete(partition)
    lease.lose()
    const settling = lease.settled()
    this.#settling.add(settling)
    void settling.finally(() => this.#settling.delete(settling))
  }
}

export function claimOutput(
  options: Pick<MembershipOptions, 'claimTopic' | 'role'>,
  owner: string,
  partition: number,
): Output | null {
  if (options.claimTopic === null) return null
  const claim: Claim = { role: options.role, owner }
  return logOutput(options.claimTopic, partition, 'claim', null, claim)
}
