/**
 * Which workloads leave a node that carries too much: the cheapest set that takes enough off it.
 *
 * A covering problem in two dimensions. Branch and bound finds the best set: a branch is given up where even
 * fractions of workloads could not make it cheaper than the best so far. After `EXPANSIONS_MAX` branches the best
 * so far is taken, which is never worse than the greedy one.
 */
import type { WorkloadId } from '../core/ids.ts'
import type { Placement, Priority } from '../core/workload.ts'

export interface Amount {
  readonly cpu: number
  readonly memoryBytes: number
}

export interface Movable extends Amount {
  readonly workload: WorkloadId
  /** Over 0. */
  readonly cost: number
}

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
  const { cpu, memoryBytes } = needs
  const cost = INTERRUPTION[priority] * (1 + stateBytes / STATE_BYTES)
  return { workload, cpu, memoryBytes, cost }
}

/** Null where all of them together do not take the excess off. */
export function cheapestRelief(
  movables: readonly Movable[],
  excess: Amount,
): readonly WorkloadId[] | null {
  const wanted = { cpu: Math.max(0, excess.cpu), memoryBytes: Math.max(0, excess.memoryBytes) }
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
  readonly #wanted: Amount
  readonly #byCpu: readonly number[]
  readonly #byMemory: readonly number[]
  #best: readonly Movable[]
  #bestCost: number
  #expansionCount = 0

  constructor(movables: readonly Movable[], wanted: Amount) {
    this.#movables = movables
    this.#wanted = wanted
    const cheapest = (per: (each: Movable) => number) =>
      movables
        .map((_, i) => i)
        .filter((i) => per(movables[i]) > 0)
        .sort((a, b) => movables[a].cost / per(movables[a]) - movables[b].cost / per(movables[b]))
    this.#byCpu = cheapest(({ cpu }) => cpu)
    this.#byMemory = cheapest(({ memoryBytes }) => memoryBytes)
    this.#best = greedy(movables, wanted)
    this.#bestCost = costOf(this.#best)
  }

  run(): readonly Movable[] {
    this.#expand(0, [], 0, this.#wanted)
    return this.#best
  }

  /** Each from `next` on may still be taken or left. */
  #expand(next: number, taken: readonly Movable[], cost: number, left: Amount): void {
    if (isCovered(left)) {
      if (cost < this.#bestCost - EPSILON) [this.#best, this.#bestCost] = [taken, cost]
      return
    }
    if (next === this.#movables.length || ++this.#expansionCount > EXPANSIONS_MAX) return
    const bound = Math.max(
      this.#leastCost(this.#byCpu, next, left.cpu, ({ cpu }) => cpu),
      this.#leastCost(this.#byMemory, next, left.memoryBytes, ({ memoryBytes }) => memoryBytes),
    )
    if (cost + bound >= this.#bestCost - EPSILON) return
    const each = this.#movables[next]
    this.#expand(next + 1, [...taken, each], cost + each.cost, minus(left, each))
    this.#expand(next + 1, taken, cost, left)
  }

  /** Of fractions of those from `next` on that take this much off; infinite where they cannot. */
  #leastCost(
    order: readonly number[],
    next: number,
    amount: number,
    per: (each: Movable) => number,
  ): number {
    let [left, cost] = [amount, 0]
    for (const i of order) {
      if (left <= 0) break
      if (i < next) continue
      const each = this.#movables[i]
      const share = Math.min(1, left / per(each))
      cost += share * each.cost
      left -= per(each)
    }
    return left > EPSILON * Math.max(1, amount) ? Number.POSITIVE_INFINITY : cost
  }
}

/** In their order until it is enough, and then without those that it is enough without. */
function greedy(movables: readonly Movable[], wanted: Amount): readonly Movable[] {
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

/** How much of what is wanted it takes off, 0..2. */
function gainOf({ cpu, memoryBytes }: Amount, wanted: Amount): number {
  const share = (part: number, whole: number) => (whole > 0 ? Math.min(1, part / whole) : 0)
  return share(cpu, wanted.cpu) + share(memoryBytes, wanted.memoryBytes)
}

function isCovered({ cpu, memoryBytes }: Amount): boolean {
  return cpu <= EPSILON && memoryBytes <= EPSILON
}

function minus(left: Amount, { cpu, memoryBytes }: Amount): Amount {
  return { cpu: left.cpu - cpu, memoryBytes: left.memoryBytes - memoryBytes }
}

function costOf(movables: readonly Movable[]): number {
  return movables.reduce((sum, { cost }) => sum + cost, 0)
}

function byName(a: Movable, b: Movable): number {
  return a.workload < b.workload ? -1 : 1
}
