/**
 * Which workloads leave a node that carries too much: the cheapest set that takes enough off it.
 *
 * A covering problem in three dimensions. Branch and bound finds the best set: a branch is given up where even
 * fractions of workloads could not make it cheaper than the best so far. After `EXPANSIONS_MAX` branches the best
 * so far is taken, which is never worse than the greedy one.
 */
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Placement, Priority } from '../core/workload.ts'
import type { Load } from './ledger.ts'

/** What a node gives work away for. */
export interface Relief {
  /** What may stay on it. */
  readonly goal: Load
  /** The failed work that is to find room; null where the node itself carries too much. */
  readonly room: RoomFor | null
}

interface RoomFor {
  readonly workload: WorkloadId
  readonly from: NodeId
  /** What is to leave for it, and nothing else. */
  readonly leaving: readonly WorkloadId[]
  readonly untilMs: number
}

export interface Movable extends Load {
  readonly workload: WorkloadId
  /** Over 0. */
  readonly cost: number
}

const DIMENSIONS = ['cpu', 'memoryBytes', 'gpuCount'] as const
const EXPANSIONS_MAX = 5_000
const EPSILON = 1e-9
/** So many bytes of state cost as much to move as a workload without any. */
const STATE_BYTES = 1e9
/** What an interruption costs, of a LOW workload. */
const INTERRUPTION: Readonly<Record<Priority, number>> = {
  CRITICAL: 16,
  HIGH: 4,
  NORMAL: 2,
  LOW: 1,
}

export function movableOf({ workload, needs, stateBytes, priority }: Placement): Movable {
  const { cpu, memoryBytes, gpu } = needs
  const cost = INTERRUPTION[priority] * (1 + stateBytes / STATE_BYTES)
  return { workload, cpu, memoryBytes, gpuCount: gpu?.count ?? 0, cost }
}

/** Null where all of them together do not take the excess off. */
export function cheapestRelief(
  movables: readonly Movable[],
  excess: Load,
): readonly WorkloadId[] | null {
  const wanted = {
    cpu: Math.max(0, excess.cpu),
    memoryBytes: Math.max(0, excess.memoryBytes),
    gpuCount: Math.max(0, excess.gpuCount),
  }
  if (isCovered(wanted)) return []
  const useful = movables.filter((each) => gainOf(each, wanted) > 0)
  useful.sort((a, b) => a.cost / gainOf(a, wanted) - b.cost / gainOf(b, wanted) || byName(a, b))
  const left = useful.reduce(minus, wanted)
  if (!isCovered(left)) return null
  const best = new Search(useful, wanted).run()
  return best.map(({ workload }) => workload)
}

class Search {
  readonly #movables: readonly Movable[]
  readonly #wanted: Load
  /** Of each dimension, those that take something off it, the cheapest for it first. */
  readonly #cheapest: readonly (readonly number[])[]
  #best: readonly Movable[]
  #bestCost: number
  #expansionCount = 0

  constructor(movables: readonly Movable[], wanted: Load) {
    this.#movables = movables
    this.#wanted = wanted
    this.#cheapest = DIMENSIONS.map((of) =>
      movables
        .map((_, i) => i)
        .filter((i) => movables[i][of] > 0)
        .sort((a, b) => movables[a].cost / movables[a][of] - movables[b].cost / movables[b][of]),
    )
    this.#best = greedy(movables, wanted)
    this.#bestCost = costOf(this.#best)
  }

  run(): readonly Movable[] {
    this.#expand(0, [], 0, this.#wanted)
    return this.#best
  }

  /** Each from `next` on may still be taken or left. */
  #expand(next: number, taken: readonly Movable[], cost: number, left: Load): void {
    if (isCovered(left)) {
      if (cost < this.#bestCost - EPSILON) [this.#best, this.#bestCost] = [taken, cost]
      return
    }
    if (next === this.#movables.length || ++this.#expansionCount > EXPANSIONS_MAX) return
    const bound = Math.max(...DIMENSIONS.map((of, d) => this.#leastCost(d, next, left[of])))
    if (cost + bound >= this.#bestCost - EPSILON) return
    const each = this.#movables[next]
    this.#expand(next + 1, [...taken, each], cost + each.cost, minus(left, each))
    this.#expand(next + 1, taken, cost, left)
  }

  /** Of fractions of those from `next` on that take this much off; infinite where they cannot. */
  #leastCost(dimension: number, next: number, amount: number): number {
    const of = DIMENSIONS[dimension]
    let [left, cost] = [amount, 0]
    for (const i of this.#cheapest[dimension]) {
      if (left <= 0) break
      if (i < next) continue
      const each = this.#movables[i]
      cost += Math.min(1, left / each[of]) * each.cost
      left -= each[of]
    }
    return left > EPSILON * Math.max(1, amount) ? Number.POSITIVE_INFINITY : cost
  }
}

/** In their order until it is enough, and then without those that it is enough without. */
function greedy(movables: readonly Movable[], wanted: Load): readonly Movable[] {
  const taken: Movable[] = []
  let left = wanted
  for (const each of movables) {
    if (isCovered(left)) break
    taken.push(each)
    left = minus(left, each)
  }
  for (const each of taken.toSorted((a, b) => b.cost - a.cost || byName(a, b))) {
    const others = taken.filter((other) => other !== each)
    if (isCovered(others.reduce(minus, wanted))) taken.splice(taken.indexOf(each), 1)
  }
  return taken
}

/** How much of what is wanted it takes off, 0..3. */
function gainOf(part: Load, wanted: Load): number {
  let sum = 0
  for (const of of DIMENSIONS) if (wanted[of] > 0) sum += Math.min(1, part[of] / wanted[of])
  return sum
}

export function isCovered(excess: Load): boolean {
  return DIMENSIONS.every((of) => excess[of] <= EPSILON)
}

export function minus(a: Load, b: Load): Load {
  return {
    cpu: a.cpu - b.cpu,
    memoryBytes: a.memoryBytes - b.memoryBytes,
    gpuCount: a.gpuCount - b.gpuCount,
  }
}

export function costOf(movables: readonly Movable[]): number {
  return movables.reduce((sum, { cost }) => sum + cost, 0)
}

function byName(a: Movable, b: Movable): number {
  return a.workload < b.workload ? -1 : 1
}
