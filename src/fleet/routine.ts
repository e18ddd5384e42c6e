/**
 * Moves that have nothing to do with failures: the operators' own scheduler evens out load and
 * empties a node for an upgrade. A history needs them, or a model learns that a load which drops
 * means trouble.
 */
import type { Placement } from '../core/workload.ts'
import type { Cluster, ClusterNode } from './cluster.ts'
import { Random } from './random.ts'

const HOUR_MS = 3_600_000
/** Share of the moves that empty the whole node. */
const DRAIN_CHANCE = 0.15
/** Nodes looked at in search of a target. */
const TRIES_MAX = 8

export class Routine {
  private readonly cluster: Cluster
  private readonly random: Random
  private readonly meanGapMs: number
  private nextAtMs: number

  constructor(seed: number, cluster: Cluster, movesPerNodeHour: number, nowMs: number) {
    this.cluster = cluster
    this.random = new Random(seed, 'routine')
    this.meanGapMs = HOUR_MS / (movesPerNodeHour * cluster.nodes.length)
    this.nextAtMs = nowMs + this.random.exponential(this.meanGapMs)
  }

  /** The placements that changed up to `nowMs`. */
  step(nowMs: number): readonly Placement[] {
    const changed: Placement[] = []
    while (this.nextAtMs <= nowMs) {
      this.nextAtMs += this.random.exponential(this.meanGapMs)
      changed.push(...this.moveFrom(this.random.pick(this.cluster.nodes)))
    }
    return changed
  }

  private moveFrom(node: ClusterNode): readonly Placement[] {
    if (!node.up || node.workloads.size === 0) return []
    const workloads = [...node.workloads]
    const moving = this.random.chance(DRAIN_CHANCE) ? workloads : [this.random.pick(workloads)]
    const changed: Placement[] = []
    for (const workload of moving) {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const target = this.random.pick(this.cluster.nodes)
        if (target === node) continue
        if (this.cluster.obstacle(workload, target) !== null) continue
        changed.push(this.cluster.move(workload, target))
        break
      }
    }
    return changed
  }
}
