/** What a pool's network means for decisions, and what people are told of it. */
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NetworkFigures, NetworkView } from '../core/network.ts'
import type { Held } from '../decide/admission.ts'
import type { AttackLog } from '../detect/attack-log.ts'

/**
 * The side without majority is left alone until the network has stayed whole for a while. Where no side
 * has a majority nobody can tell who should take over, so recovery waits as well.
 */
export function networkHold(view: NetworkView, node: NodeId): Held | null {
  if (view.state === 'NORMAL' || !view.isCutOff(node)) return null
  const sides = view.episodes.at(-1)?.sides.join(' and ') ?? ''
  if (!view.hasMajority && view.state === 'PARTITIONED') {
    const reason = `the network is partitioned into ${sides} nodes and no side has a majority`
    return { rail: 'shared-cause', reason, lanes: 'preemptive and recovery' }
  }
  const what = view.state === 'PARTITIONED' ? 'is on the minority side' : 'comes back from the side'
  const reason = `node ${node} ${what} of a network partition (${sides} nodes)`
  return { rail: 'shared-cause', reason, lanes: 'preemptive' }
}

/** Empty where nothing watches the network and no attack was seen. */
export function networkFigures(
  pool: PoolId,
  view: NetworkView | null,
  attacks: AttackLog,
): readonly NetworkFigures[] {
  if (view === null && attacks.episodes.length === 0) return []
  return [
    {
      pool,
      state: attacks.isUnderAttack ? 'UNDER_ATTACK' : (view?.state ?? 'NORMAL'),
      hasMajority: view?.hasMajority ?? true,
      partitions: view?.episodes ?? [],
      partitionCount: view?.partitionCount ?? 0,
      partitionedMs: view?.partitionedMs ?? 0,
      longestPartitionMs: view?.longestPartitionMs ?? 0,
      attacks: attacks.episodes,
      attackCounts: attacks.counts,
    },
  ]
}
