/**
 * To every vertex at once: the cheapest two ways from one source that share no arc (Suurballe and Tarjan 1984,
 * https://doi.org/10.1002/net.3230140209).
 *
 * Arcs are counted by what they cost beyond the shortest way, so those of the tree of shortest ways cost nothing.
 * Vertices are labelled in the order of what their second way costs; a vertex that is labelled cuts its part of
 * the tree into pieces, and each arc from one piece to another may be how the second way gets there. Pieces are as
 * deep as the tree, so all vertices cost about as much as a few searches, where asking for each costs one search each.
 */
import { type Digraph, Heap, search, type Search } from './digraph.ts'

const LABELLED = -1

export class DisjointPairs {
  readonly #graph: Digraph
  readonly #source: number
  readonly #first: Search
  /** Beyond the shortest way; infinite where there is no second one. */
  readonly #cost: Float64Array
  /** The vertex by whose label the second way came, and the arc on which it came. */
  readonly #via: Int32Array
  readonly #arc: Int32Array

  /** `backwards`: the same arcs, each turned round. */
  constructor(graph: Digraph, backwards: Digraph, source: number) {
    const { vertexCount } = graph
    this.#graph = graph
    this.#source = source
    this.#first = search(graph, source)
    this.#cost = new Float64Array(vertexCount).fill(Number.POSITIVE_INFINITY)
    this.#via = new Int32Array(vertexCount).fill(-1)
    this.#arc = new Int32Array(vertexCount).fill(-1)
    this.#label(backwards)
  }

  get first(): Search {
    return this.#first
  }

  /** Arcs of each way, in their order; null where there are no two such ways. */
  to(target: number): readonly [readonly number[], readonly number[]] | null {
    if (target === this.#source || this.#cost[target] === Number.POSITIVE_INFINITY) return null
    const marked = new Set<number>()
    for (let v = target; v !== this.#source; v = this.#via[v]) marked.add(v)
    return [this.#back(target, marked), this.#back(target, marked)]
  }

  /** From the target to the source; each mark is used by one of the two ways. */
  #back(target: number, marked: Set<number>): number[] {
    const way: number[] = []
    for (let v = target; v !== this.#source;) {
      const arc = marked.delete(v) ? this.#arc[v] : this.#first.arc[v]
      way.push(arc)
      v = this.#graph.arcs[arc].from
    }
    return way.toReversed()
  }

  #label(backwards: Digraph): void {
    const { arcs, vertexCount } = this.#graph
    const children = this.#children()
    /** Of each vertex: its piece of the tree. */
    const piece = new Int32Array(vertexCount)
    let pieceCount = 1
    const heap = new Heap()
    this.#cost[this.#source] = 0
    heap.push(0, this.#source)
    for (let v = heap.pop(); v !== -1; v = heap.pop()) {
      if (piece[v] === LABELLED) continue
      const whole = piece[v]
      const firstNew = pieceCount
      piece[v] = LABELLED
      // What hangs below it is a piece for each child; what is above keeps its number.
      const moved: number[] = []
      for (const child of children[v] ?? []) {
        if (piece[child] !== whole) continue
        const id = pieceCount++
        const from = moved.length
        moved.push(child)
        piece[child] = id
        for (let i = from; i < moved.length; i++) {
          for (const below of children[moved[i]] ?? []) {
            if (piece[below] !== whole) continue
            piece[below] = id
            moved.push(below)
          }
        }
      }
      const wasWhole = (w: number) => piece[w] === whole || piece[w] >= firstNew
      const relax = (arc: number) => this.#relax(arc, v, heap)
      for (const arc of this.#graph.arcsOf(v)) if (wasWhole(arcs[arc].to)) relax(arc)
      for (const x of moved) {
        for (const arc of this.#graph.arcsOf(x)) {
          const { to } = arcs[arc]
          if (wasWhole(to) && piece[to] !== piece[x]) relax(arc)
        }
        for (const arc of backwards.arcsOf(x)) if (piece[arcs[arc].from] === whole) relax(arc)
      }
    }
  }

  #relax(index: number, label: number, heap: Heap): void {
    const { from, to, cost } = this.#graph.arcs[index]
    const { cost: shortest, arc } = this.#first
    if (arc[to] === index || shortest[from] === Number.POSITIVE_INFINITY) return
    // Rounding may leave a hair less than nothing.
    const beyond = Math.max(0, cost + shortest[from] - shortest[to])
    const next = this.#cost[label] + beyond
    if (next >= this.#cost[to]) return
    this.#cost[to] = next
    this.#via[to] = label
    this.#arc[to] = index
    heap.push(next, to)
  }

  #children(): readonly (readonly number[] | undefined)[] {
    const children: number[][] = []
    for (const [to, index] of this.#first.arc.entries()) {
      if (index === -1) continue
      const { from } = this.#graph.arcs[index]
      ;(children[from] ??= []).push(to)
    }
    return children
  }
}
