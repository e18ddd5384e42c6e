/**
 * Two ways that share no arc, the cheapest pair of them together (Suurballe and Tarjan 1984,
 * https://doi.org/10.1002/net.3230140209).
 *
 * The first way is the shortest. Arcs are then counted by what they cost beyond it, which is never less than
 * nothing, and the first way may be walked backwards for free: the second search so finds where the first way has
 * to give way. What both walk in opposite directions falls out.
 */
import { type Arc, arcsTo, Digraph, search } from './digraph.ts'

/** Arcs of each way, in their order; null where there are no two such ways. */
export function disjointPair(
  graph: Digraph,
  source: number,
  target: number,
): readonly [readonly number[], readonly number[]] | null {
  if (source === target) return null
  const first = search(graph, source)
  const shortest = arcsTo(graph, first, target)
  if (shortest === null) return null
  const onShortest = new Set(shortest)
  const next = new Map(shortest.map((index) => [graph.arcs[index].from, graph.arcs[index].to]))
  const arcs: Arc[] = []
  /** Of the residual arcs: the arc that it is, or the one that it walks backwards, as ~index. */
  const meaning: number[] = []
  for (const [index, { from, to, cost }] of graph.arcs.entries()) {
    if (first.cost[from] === Number.POSITIVE_INFINITY) continue
    if (onShortest.has(index)) {
      arcs.push({ from: to, to: from, cost: 0 })
      meaning.push(~index)
    } else if (next.get(to) !== from) {
      // The other direction of a link on the first way is that link. Rounding may leave a hair less than nothing.
      const beyond = Math.max(0, cost + first.cost[from] - first.cost[to])
      arcs.push({ from, to, cost: beyond })
      meaning.push(index)
    }
  }
  const residual = new Digraph(graph.vertexCount, arcs)
  const second = arcsTo(residual, search(residual, source), target)
  if (second === null) return null
  const used = new Set(shortest)
  for (const index of second) {
    const means = meaning[index]
    if (means < 0) used.delete(~means)
    else used.add(means)
  }
  return [walk(graph, used, source, target), walk(graph, used, source, target)]
}

/** Takes one way out of the arcs that are used. */
function walk(graph: Digraph, used: Set<number>, source: number, target: number): number[] {
  const way: number[] = []
  for (let vertex = source; vertex !== target;) {
    const next = [...graph.arcsOf(vertex)].find((index) => used.has(index))
    if (next === undefined) throw new Error('bug: a way of a pair has no next arc')
    used.delete(next)
    way.push(next)
    vertex = graph.arcs[next].to
  }
  return way
}
