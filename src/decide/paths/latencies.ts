/**
 * How long it takes from node to node of one pool, as the nodes themselves measured it. A link is there
 * while one of both has measured it lately and neither says that it does not reach the other.
 */
import type { ReachabilityReport } from '../../core/evidence.ts'
import type { NodeId } from '../../core/ids.ts'

/** Nodes of a pool whose measurements are kept; reports of further ones are counted and left out. */
export const LATENCY_NODES_MAX = 4_096
/** Measurements kept for a pool, 256 nodes that all measure each other; what comes beyond is left out. */
export const LATENCIES_MAX = 65_536
/** Older ones say nothing of now. */
const FRESH_MS = 300_000
/** A new measurement moves the kept one by this share, so that one slow answer moves no route. */
const NEWEST_WEIGHT = 0.25

interface Measured {
  readonly atMs: number
  readonly heardAtMs: number
  readonly latencyMs: ReadonlyMap<NodeId, number>
  readonly unreachable: ReadonlySet<NodeId>
}

export interface Link {
  readonly from: NodeId
  readonly to: NodeId
  /** There and back; the mean where both have measured it. */
  readonly latencyMs: number
}

export class Latencies {
  readonly #nodes = new Map<NodeId, Measured>()
  #count = 0
  #leftOutCount = 0

  /** Measurements kept. */
  get count(): number {
    return this.#count
  }

  /** Reports that there was no room for. */
  get leftOutCount(): number {
    return this.#leftOutCount
  }

  /** Of a node only the newest report counts, whatever the order in which they come. */
  take(report: ReachabilityReport, nowMs: number): void {
    const { node, atMs, reachable, unreachable, latenciesMs } = report
    const before = this.#nodes.get(node)
    if (before === undefined && latenciesMs === undefined) return
    if (before !== undefined && before.atMs >= atMs) return
    const latencyMs = new Map<NodeId, number>()
    for (const [i, peer] of reachable.entries()) {
      const newest = latenciesMs?.[i] ?? null
      if (newest === null || peer === node) continue
      const kept = before === undefined ? undefined : before.latencyMs.get(peer)
      latencyMs.set(peer, kept === undefined ? newest : kept + NEWEST_WEIGHT * (newest - kept))
    }
    this.forget(node)
    if (this.#nodes.size === LATENCY_NODES_MAX || this.#count + latencyMs.size > LATENCIES_MAX) {
      this.#leftOutCount++
      return
    }
    this.#nodes.set(node, {
      atMs,
      heardAtMs: nowMs,
      latencyMs,
      unreachable: new Set(unreachable),
    })
    this.#count += latencyMs.size
  }

  forget(node: NodeId): void {
    this.#count -= this.#nodes.get(node)?.latencyMs.size ?? 0
    this.#nodes.delete(node)
  }

  /** Null where neither has measured it lately, or one of them says that it is cut. */
  between(a: NodeId, b: NodeId, nowMs: number): number | null {
    const [there, back] = [this.#fresh(a, nowMs), this.#fresh(b, nowMs)]
    if (there?.unreachable.has(b) === true || back?.unreachable.has(a) === true) return null
    const [first, second] = [there?.latencyMs.get(b), back?.latencyMs.get(a)]
    if (first === undefined) return second ?? null
    return second === undefined ? first : (first + second) / 2
  }

  /** Each once, from the name that sorts first. */
  links(nowMs: number): readonly Link[] {
    const links: Link[] = []
    for (const [node, { latencyMs }] of this.#nodes) {
      for (const peer of latencyMs.keys()) {
        // Where both have measured it, it is told once.
        if (peer < node && this.#fresh(peer, nowMs)?.latencyMs.has(node) === true) continue
        const between = this.between(node, peer, nowMs)
        if (between === null) continue
        const [from, to] = node < peer ? [node, peer] : [peer, node]
        links.push({ from, to, latencyMs: between })
      }
    }
    return links
  }

  #fresh(node: NodeId, nowMs: number): Measured | undefined {
    const measured = this.#nodes.get(node)
    return measured !== undefined && nowMs - measured.heardAtMs <= FRESH_MS ? measured : undefined
  }
}
