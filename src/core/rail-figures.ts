/** How full the rails of a pool are, for metrics. */
import type { Rail } from './command.ts'
import type { PoolId } from './ids.ts'
import type { ResyncFigures } from './resync.ts'

export interface RailFigures {
  readonly pool: PoolId
  /** Incidents that a rail refuses now, by rail; rails that refuse nothing are left out. */
  readonly refused: ReadonlyMap<Rail, number>
  /** Nodes in repair before a failure, and how many may be. */
  readonly budgetNodes: number
  readonly budgetNodesMax: number
  /** Largest share of a zone's nodes that alarm, 0..1, and the share from which preemptive work waits there. */
  readonly zoneAlarmingRatio: number
  readonly zoneAlarmingRatioMax: number
  readonly commandsInFlight: number
  readonly stopped: boolean
  readonly emergency: boolean
  /** Share of the nodes that is silent, has failed or is critical, and the share that is an emergency, 0..1. */
  readonly failingRatio: number
  readonly failingRatioMax: number
  /** False while no side of a split network goes on: the pool only advises. */
  readonly hasQuorum: boolean
  /** Nodes of sides that do not go on, and those not let back yet. */
  readonly pausedNodes: number
  /** Of the last split network; null where there was none. */
  readonly resync: ResyncFigures | null
}
