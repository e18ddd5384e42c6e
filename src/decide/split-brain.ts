/**
 * Which side of a partitioned network goes on.
 *
 * Each side is asked for itself (`mayGoOn`). For every partition of one list of members at most one side
 * gets a yes, whatever the policy. That is promised because one log has one list, one order and one oldest
 * node. Sides that decided for themselves, with lists that differ because nodes joined or left meanwhile,
 * could rely on `static-quorum` (while all of them are fewer than twice the quorum), on `lease-majority`
 * (while the lease is one's alone) and on `down-all`, and not on `keep-majority` or `keep-oldest`.
 */
import type { NodeId } from '../core/ids.ts'
import type { SplitBrainPolicy, SplitBrainRules } from '../core/split-brain.ts'
import { never } from '../core/errors.ts'

export interface Members {
  readonly nodeCount: number
  /** The node that was there first, of those that are on a side; null where nobody is. */
  readonly oldest: NodeId | null
  /** Null while nobody has it. */
  readonly leaseHolder: NodeId | null
}

export interface Lease {
  readonly holder: NodeId
  /** When its side was last heard of. */
  readonly renewedAtMs: number
}

/** `lives` is null where no side goes on. */
export interface Verdict {
  readonly lives: number | null
  readonly why: string
}

/** Whether a side may go on. */
export function mayGoOn(
  { policy, quorumNodes }: Pick<SplitBrainRules, 'policy' | 'quorumNodes'>,
  side: ReadonlySet<NodeId>,
  { nodeCount, oldest, leaseHolder }: Members,
): boolean {
  switch (policy) {
    case 'keep-majority':
      return 2 * side.size > nodeCount
    case 'static-quorum':
      // In a pool that has outgrown its quorum two sides could have one.
      return quorumNodes !== null && side.size >= quorumNodes && nodeCount < 2 * quorumNodes
    case 'keep-oldest':
      return oldest !== null && side.has(oldest)
    case 'lease-majority':
      return leaseHolder !== null && side.has(leaseHolder)
    case 'down-all':
      return false
    default:
      return never(policy)
  }
}

/** `sides`: those that count, islands left out. */
export function judgeSplit(
  rules: Pick<SplitBrainRules, 'policy' | 'quorumNodes'>,
  sides: readonly (readonly NodeId[])[],
  members: Members,
): Verdict {
  const lives = sides.findIndex((side) => mayGoOn(rules, new Set(side), members))
  const sizes = sides.map(({ length }) => length).join(' and ')
  const split = `the network is split into ${sizes} of ${members.nodeCount} nodes`
  if (lives < 0) return { lives: null, why: `${split} and ${NOBODY[rules.policy]}` }
  const side = `the side of ${sides[lives].length} nodes`
  return { lives, why: `${split}; ${side} goes on (${rules.policy})` }
}

const NOBODY: Readonly<Record<SplitBrainPolicy, string>> = {
  'keep-majority': 'no side has a majority',
  'static-quorum': 'no side has the quorum, or the pool has outgrown it',
  'keep-oldest': 'the oldest node is on no side',
  'lease-majority': 'no side holds the lease',
  'down-all': 'the policy lets no side go on',
}

/**
 * Who holds the lease after this node was heard. The order of the log makes it one holder's: the majority
 * may take it at once, others after `waitMs`; its side keeps it by being heard, also when it splits again.
 */
export function leaseAfter(
  lease: Lease | null,
  voice: NodeId,
  split: {
    readonly sideOf: ReadonlyMap<NodeId, number>
    readonly sizes: readonly number[]
    readonly nodeCount: number
    readonly stableAtMs: number
  },
  waitMs: number,
  nowMs: number,
): Lease | null {
  const { sideOf, sizes, nodeCount, stableAtMs } = split
  const side = sideOf.get(voice)
  if (side === undefined) return lease
  if (lease !== null && nowMs - lease.renewedAtMs <= waitMs) {
    return sideOf.get(lease.holder) === side ? { ...lease, renewedAtMs: nowMs } : lease
  }
  const isMajority = 2 * sizes[side] > nodeCount
  if (!isMajority && nowMs - stableAtMs < waitMs) return lease
  return { holder: voice, renewedAtMs: nowMs }
}
