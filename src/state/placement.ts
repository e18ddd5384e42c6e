/** Where keys are on a ring, and what is asked of a plan of moves and answered. */
import { ServiceError } from '../core/errors.ts'
import { REPLICAS_MAX, type RingKeys, type RingMember } from '../core/ring.ts'
import type { RingMove } from '../core/ring-plan.ts'

/** Replicas of all keys of one placement. */
export const SLOTS_MAX = 1 << 25

/** Where every replica of a batch of keys is: `owners[key × replicaCount + i]`, or NOBODY. */
export interface Placement {
  readonly keys: RingKeys
  readonly replicaCount: number
  readonly owners: Uint32Array
}

export interface RingChange {
  readonly join?: readonly RingMember[]
  readonly leave?: readonly string[]
  /** Other weights or zones of members. */
  readonly change?: readonly RingMember[]
}

export interface PlanOptions {
  /** No node takes more than this share of its fair load. */
  readonly bound?: number
  /** Moves at most; what is left over is deferred, and a next plan without a change goes on with it. */
  readonly movesMax?: number
  /** `keep`: members of weight 0 take nothing new and keep what they hold. */
  readonly idle?: 'drain' | 'keep'
  /** What `replicas` said before an earlier change, whose deferred moves this plan goes on with. */
  readonly before?: Uint32Array
}

export interface RingPlan {
  readonly moves: readonly RingMove[]
  readonly placement: Placement
  /** Moves that the budget put off. */
  readonly deferredCount: number
  /** Replicas for which no node has room. */
  readonly unplacedCount: number
  /** Replicas held beyond the bound, because of the budget or because moving them costs the spread. */
  readonly excessCount: number
}

/** ServiceError INPUT_INVALID or TABLE_FULL where a placement cannot be that large. */
export function checkReplicas({ offsets }: RingKeys, replicaCount: number): void {
  if (!Number.isInteger(replicaCount) || replicaCount < 1 || replicaCount > REPLICAS_MAX) {
    throw new ServiceError(
      'INPUT_INVALID',
      `${replicaCount} replicas: a whole number from 1 to ${REPLICAS_MAX}`,
    )
  }
  if ((offsets.length - 1) * replicaCount > SLOTS_MAX) {
    throw new ServiceError('TABLE_FULL', `more than ${SLOTS_MAX} replicas in one placement`)
  }
}
