/** Which side of a partitioned network goes on: the rules of a pool. */

/**
 * `keep-majority`: the side with more than half of the nodes. `static-quorum`: the side with at least so
 * many nodes. `keep-oldest`: the side with the node that was there first. `lease-majority`: the side that
 * takes the lease, which the majority may take first. `down-all`: none.
 */
export const SPLIT_BRAIN_POLICIES = [
  'keep-majority',
  'static-quorum',
  'keep-oldest',
  'lease-majority',
  'down-all',
] as const
export type SplitBrainPolicy = (typeof SPLIT_BRAIN_POLICIES)[number]

/** Which of two placements of a workload holds: the one written last, or that of the side that went on. */
export const MERGE_POLICIES = ['last-writer', 'majority'] as const
export type MergePolicy = (typeof MERGE_POLICIES)[number]
export const DEFAULT_MERGE: MergePolicy = 'last-writer'

export interface SplitBrainRules {
  readonly policy: SplitBrainPolicy
  /** The sides must have been the same for so long, ms. */
  readonly stableAfterMs: number
  /** Of `static-quorum`; null for the others. */
  readonly quorumNodes: number | null
  /** Of `lease-majority`: so long only the majority may take the lease, and so long it lasts unrenewed, ms. */
  readonly leaseWaitMs: number
  /** The other sides' nodes are left alone, or fenced so that their work starts on the side that goes on. */
  readonly minority: 'pause' | 'fence'
  /** Once the network is whole, the next nodes are let back after so long, ms; a budget of them at once. */
  readonly resumeEveryMs: number
  readonly merge: MergePolicy
}
