/** Disjoint sets by union by size with path halving (Tarjan and van Leeuwen, 1984). */

export class UnionFind {
  readonly #parents: Int32Array
  readonly #sizes: Int32Array

  constructor(count: number) {
    this.#parents = Int32Array.from({ length: count }, (_, index) => index)
    this.#sizes = new Int32Array(count).fill(1)
  }

  /** The name of the set; the same for all of its members until the next union. */
  find(member: number): number {
    const parents = this.#parents
    let at = member
    while (parents[at] !== at) {
      parents[at] = parents[parents[at]]
      at = parents[at]
    }
    return at
  }

  union(a: number, b: number): void {
    let [large, small] = [this.find(a), this.find(b)]
    if (large === small) return
    if (this.#sizes[large] < this.#sizes[small]) [large, small] = [small, large]
    this.#parents[small] = large
    this.#sizes[large] += this.#sizes[small]
  }
}
