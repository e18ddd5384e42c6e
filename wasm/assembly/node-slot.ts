// Slots of nodes: taken by the first record that names the node, dropped when it leaves, reused after.
import {
  ARRIVAL_MEAN,
  ARRIVAL_VARIANCE,
  CHANGES,
  COHORT,
  EMITTED_AT,
  FIRST_AT,
  HISTORY_BYTES,
  ID_LENGTH,
  ID_POINTER,
  LAST_AT,
  LAST_SEEN,
  MAXIMUM,
  MEAN,
  MOMENTS_BYTES,
  NEXT_GRID,
  NO_COHORT,
  NO_NODE,
  QUEUED,
  USED,
  VALUES_BYTES,
  VARIANCE,
  allocate,
  attributeCount,
  attributesOf,
  fieldOf,
  flagsOf,
  growTo,
  heartbeatInterval,
  historyOf,
  laneOf,
  lineOf,
  momentsOf,
  nodesMax,
  quadCount,
  rawOf,
  seenObservedOf,
  statesOf,
  tileOf,
  valuesOf,
} from './layout'
import { PADS, counterCount } from './metrics'
import { CHANGES_LEAST, LEAST, VARIANCE_LEAST } from './moments'
import { AT, CHANGED_AT, NEVER, setTimes } from './times'
import { ID_BYTES_MAX, findId, freeId, hashOf, insertId, removeId } from './id-table'

export let slotCount: u32 = 0
export let nodeCount: u32 = 0
let free: usize = 0
let freeCount: u32 = 0
let capacity: u32 = 0
/** u32 per slot: indices for JavaScript (sweep), and the queue of changed nodes; f32: health. */
export let listed: usize = 0
export let queue: usize = 0
export let healthAt: usize = 0
export let queueCount: u32 = 0

export function setQueueCount(count: u32): void {
  queueCount = count
}

export function slots(): u32 {
  return slotCount
}
export function nodes(): u32 {
  return nodeCount
}
export function listPointer(): u32 {
  return <u32>listed
}
export function idPointer(node: u32): u32 {
  return load<u32>(fieldOf(node, ID_POINTER))
}
export function idLength(node: u32): u32 {
  return load<u32>(fieldOf(node, ID_LENGTH))
}

/** Slot of the id in the bytes, or NO_NODE. */
export function lookUp(bytes: usize, length: u32): u32 {
  return findId(bytes, length, hashOf(bytes, length))
}

/** Slot of the id, taken if it is new; NO_NODE when the table is full or the id is none. */
export function intern(bytes: usize, length: u32): u32 {
  if (length == 0 || length > ID_BYTES_MAX) return NO_NODE
  const hash = hashOf(bytes, length)
  const found = findId(bytes, length, hash)
  if (found != NO_NODE) return found
  const node = takeSlot()
  if (node == NO_NODE) return NO_NODE
  clearNode(node)
  insertId(node, bytes, length, hash)
  nodeCount++
  return node
}

function takeSlot(): u32 {
  if (freeCount > 0) {
    freeCount--
    return load<u32>(free + freeCount * 4)
  }
  if (slotCount == nodesMax) return NO_NODE
  if (slotCount == capacity) growLists()
  growTo(slotCount + 1)
  return slotCount++
}

function growLists(): void {
  const before = capacity * 4
  capacity = capacity == 0 ? 256 : capacity * 2
  free = moved(free, before)
  listed = moved(listed, before)
  queue = moved(queue, before)
  healthAt = moved(healthAt, before)
}

function moved(from: usize, bytes: u32): usize {
  const to = allocate(capacity * 4)
  memory.copy(to, from, bytes)
  return to
}

function clearNode(node: u32): void {
  const tile = tileOf(node)
  const lane = laneOf(node)
  const line = lineOf(tile, lane)
  store<f64>(line, NaN, LAST_SEEN)
  store<f64>(line, NaN, FIRST_AT)
  store<f64>(line, -Infinity, LAST_AT)
  store<f64>(line, Infinity, NEXT_GRID)
  store<f64>(line, -Infinity, EMITTED_AT)
  store<f32>(line, <f32>heartbeatInterval, ARRIVAL_MEAN)
  store<f32>(line, 0, ARRIVAL_VARIANCE)
  store<u32>(line, NO_COHORT, COHORT)
  store<f64>(seenObservedOf(tile, lane), NaN)
  const flags = flagsOf(tile, lane)
  store<u32>(flags, (load<u32>(flags) & QUEUED) | USED)
  const attributes = attributesOf(tile, lane)
  for (let a: u32 = 0; a < attributeCount; a++) store<f64>(attributes + a * 8, NaN)
  clearMetrics(tile, lane)
}

function clearMetrics(tile: usize, lane: u32): void {
  const none = f32x4.splat(<f32>NaN)
  for (let q: u32 = 0; q < quadCount; q++) {
    const moments = momentsOf(tile, lane) + q * MOMENTS_BYTES
    const history = historyOf(tile, lane) + q * HISTORY_BYTES
    memory.fill(history, 0, HISTORY_BYTES)
    v128.store(valuesOf(tile, lane) + q * VALUES_BYTES, none)
    for (let h: usize = 0; h < 48; h += 16) {
      v128.store(moments + h, none, MEAN)
      v128.store(moments + h, v128.load(LEAST, VARIANCE_LEAST), VARIANCE)
      v128.store(moments + h, v128.load(LEAST, CHANGES_LEAST), CHANGES)
    }
    v128.store(moments, none, MAXIMUM)
    setTimes(history, AT, 15, NEVER)
    setTimes(history, CHANGED_AT, 15, NEVER)
    store<u8>(statesOf(tile, lane) + q, 15 ^ load<u8>(PADS + q))
  }
  for (let c: u32 = 0; c < counterCount; c++) store<f64>(rawOf(tile, lane) + c * 8, NaN)
}

/** Takes the node out of the table. Its id stays readable, for rows not yet taken, until `release`. */
export function drop(node: u32): void {
  removeId(node)
  const flags = flagsOf(tileOf(node), laneOf(node))
  store<u32>(flags, load<u32>(flags) & QUEUED)
  store<f64>(fieldOf(node, NEXT_GRID), Infinity)
  nodeCount--
}

/** Gives a dropped slot back for another node. */
export function release(node: u32): void {
  freeId(node)
  store<u32>(free + freeCount * 4, node)
  freeCount++
}

export function setAttribute(node: u32, attribute: u32, value: f64): void {
  store<f64>(attributesOf(tileOf(node), laneOf(node)) + attribute * 8, value)
}

export function setCohort(node: u32, cohort: u32): void {
  store<u32>(fieldOf(node, COHORT), cohort)
}
