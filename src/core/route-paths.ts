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

/** From the node of the record to one other. */
export interface PublishedRoute extends Pick<RoutePaths, 'shortest' | 'pair'> {
  readonly to: NodeId
}

/** Body of a record of the compacted topic `paths`, under `pathsKey`; a node that has left has none. */
export interface PublishedPaths {
  readonly pool: PoolId
  readonly from: NodeId
  /** As in commands: of the owner that wrote it. */
  readonly epoch: number
  readonly atMs: number
  /** In the order of names; nothing while the node is down, or reaches nobody. */
  readonly routes: readonly PublishedRoute[]
}

/** `POOL/NODE`; a slash in the name of the pool is written %2F, so that keys are never the same. */
export function pathsKey(pool: PoolId, node: NodeId): string {
  return `${pool.replaceAll('%', '%25').replaceAll('/', '%2F')}/${node}`
}
