/** How full the rails of the pools are. Read at a scrape: nothing of it walks over nodes. */
import type { Rail } from '../core/command.ts'
import type { PoolId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import type { RailFigures } from '../core/rail-figures.ts'
import { budgetNodesMax } from '../decide/admission.ts'
import type { FailingCount } from '../decide/emergency.ts'
import { failingOf } from './coordinator-emergency.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import { EVERY_RAIL } from './coordinator-state.ts'

export function railFigures(
  state: CoordinatorState,
  policyFor: (pool: PoolState) => Policy,
  splitOf: (pool: PoolId) => Pick<RailFigures, 'hasQuorum' | 'pausedNodes' | 'resync'>,
): readonly RailFigures[] {
  return [...state.pools.values()].map((pool) => {
    const policy = policyFor(pool)
    return {
      pool: pool.id,
      refused: refusedBy(pool),
      budgetNodes: pool.repairs.count('preemptive'),
      budgetNodesMax: budgetNodesMax(policy, pool.activeNodeCount),
      zoneAlarmingRatio: worstZone(pool, policy),
      zoneAlarmingRatioMax: policy.sharedCauseRatio,
      commandsInFlight: pool.flights.size,
      stopped: pool.stopped !== null,
      emergency: pool.emergency.standing !== null,
      failingRatio: ratioOf(failingOf(state, pool)),
      failingRatioMax: policy.emergency.enterRatio,
      ...splitOf(pool.id),
    }
  })
}

function ratioOf({ failingCount, nodeCount }: FailingCount): number {
  return nodeCount === 0 ? 0 : failingCount / nodeCount
}

function refusedBy({ incidents }: PoolState): ReadonlyMap<Rail, number> {
  const counts = EVERY_RAIL.map((rail) => [rail, incidents.refusedCount(rail)] as const)
  return new Map(counts.filter(([, count]) => count > 0))
}

/** Of zones that are large enough to have a shared cause. */
function worstZone({ zones }: PoolState, { sharedCauseNodesMin }: Policy): number {
  let worst = 0
  for (const { nodeCount, alarmingCount } of zones.values()) {
    if (nodeCount >= sharedCauseNodesMin) worst = Math.max(worst, alarmingCount / nodeCount)
  }
  return worst
}
