/** What a node is to its pool's map of shards: a member with a weight, or one that is gone and why. */
import type { Capacity } from '../core/node.ts'
import { type RingMember, WEIGHT_MAX } from '../core/ring.ts'
import { isAchieved } from '../recover/step.ts'
import type { NodeState } from './node-state.ts'
import type { NodeChange } from './shard-map.ts'

/** CPUs of a node of weight 1. */
const CPUS_PER_WEIGHT = 8
const WEIGHT_MIN = 1 / CPUS_PER_WEIGHT

/**
 * What the map should know of a node. It holds shards until it left, is confirmed failed, or was
 * fenced while silent: a shard gets no second owner while the first may still serve it. A vetoed node
 * keeps them whatever happens, because nobody may act on it. Cordoned or vetoed, it takes no others; while
 * it returns in part it counts with that share of its weight. `known` is what the map has it as: while an
 * incident is open, as after a relapse, it is given no more than that.
 */
export function changeOf(node: NodeState, known: RingMember | undefined): NodeChange {
  const { id, zone, capacity, vetoed, cordonedBy, failedAtMs, returning, incident } = node
  if (vetoed === null && failedAtMs !== null) {
    return { node: id, member: null, reason: 'node-failed' }
  }
  if (vetoed === null && isFenced(node)) return { node: id, member: null, reason: 'node-fenced' }
  const takes = vetoed === null && cordonedBy === null
  const whole = takes ? weightOf(capacity) * (returning?.share ?? 1) : 0
  const weight = incident === null ? whole : Math.min(whole, known?.weight ?? whole)
  return { node: id, member: { node: id, weight, zone } }
}

function isFenced({ incident }: NodeState): boolean {
  if (incident === null || incident.cause !== 'silent') return false
  const fence = incident.steps.get('fence')
  return fence !== undefined && fence.state !== 'rehearsed' && isAchieved(fence)
}

/** By CPUs; a node that did not say what it has counts as one of weight 1. */
function weightOf(capacity: Capacity | null): number {
  if (capacity === null || capacity.cpu <= 0) return 1
  return Math.min(WEIGHT_MAX, Math.max(WEIGHT_MIN, capacity.cpu / CPUS_PER_WEIGHT))
}
