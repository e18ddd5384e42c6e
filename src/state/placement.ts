/** Where keys are on a ring, and what is asked of a plan of moves and answered. */
import { ServiceError } from '../core/errors.ts'
import { NOBODY, REPLICAS_MAX, type RingKeys, type RingMember } from '../core/ring.ts'
import { ringCapacities, type RingMove } from '../core/ring-plan.ts'

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

/** Replicas of each node, by its index. */
export function loadsOf({ owners }: Placement, nodeCount: number): Uint32Array {
  const loads = new Uint32Array(nodeCount)
  for (const owner of owners) if (owner !== NOBODY) loads[owner]++
  return loads
}

/** What each node may hold. @param weights by index; null: the node has left. */
export function capacitiesOf(
  placement: Placement,
  weights: readonly (number | null)[],
  bound: number,
  idle: PlanOptions['idle'],
): Uint32Array {
  const { keys, replicaCount } = placement
  const keyCount = keys.offsets.length - 1
  const shares = weights.map((weight) => weight ?? 0)
  if (idle !== 'keep') return ringCapacities(shares, keyCount, replicaCount, bound)
  const loads = loadsOf(placement, weights.length)
  const kept = loads.map((load, index) => (weights[index] === 0 ? load : 0))
  const capacities = ringCapacities(shares, keyCount, replicaCount, bound, kept)
  return capacities.map((capacity, index) => Math.max(capacity, kept[index]))
}

/** @param words three a move, as the kernel writes them. */
export function movesOf(words: Uint32Array): readonly RingMove[] {
  return Array.from({ length: words.length / 3 }, (_, i) => ({
    slot: words[i * 3],
    from: words[i * 3 + 1],
    to: words[i * 3 + 2],
  }))
}
