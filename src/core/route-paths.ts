/** Ways from node to node over measured latency, as people see them. */
import type { NodeId, PoolId } from './ids.ts'

export interface RoutePath {
  /** From the first to the last. */
  readonly nodes: readonly NodeId[]
  /** There and back, over all links. */
  readonly latencyMs: number
}

export interface RoutePaths {
  readonly pool: PoolId
  readonly from: NodeId
  readonly to: NodeId
  /** Of the log, when they were worked out. */
  readonly atMs: number
  /** Null where no way is known over nodes that live. */
  readonly shortest: RoutePath | null
  /**
   * Two ways that share no node between the ends, or where there are none such no link: the pair that costs
   * least together, the faster one first. Null where a single failure of a link cuts them off.
   */
  readonly pair: {
    readonly disjoint: 'nodes' | 'links'
    readonly paths: readonly [RoutePath, RoutePath]
  } | null
}
