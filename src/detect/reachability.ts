/**
 * Who reaches whom, from the newest report of each node, and the sides that follow from it.
 *
 * Two nodes are connected where one says that it reaches the other and the other does not deny it: a
 * link that works one way only is no link, and a liar can cut off nobody but itself.
 */
import type { ReachabilityReport } from '../core/evidence.ts'
import type { NodeId } from '../core/ids.ts'
import { UnionFind } from './union-find.ts'

/** Nodes of a pool that are followed; reports of further ones are counted and left out. */
export const NODES_MAX = 65_536
/** Holes in the list of names before it is closed up. */
const HOLES_MAX = 1_024

export interface Sides {
  /** Nodes that have reported at some time, or are reached; names that nobody reaches are hearsay. */
  readonly nodeCount: number
  /** Members of each side, the largest side first; ties by the first name. */
  readonly sides: readonly (readonly NodeId[])[]
}

interface Report {
  readonly atMs: number
  readonly heardAtMs: number
  readonly reachable: Uint32Array
  readonly unreachable: Uint32Array
}

export class Reachability {
  readonly #indexOf = new Map<NodeId, number>()
  /** A name that is gone leaves a hole, because reports of others may still name its index. */
  #names: (NodeId | undefined)[] = []
  #reports = new Map<number, Report>()
  #leftOutCount = 0

  get leftOutCount(): number {
    return this.#leftOutCount
  }

  get reportCount(): number {
    return this.#reports.size
  }

  /** Only the newest report of a node counts, whatever the order in which they come. */
  take({ node, atMs, reachable, unreachable }: ReachabilityReport, nowMs: number): void {
    const index = this.#intern(node)
    if (index === undefined) return
    const before = this.#reports.get(index)
    if (before !== undefined && before.atMs >= atMs) return
    this.#reports.set(index, {
      atMs,
      heardAtMs: nowMs,
      reachable: this.#internAll(reachable),
      unreachable: this.#internAll(unreachable),
    })
  }

  forget(node: NodeId): void {
    const index = this.#indexOf.get(node)
    if (index === undefined) return
    this.#indexOf.delete(node)
    this.#names[index] = undefined
    this.#reports.delete(index)
    if (this.#names.length > 2 * this.#indexOf.size + HOLES_MAX) this.#close()
  }

  /** Of the reports heard within `freshMs`. */
  sides(nowMs: number, freshMs: number): Sides {
    const count = this.#names.length
    const sets = new UnionFind(count)
    const isHeard = new Uint8Array(count)
    const fresh = [...this.#reports].filter(([, { heardAtMs }]) => nowMs - heardAtMs <= freshMs)
    const denied = new Set<number>()
    for (const [index, { unreachable }] of fresh) {
      isHeard[index] = 1
      for (const peer of unreachable) denied.add(index * count + peer)
    }
    for (const [index, { reachable }] of fresh) {
      for (const peer of reachable) {
        if (this.#names[peer] === undefined || denied.has(peer * count + index)) continue
        isHeard[peer] = 1
        sets.union(index, peer)
      }
    }
    const members = new Map<number, NodeId[]>()
    for (let index = 0; index < count; index++) {
      const name = this.#names[index]
      if (name === undefined || isHeard[index] === 0) continue
      const root = sets.find(index)
      const list = members.get(root)
      if (list === undefined) members.set(root, [name])
      else list.push(name)
    }
    const sides = [...members.values()]
    for (const side of sides) side.sort()
    sides.sort((a, b) => b.length - a.length || (a[0] < b[0] ? -1 : 1))
    for (const index of this.#reports.keys()) isHeard[index] = 1
    return { nodeCount: isHeard.reduce((sum, heard) => sum + heard, 0), sides }
  }

  /** Half of these nodes at least have reported after then: what died then has not. */
  spokeSince(side: readonly NodeId[], sinceMs: number): boolean {
    const spoken = side.filter((node) => {
      const report = this.#reports.get(this.#indexOf.get(node) ?? -1)
      return report !== undefined && report.heardAtMs > sinceMs
    })
    return 2 * spoken.length >= side.length
  }

  /** Names move up over the holes. */
  #close(): void {
    const moved = new Map<number, number>()
    const names = this.#names.filter((name, index) => {
      if (name !== undefined) moved.set(index, moved.size)
      return name !== undefined
    })
    const follow = (peers: Uint32Array) =>
      Uint32Array.from([...peers].flatMap((peer) => moved.get(peer) ?? []))
    this.#reports = new Map(
      [...this.#reports].map(([index, report]) => [
        moved.get(index)!,
        {
          ...report,
          reachable: follow(report.reachable),
          unreachable: follow(report.unreachable),
        },
      ]),
    )
    this.#names = names
    for (const [index, name] of names.entries()) this.#indexOf.set(name, index)
  }

  #internAll(nodes: readonly NodeId[]): Uint32Array {
    return Uint32Array.from(nodes.flatMap((node) => this.#intern(node) ?? []))
  }

  #intern(node: NodeId): number | undefined {
    const known = this.#indexOf.get(node)
    if (known !== undefined) return known
    if (this.#indexOf.size === NODES_MAX) {
      this.#leftOutCount++
      return undefined
    }
    const index = this.#names.length
    this.#indexOf.set(node, index)
    this.#names[index] = node
    return index
  }
}
