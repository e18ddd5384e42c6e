/** What the benchmarks use of the npm package, which brings no types. */
declare module 'hashring' {
  class HashRing {
    constructor(
      nodes: Readonly<Record<string, { readonly vnodes: number }>>,
      algorithm: string,
      options: Readonly<Record<string, number>>,
    )
    get(key: string): string
    add(nodes: Readonly<Record<string, { readonly vnodes: number }>>): this
    remove(node: string): this
  }
  export = HashRing
}
