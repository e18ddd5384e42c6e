/**
 * Replica sets, bounded loads and plans of moves on the ring of ring.ts, for members whose zones,
 * capacities and loads lie where `ringMembers` says. Reference: src/core/ring-plan.ts, move by move.
 */
import { ringNext, ringPoint } from './ring'

const NOBODY: u32 = 0xffffffff
/** As the zone of a node: it is no member any more. */
const GONE: u32 = 0xffffffff

let zones: usize = 0
let capacities: usize = 0
let loads: usize = 0
let zoneRooms: usize = 0
/** How many replicas more all nodes may take together; `zoneRooms` has it by zone. */
let room: u32 = 0

let moves: usize = 0
let moveCount: u32 = 0
let movesMax: u32 = 0
let deferredCount: u32 = 0
let unplacedCount: u32 = 0

export function ringMembers(
  zonesAt: usize,
  capacitiesAt: usize,
  loadsAt: usize,
  zoneRoomsAt: usize,
): void {
  zones = zonesAt
  capacities = capacitiesAt
  loads = loadsAt
  zoneRooms = zoneRoomsAt
}

function at32(array: usize, index: u32): u32 {
  return load<u32>(array + ((<usize>index) << 2))
}

function put32(array: usize, index: u32, value: u32): void {
  store<u32>(array + ((<usize>index) << 2), value)
}

function has(set: usize, size: u32, node: u32): bool {
  for (let i: u32 = 0; i < size; i++) if (at32(set, i) == node) return true
  return false
}

function lives(node: u32): bool {
  return node != NOBODY && at32(zones, node) != GONE
}

/** A node of that zone among the first `size` of the set, the one at `except` left out. */
function hasZone(set: usize, size: u32, except: u32, zone: u32): bool {
  for (let i: u32 = 0; i < size; i++) {
    if (i == except) continue
    const node = at32(set, i)
    if (lives(node) && at32(zones, node) == zone) return true
  }
  return false
}

/**
 * Where the replicas of each key belong: the first nodes after it, each of another zone, while there
 * are zones (`zoneCount`); then the first others, while there are nodes (`nodeCount`).
 */
export function ringReplicas(
  positions: usize,
  count: u32,
  size: u32,
  zoneCount: u32,
  nodeCount: u32,
  out: usize,
): void {
  const spread = min(size, zoneCount)
  const filled = min(size, nodeCount)
  for (let i: u32 = 0; i < count; i++) {
    const set = out + ((<usize>i * <usize>size) << 2)
    const first = ringPoint(at32(positions, i))
    let found: u32 = 0
    for (let point = first; found < spread; point = ringNext(point)) {
      const node = load<u32>(point)
      if (!hasZone(set, found, size, at32(zones, node))) put32(set, found++, node)
    }
    for (let point = first; found < filled; point = ringNext(point)) {
      const node = load<u32>(point)
      if (!has(set, found, node)) put32(set, found++, node)
    }
    while (found < size) put32(set, found++, NOBODY)
  }
}

function roomOf(node: u32): u32 {
  const capacity = at32(capacities, node)
  const held = at32(loads, node)
  return held < capacity ? capacity - held : 0
}

/** Adds to or takes from the load of a node and keeps the sums of room right. */
function changeLoad(node: u32, by: i32): void {
  const zone = at32(zones, node)
  const before = roomOf(node)
  put32(loads, node, at32(loads, node) + by)
  const change = roomOf(node) - before
  room += change
  put32(zoneRooms, zone, at32(zoneRooms, zone) + change)
}

/**
 * A node with room for one replica of the set: of a zone the others are not in; where none has room
 * and `anyZone`, of any node that holds none of the others. NOBODY where there is none either.
 */
function place(position: u32, set: usize, size: u32, slot: u32, anyZone: bool): u32 {
  let roomElsewhere = room
  let roomOfOthers = room
  for (let i: u32 = 0; i < size; i++) {
    const node = at32(set, i)
    if (i == slot || !lives(node)) continue
    const zone = at32(zones, node)
    if (!hasZone(set, i, slot, zone)) roomElsewhere -= at32(zoneRooms, zone)
    roomOfOthers -= roomOf(node)
  }
  if (roomElsewhere > 0) {
    let point = ringPoint(position)
    for (;;) {
      const node = load<u32>(point)
      if (roomOf(node) > 0 && !hasZone(set, size, slot, at32(zones, node))) return node
      point = ringNext(point)
    }
  }
  if (!anyZone || roomOfOthers == 0) return NOBODY
  let point = ringPoint(position)
  while (roomOf(load<u32>(point)) == 0 || has(set, size, load<u32>(point))) point = ringNext(point)
  return load<u32>(point)
}

