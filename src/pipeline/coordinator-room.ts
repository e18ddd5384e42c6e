/**
 * Room for failed work that has none: a node that returns in part returns whole at once where that is enough, or
 * else a node gives the cheapest of its work to others until what waits fits on it (as an overloaded node does,
 * strategy `redistribute`). CRITICAL work moves for CRITICAL work alone, one node of a pool makes
 * room at a time, and none that is looked for in vain is looked for again at once.
 */
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Capacity } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import type { WaitingWorkload } from '../core/waiting.ts'
import type { Needs, Placement } from '../core/workload.ts'
import type { Load } from '../decide/ledger.ts'
import { isGpuOf } from '../decide/place.ts'
import { cheapestRelief, costOf, isCovered, minus, movableOf } from '../decide/relieve.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import type { TargetDesk } from './coordinator-targets.ts'
import type { NodeState } from './node-state.ts'

/** Nodes that lack least are tried first, and so many of them. */
const NODES_TRIED_MAX = 8

/** How work finds room on a node. */
export interface Room {
  readonly node: NodeState
  /** What may stay on it. */
  readonly goal: Load
  /** None where its return is only to end. */
  readonly leaving: readonly WorkloadId[]
}

interface Option {
  readonly node: NodeState
  readonly goal: Load
  /** Over the goal. */
  readonly excess: Load
  /** What it lacks most, of what it has. */
  readonly lack: number
}

/** `isLeftAlone`: nodes that are not asked. Null: no one move after another makes room. */
export function findRoom(
  state: CoordinatorState,
  targets: TargetDesk,
  pool: PoolState,
  waiting: WaitingWorkload,
  policy: Policy,
  isLeftAlone: (node: NodeId) => boolean,
): Room | null {
  const options: Option[] = []
  const places = new Places(state, policy.recoveryLoadMaxRatio)
  for (const node of pool.nodes.values()) {
    const { capacity, id } = node
    if (capacity === null || id === waiting.node || !targets.isFit(node)) continue
    if (node.returning === null) places.add(id, capacity)
    // What lets it take work again goes first.
    if (isLeftAlone(id) || (node.returning === null && pool.incidents.ofNode(node).length > 0))
      continue
    const goal = goalFor(waiting.needs, capacity, policy.recoveryLoadMaxRatio)
    if (goal === null) continue
    const excess = minus(state.ledger.load(id), goal)
    if (isCovered(excess)) {
      if (node.returning !== null) return { node, goal, leaving: [] }
    } else if (node.returning === null) {
      options.push({ node, goal, excess, lack: lackOf(excess, capacity) })
    }
  }
  options.sort((a, b) => a.lack - b.lack || (a.node.id < b.node.id ? -1 : 1))
  let [best, bestCost]: [Room | null, number] = [null, Number.POSITIVE_INFINITY]
  for (const { node, goal, excess } of options.slice(0, NODES_TRIED_MAX)) {
    const movables = [...state.ledger.workloadsOn(node.id)].flatMap((id) => {
      const placement = state.ledger.get(id)!
      const isMoving = pool.flightOf.has(id) || state.ledger.isReserved(id)
      if (isMoving || !mayMoveFor(placement, waiting)) return []
      return places.hasOne(node.id, placement.needs) ? [movableOf(placement)] : []
    })
    const leaving = cheapestRelief(movables, excess)
    if (leaving === null || leaving.length === 0) continue
    const cost = costOf(movables.filter(({ workload }) => leaving.includes(workload)))
    if (cost < bestCost && haveTargets(state, targets, pool, node, leaving, policy)) {
      ;[best, bestCost] = [{ node, goal, leaving }, cost]
    }
  }
  return best
}

/** All of them at once. */
function haveTargets(
  { ledger }: CoordinatorState,
  targets: TargetDesk,
  pool: PoolState,
  node: NodeState,
  leaving: readonly WorkloadId[],
  policy: Policy,
): boolean {
  const placed: WorkloadId[] = []
  for (const workload of leaving) {
    const choice = targets.find(pool, node, workload, policy, policy.recoveryLoadMaxRatio)
    if (!choice.ok) break
    ledger.reserve(workload, choice.target)
    placed.push(workload)
  }
  for (const workload of placed) ledger.unreserve(workload)
  return placed.length === leaving.length
}

/** Nodes that may take work, asked for needs by needs. */
class Places {
  readonly #state: CoordinatorState
  readonly #bound: number
  readonly #nodes: (readonly [NodeId, Capacity])[] = []
  /** By needs: two nodes with room at most, for one may be who asks. */
  readonly #known = new Map<string, readonly NodeId[]>()

  constructor(state: CoordinatorState, bound: number) {
    this.#state = state
    this.#bound = bound
  }

  add(node: NodeId, capacity: Capacity): void {
    this.#nodes.push([node, capacity])
  }

  /** Whether another node has room for these needs. */
  hasOne(from: NodeId, needs: Needs): boolean {
    const key = JSON.stringify(needs)
    const known = this.#known.get(key) ?? this.#someFor(needs)
    this.#known.set(key, known)
    return known.some((node) => node !== from)
  }

  #someFor(needs: Needs): readonly NodeId[] {
    const some: NodeId[] = []
    for (const [node, capacity] of this.#nodes) {
      const goal = goalFor(needs, capacity, this.#bound)
      if (goal === null || !isCovered(minus(this.#state.ledger.load(node), goal))) continue
      if (some.push(node) === 2) break
    }
    return some
  }
}

function mayMoveFor({ priority }: Placement, waiting: WaitingWorkload): boolean {
  return priority !== 'CRITICAL' || waiting.priority === 'CRITICAL'
}

/** What may stay on a node with these needs on top; null where it has too little in any case. */
function goalFor({ cpu, memoryBytes, gpu }: Needs, capacity: Capacity, bound: number): Load | null {
  if (!isGpuOf(gpu, capacity.gpu)) return null
  const goal = {
    cpu: bound * capacity.cpu - cpu,
    memoryBytes: bound * capacity.memoryBytes - memoryBytes,
    gpuCount: (capacity.gpu?.count ?? 0) - (gpu?.count ?? 0),
  }
  return goal.cpu < 0 || goal.memoryBytes < 0 || goal.gpuCount < 0 ? null : goal
}

function lackOf({ cpu, memoryBytes, gpuCount }: Load, capacity: Capacity): number {
  const of = (part: number, whole: number) => (part > 0 ? part / whole : 0)
  const gpus = of(gpuCount, capacity.gpu?.count ?? 1)
  return Math.max(of(cpu, capacity.cpu), of(memoryBytes, capacity.memoryBytes), gpus)
}
