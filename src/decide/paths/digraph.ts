/**
 * Arcs with costs, and the cheapest way through them: Dijkstra's algorithm with a binary heap (1959).
 * Arcs of a vertex lie side by side, so that a search allocates by the vertex and not by the arc.
 */

export interface Arc {
  readonly from: number
  readonly to: number
  /** 0 or more. */
  readonly cost: number
}

export class Digraph {
  readonly vertexCount: number
  readonly arcs: readonly Arc[]
  /** Indices of the arcs of vertex v: from `#first[v]` to before `#first[v + 1]`. */
  readonly #first: Uint32Array
  readonly #order: Uint32Array

  constructor(vertexCount: number, arcs: readonly Arc[]) {
    this.vertexCount = vertexCount
    this.arcs = arcs
    this.#first = new Uint32Array(vertexCount + 1)
    for (const { from } of arcs) this.#first[from + 1]++
    for (let v = 0; v < vertexCount; v++) this.#first[v + 1] += this.#first[v]
    const next = this.#first.slice()
    this.#order = new Uint32Array(arcs.length)
    for (const [index, { from }] of arcs.entries()) this.#order[next[from]++] = index
  }

  /** Each arc turned round, under its own index. */
  reversed(): Digraph {
    const turned = this.arcs.map(({ from, to, cost }) => ({ from: to, to: from, cost }))
    return new Digraph(this.vertexCount, turned)
  }

  /** Their indices: a view, not a copy. */
  arcsOf(vertex: number): Uint32Array {
    return this.#order.subarray(this.#first[vertex], this.#first[vertex + 1])
  }
}

/** From one vertex to all others. */
export interface Search {
  /** Infinite where there is no way. */
  readonly cost: Float64Array
  /** The arc by which each vertex is reached; -1 where there is none. */
  readonly arc: Int32Array
}

/** `costOf`: of an arc, in place of its own; it must be 0 or more. */
export function search(
  graph: Digraph,
  source: number,
  costOf: (index: number) => number = (index) => graph.arcs[index].cost,
): Search {
  const cost = new Float64Array(graph.vertexCount).fill(Number.POSITIVE_INFINITY)
  const arc = new Int32Array(graph.vertexCount).fill(-1)
  const done = new Uint8Array(graph.vertexCount)
  const heap = new Heap()
  cost[source] = 0
  heap.push(0, source)
  for (let vertex = heap.pop(); vertex !== -1; vertex = heap.pop()) {
    if (done[vertex] === 1) continue
    done[vertex] = 1
    for (const index of graph.arcsOf(vertex)) {
      const { to } = graph.arcs[index]
      const next = cost[vertex] + costOf(index)
      if (next >= cost[to]) continue
      cost[to] = next
      arc[to] = index
      heap.push(next, to)
    }
  }
  return { cost, arc }
}

/** Arcs from the source of the search to the vertex, in their order; null where there is no way. */
export function arcsTo(graph: Digraph, { arc, cost }: Search, target: number): number[] | null {
  if (cost[target] === Number.POSITIVE_INFINITY) return null
  const arcs: number[] = []
  for (let index = arc[target]; index !== -1; index = arc[graph.arcs[index].from]) arcs.push(index)
  return arcs.toReversed()
}

/** Least key first; ties by the lower vertex, so that equal ways are chosen alike everywhere. */
export class Heap {
  readonly #keys: number[] = []
  readonly #vertices: number[] = []

  push(key: number, vertex: number): void {
    const [keys, vertices] = [this.#keys, this.#vertices]
    let at = keys.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(key, vertex, keys[parent], vertices[parent])) break
      keys[at] = keys[parent]
      vertices[at] = vertices[parent]
      at = parent
    }
    keys[at] = key
    vertices[at] = vertex
  }

  /** -1: it is empty. */
  pop(): number {
    const [keys, vertices] = [this.#keys, this.#vertices]
    if (keys.length === 0) return -1
    const first = vertices[0]
    const [key, vertex] = [keys.pop()!, vertices.pop()!]
    if (keys.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= keys.length) break
      const right = child + 1
      if (
        right < keys.length &&
        isBefore(keys[right], vertices[right], keys[child], vertices[child])
      ) {
        child = right
      }
      if (!isBefore(keys[child], vertices[child], key, vertex)) break
      keys[at] = keys[child]
      vertices[at] = vertices[child]
      at = child
    }
    keys[at] = key
    vertices[at] = vertex
    return first
  }
}

function isBefore(key: number, vertex: number, otherKey: number, otherVertex: number): boolean {
  return key < otherKey || (key === otherKey && vertex < otherVertex)
}