function move(set: usize, size: u32, key: u32, slot: u32, from: u32, to: u32): void {
  const entry = moves + <usize>moveCount * 12
  moveCount++
  store<u32>(entry, key * size + slot)
  store<u32>(entry, from, 4)
  store<u32>(entry, to, 8)
  put32(set, slot, to)
  if (lives(from)) changeLoad(from, -1)
  changeLoad(to, 1)
}

/** Sums loads from the placement, and room from loads and capacities. */
function takeStock(placement: usize, slotCount: u32, nodeCount: u32, zoneCount: u32): void {
  memory.fill(loads, 0, (<usize>nodeCount) << 2)
  memory.fill(zoneRooms, 0, (<usize>zoneCount) << 2)
  for (let i: u32 = 0; i < slotCount; i++) {
    const node = at32(placement, i)
    if (lives(node)) put32(loads, node, at32(loads, node) + 1)
  }
  room = 0
  for (let node: u32 = 0; node < nodeCount; node++) {
    if (!lives(node)) continue
    const zone = at32(zones, node)
    put32(zoneRooms, zone, at32(zoneRooms, zone) + roomOf(node))
    room += roomOf(node)
  }
}

/**
 * Changes `placement` (`size` nodes a key) in three passes, each in order of keys, and writes the
 * moves (u32 slot, from, to) to `movesAt`, `most` at most; the rest is counted as deferred:
 * 1. replicas without a node, or on one that is gone, are placed;
 * 2. where the ring of the change (`before` to `after`) moves a replica, it moves, as far as there is room;
 * 3. nodes over their capacity give away what is too much, and first what belongs elsewhere.
 */
export function ringPlan(
  positions: usize,
  count: u32,
  size: u32,
  placement: usize,
  before: usize,
  after: usize,
  nodeCount: u32,
  zoneCount: u32,
  movesAt: usize,
  most: u32,
): u32 {
  moves = movesAt
  movesMax = most
  moveCount = 0
  deferredCount = 0
  unplacedCount = 0
  takeStock(placement, count * size, nodeCount, zoneCount)
  for (let key: u32 = 0; key < count; key++) {
    placeHomeless(at32(positions, key), key, size, placement + ((<usize>key * size) << 2))
  }
  for (let key: u32 = 0; key < count; key++) {
    const o = (<usize>key * size) << 2
    follow(key, size, placement + o, before + o, after + o)
  }
  for (let strays = 1; strays >= 0; strays--) {
    for (let key: u32 = 0; key < count; key++) {
      const o = (<usize>key * size) << 2
      relieve(at32(positions, key), key, size, placement + o, after + o, strays != 0)
    }
  }
  return moveCount
}

function placeHomeless(position: u32, key: u32, size: u32, set: usize): void {
  for (let slot: u32 = 0; slot < size; slot++) {
    const from = at32(set, slot)
    if (lives(from)) continue
    if (moveCount >= movesMax) {
      deferredCount++
      continue
    }
    const to = place(position, set, size, slot, true)
    if (to == NOBODY) unplacedCount++
    else move(set, size, key, slot, from, to)
  }
}

function follow(key: u32, size: u32, set: usize, before: usize, after: usize): void {
  for (let i: u32 = 0; i < size; i++) {
    const to = at32(after, i)
    if (to == NOBODY || has(before, size, to) || has(set, size, to) || roomOf(to) == 0) continue
    for (let slot: u32 = 0; slot < size; slot++) {
      const from = at32(set, slot)
      if (!lives(from) || !has(before, size, from) || has(after, size, from)) continue
      const fresh = !hasZone(set, size, slot, at32(zones, to))
      if (!fresh && !hasZone(set, size, slot, at32(zones, from))) continue
      if (moveCount >= movesMax) deferredCount++
      else move(set, size, key, slot, from, to)
      break
    }
  }
}

function relieve(position: u32, key: u32, size: u32, set: usize, after: usize, strays: bool): void {
  for (let slot: u32 = 0; slot < size; slot++) {
    const from = at32(set, slot)
    if (!lives(from) || at32(loads, from) <= at32(capacities, from)) continue
    if (strays && has(after, size, from)) continue
    const anyZone = hasZone(set, size, slot, at32(zones, from))
    const to = place(position, set, size, slot, anyZone)
    if (to == NOBODY) continue
    if (moveCount < movesMax) move(set, size, key, slot, from, to)
  }
}

/** Moves that the budget put off. */
export function ringDeferred(): u32 {
  return deferredCount
}

/** Replicas for which no node has room. */
export function ringUnplaced(): u32 {
  return unplacedCount
}

/** Replicas that some node holds beyond its capacity. */
export function ringExcess(nodeCount: u32): u32 {
  let excess: u32 = 0
  for (let node: u32 = 0; node < nodeCount; node++) {
    if (!lives(node)) continue
    const capacity = at32(capacities, node)
    if (at32(loads, node) > capacity) excess += at32(loads, node) - capacity
  }
  return excess
}
