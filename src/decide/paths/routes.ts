/**
 * The shortest way from node to node over measured links, and two ways that do not fail together. Pure:
 * worked out from the links and the nodes that live at the time of the question.
 *
 * Ways that share no node are found by splitting each node into where it is entered and where it is left,
 * with one arc between: who uses the node uses the arc.
 */
import type { NodeId } from '../../core/ids.ts'
import type { RoutePath, RoutePaths } from '../../core/route-paths.ts'
import { type Arc, arcsTo, Digraph, search } from './digraph.ts'
import { disjointPair } from './disjoint.ts'
import type { Link } from './latencies.ts'

/** A link costs at least this, ms: what costs nothing could be walked in circles. */
export const LINK_MS_MIN = 0.001

export type Routes = Pick<RoutePaths, 'shortest' | 'pair'>

/** `isUp`: whether a node passes on what is not its own; ends are used whatever it says. */
export function routesBetween(
  links: readonly Link[],
  from: NodeId,
  to: NodeId,
  isUp: (node: NodeId) => boolean,
): Routes {
  const isUsable = (node: NodeId) => node === from || node === to || isUp(node)
  const usable = links.flatMap((link) => {
    const latencyMs = Math.max(LINK_MS_MIN, link.latencyMs)
    return isUsable(link.from) && isUsable(link.to) ? [{ ...link, latencyMs }] : []
  })
  const names = [...new Set([from, to, ...usable.flatMap((link) => [link.from, link.to])])].sort()
  const indexOf = new Map(names.map((name, index) => [name, index]))
  const ends = [indexOf.get(from)!, indexOf.get(to)!] as const
  const plain = plainGraph(usable, indexOf)
  const way = arcsTo(plain, search(plain, ends[0]), ends[1])
  if (way === null || from === to) return { shortest: null, pair: null }
  const shortest = pathOf(plain, way, from, names)
  const split = splitGraph(usable, indexOf)
  const apart = disjointPair(split, leave(ends[0]), enter(ends[1]))
  if (apart !== null) {
    const paths = apart.map((arcs) => pathOf(split, arcs, from, names, nodeOf))
    return { shortest, pair: { disjoint: 'nodes', paths: byLatency(paths) } }
  }
  const sharing = disjointPair(plain, ...ends)
  if (sharing === null) return { shortest, pair: null }
  const paths = sharing.map((arcs) => pathOf(plain, arcs, from, names))
  return { shortest, pair: { disjoint: 'links', paths: byLatency(paths) } }
}

export const enter = (node: number): number => 2 * node
export const leave = (node: number): number => 2 * node + 1
export const nodeOf = (vertex: number): number => vertex >> 1

export function plainGraph(links: readonly Link[], indexOf: ReadonlyMap<NodeId, number>): Digraph {
  const arcs = links.flatMap(({ from, to, latencyMs: cost }): Arc[] => {
    const [a, b] = [indexOf.get(from)!, indexOf.get(to)!]
    return [
      { from: a, to: b, cost },
      { from: b, to: a, cost },
    ]
  })
  return new Digraph(indexOf.size, arcs)
}

export function splitGraph(links: readonly Link[], indexOf: ReadonlyMap<NodeId, number>): Digraph {
  const through = [...indexOf.values()].map((v): Arc => ({ from: enter(v), to: leave(v), cost: 0 }))
  const arcs = links.flatMap(({ from, to, latencyMs: cost }): Arc[] => {
    const [a, b] = [indexOf.get(from)!, indexOf.get(to)!]
    return [
      { from: leave(a), to: enter(b), cost },
      { from: leave(b), to: enter(a), cost },
    ]
  })
  return new Digraph(2 * indexOf.size, [...through, ...arcs])
}

export function pathOf(
  graph: Digraph,
  arcs: readonly number[],
  from: NodeId,
  names: readonly NodeId[],
  nameOf: (vertex: number) => number = (vertex) => vertex,
): RoutePath {
  const nodes = [from]
  let latencyMs = 0
  for (const index of arcs) {
    const { to, cost } = graph.arcs[index]
    const name = names[nameOf(to)]
    latencyMs += cost
    if (name !== nodes.at(-1)) nodes.push(name)
  }
  return { nodes, latencyMs }
}

export function byLatency([a, b]: readonly RoutePath[]): readonly [RoutePath, RoutePath] {
  return a.latencyMs <= b.latencyMs ? [a, b] : [b, a]
}
