/**
 * All ways of a pool's network at one time: from a node to every other, as `routesBetween` finds them for one pair,
 * with what the pairs of one source share worked out once.
 */
import type { NodeId } from '../../core/ids.ts'
import type { RoutePath } from '../../core/route-paths.ts'
import { arcsTo, type Digraph } from './digraph.ts'
import { DisjointPairs } from './disjoint-pairs.ts'
import type { Link } from './latencies.ts'
import {
  byLatency,
  enter,
  leave,
  LINK_MS_MIN,
  nodeOf,
  pathOf,
  plainGraph,
  type Routes,
  splitGraph,
} from './routes.ts'

export class RouteMap {
  /** Nodes with a link, in the order of their names. */
  readonly names: readonly NodeId[]
  readonly #indexOf: ReadonlyMap<NodeId, number>
  readonly #latencyMs = new Map<NodeId, Map<NodeId, number>>()
  readonly #plain: Digraph
  readonly #plainBack: Digraph
  readonly #split: Digraph
  readonly #splitBack: Digraph

  /** `links` between nodes that may be used. */
  constructor(links: readonly Link[]) {
    const usable = links.map((link) => {
      return { ...link, latencyMs: Math.max(LINK_MS_MIN, link.latencyMs) }
    })
    this.names = [...new Set(usable.flatMap(({ from, to }) => [from, to]))].sort()
    this.#indexOf = new Map(this.names.map((name, index) => [name, index]))
    for (const name of this.names) this.#latencyMs.set(name, new Map())
    for (const { from, to, latencyMs } of usable) {
      this.#latencyMs.get(from)!.set(to, latencyMs)
      this.#latencyMs.get(to)!.set(from, latencyMs)
    }
    this.#plain = plainGraph(usable, this.#indexOf)
    this.#plainBack = this.#plain.reversed()
    this.#split = splitGraph(usable, this.#indexOf)
    this.#splitBack = this.#split.reversed()
  }

  /** How long a way takes now, ms; null where one of its links is not there. */
  latencyMs({ nodes }: RoutePath): number | null {
    let sum = 0
    for (let i = 1; i < nodes.length; i++) {
      const ms = this.#latencyMs.get(nodes[i - 1])?.get(nodes[i])
      if (ms === undefined) return null
      sum += ms
    }
    return sum
  }

  /** To each node that is reached, in the order of names; nothing where the source has no link. */
  from(source: NodeId): ReadonlyMap<NodeId, Routes> {
    const routes = new Map<NodeId, Routes>()
    const from = this.#indexOf.get(source)
    if (from === undefined) return routes
    const plain = new DisjointPairs(this.#plain, this.#plainBack, from)
    const split = new DisjointPairs(this.#split, this.#splitBack, leave(from))
    for (const [to, name] of this.names.entries()) {
      const way = to === from ? null : arcsTo(this.#plain, plain.first, to)
      if (way === null) continue
      const shortest = pathOf(this.#plain, way, source, this.names)
      routes.set(name, { shortest, pair: this.#pairOf(plain, split, source, to) })
    }
    return routes
  }

  #pairOf(plain: DisjointPairs, split: DisjointPairs, source: NodeId, to: number): Routes['pair'] {
    const apart = split.to(enter(to))
    if (apart !== null) {
      const paths = apart.map((arcs) => pathOf(this.#split, arcs, source, this.names, nodeOf))
      return { disjoint: 'nodes', paths: byLatency(paths) }
    }
    const sharing = plain.to(to)
    if (sharing === null) return null
    const paths = sharing.map((arcs) => pathOf(this.#plain, arcs, source, this.names))
    return { disjoint: 'links', paths: byLatency(paths) }
  }
}
