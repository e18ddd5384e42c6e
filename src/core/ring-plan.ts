/**
 * Bounded loads and plans of moves: what changes hands when the ring changes. The kernel of the same
 * name in wasm/assembly is what runs; this is its readable reference.
 */
import { NOBODY } from './ring.ts'

/** One replica changes hands. `slot` is key × replicas + which of the replicas. */
export interface RingMove {
  readonly slot: number
  /** NOBODY: it had no node. */
  readonly from: number
  readonly to: number
}

/**
 * How many replicas each node may hold: `bound` times its fair share, rounded up. Nobody holds two
 * replicas of one key, so what is beyond `keyCount` goes to the others. `kept`, per node, is what those
 * without weight hold on to; it is nobody else's to hold.
 */
export function ringCapacities(
  weights: readonly number[],
  keyCount: number,
  replicaCount: number,
  bound: number,
  kept: Uint32Array = new Uint32Array(0),
): Uint32Array {
  const capacities = new Uint32Array(weights.length)
  const keepers = kept.filter((count) => count > 0)
  let open = weights.flatMap((weight, node) => (weight > 0 ? [node] : []))
  let remaining =
    keyCount * Math.min(replicaCount, open.length + keepers.length) -
    keepers.reduce((sum, count) => sum + count, 0)
  for (;;) {
    const total = open.reduce((sum, node) => sum + weights[node], 0)
    const fair = (node: number): number => (remaining * weights[node]) / total
    const full = open.filter((node) => fair(node) > keyCount)
    for (const node of full) capacities[node] = keyCount
    if (full.length === 0) {
      for (const node of open) capacities[node] = Math.min(keyCount, Math.ceil(bound * fair(node)))
      return capacities
    }
    remaining -= full.length * keyCount
    open = open.filter((node) => !full.includes(node))
  }
}

export interface PlanInput {
  /** Per key the nodes in the order of its walk on the new ring. */
  readonly walks: readonly (readonly number[])[]
  /** Per key where its replicas are now; changed in place. */
  readonly placement: readonly number[][]
  /** Per key where its replicas belong on the old ring, and on the new one. */
  readonly before: readonly (readonly number[])[]
  readonly after: readonly (readonly number[])[]
  /** Per node: capacity, and zone; null: the node is gone. */
  readonly capacities: readonly number[] | Uint32Array
  readonly zones: readonly (string | null)[]
  readonly movesMax: number
}

/**
 * Three passes over the keys: the homeless are placed; what the change of the ring moves is moved as
 * far as there is room; nodes over their capacity give away what is too much, strays first. A replica
 * that stands alone in its zone is moved within the spread or not at all, except when it is homeless.
 */
export function referencePlan(input: PlanInput): readonly RingMove[] {
  const { walks, placement, before, after, capacities, zones, movesMax } = input
  const size = placement[0]?.length ?? 0
  const moves: RingMove[] = []
  const loads = new Uint32Array(zones.length)
  const lives = (node: number): boolean => node !== NOBODY && zones[node] !== null
  for (const node of placement.flat()) if (lives(node)) loads[node]++
  const hasRoom = (node: number): boolean => loads[node] < capacities[node]
  const others = (key: number, slot: number): number[] =>
    placement[key].filter((node, i) => i !== slot && lives(node))
  const hasZone = (key: number, slot: number, node: number): boolean =>
    others(key, slot).some((other) => zones[other] === zones[node])
  const placeFor = (key: number, slot: number, anyZone: boolean): number => {
    const open = walks[key].filter(hasRoom)
    const fresh = open.find((node) => !hasZone(key, slot, node))
    if (fresh !== undefined || !anyZone) return fresh ?? NOBODY
    return open.find((node) => !placement[key].includes(node)) ?? NOBODY
  }
  const move = (key: number, slot: number, to: number): void => {
    if (to === NOBODY || moves.length >= movesMax) return
    const from = placement[key][slot]
    moves.push({ slot: key * size + slot, from, to })
    placement[key][slot] = to
    if (lives(from)) loads[from]--
    loads[to]++
  }
  const eachSlot = (visit: (key: number, slot: number, from: number) => void): void => {
    for (const [key, set] of placement.entries()) {
      for (let slot = 0; slot < size; slot++) visit(key, slot, set[slot])
    }
  }
  eachSlot((key, slot, from) => {
    if (!lives(from)) move(key, slot, placeFor(key, slot, true))
  })
  for (const [key, set] of placement.entries()) {
    for (const to of after[key]) {
      if (before[key].includes(to) || set.includes(to) || !hasRoom(to)) continue
      const slot = set.findIndex(
        (from, i) =>
          lives(from) &&
          before[key].includes(from) &&
          !after[key].includes(from) &&
          (!hasZone(key, i, to) || hasZone(key, i, from)),
      )
      if (slot !== -1) move(key, slot, to)
    }
  }
  for (const strays of [true, false]) {
    eachSlot((key, slot, from) => {
      if (!lives(from) || loads[from] <= capacities[from]) return
      if (strays && after[key].includes(from)) return
      move(key, slot, placeFor(key, slot, hasZone(key, slot, from)))
    })
  }
  return moves
}
