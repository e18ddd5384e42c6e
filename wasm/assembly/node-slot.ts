// Slots of nodes: taken by the first record that names the node, dropped when it leaves, reused after.
import {
  ATTRIBUTES,
  ARRIVAL_MEAN,
  ARRIVAL_VARIANCE,
  AT,
  CHANGED_AT,
  CHANGES,
  COHORT,
  EMITTED_AT,
  FIRST_AT,
  FLAGS,
  ID_LENGTH,
  ID_POINTER,
  LAST_AT,
  LAST_SEEN,
  LAST_SEEN_OBSERVED,
  MAXIMUM,
  MEAN,
  NEXT_GRID,
  NO_COHORT,
  NO_NODE,
  QUEUED,
  RAW,
  USED,
  VALUE,
  VARIANCE,
  allocate,
  attributeCount,
  entryOf,
  field32,
  field64,
  growTo,
  heartbeatInterval,
  metricBlock,
  metricCount,
  missingRatios,
  nodesMax,
} from './layout'
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
  return load<u32>(field32(node, ID_POINTER))
}
export function idLength(node: u32): u32 {
  return load<u32>(field32(node, ID_LENGTH))
}
export function isUsed(node: u32): u32 {
  return node < slotCount ? load<u32>(field32(node, FLAGS)) & USED : 0
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
  store<f64>(field64(node, LAST_SEEN), NaN)
  store<f64>(field64(node, LAST_SEEN_OBSERVED), NaN)
  store<f64>(field64(node, FIRST_AT), NaN)
  store<f64>(field64(node, LAST_AT), -Infinity)
  store<f64>(field64(node, NEXT_GRID), Infinity)
  store<f64>(field64(node, EMITTED_AT), -Infinity)
  store<f32>(field32(node, ARRIVAL_MEAN), <f32>heartbeatInterval)
  store<f32>(field32(node, ARRIVAL_VARIANCE), 0)
  store<u32>(field32(node, COHORT), NO_COHORT)
  const flags = field32(node, FLAGS)
  store<u32>(flags, (load<u32>(flags) & QUEUED) | USED)
  for (let a: u32 = 0; a < attributeCount; a++) store<f64>(field64(node, ATTRIBUTES + a * 128), NaN)
  for (let m: u32 = 0; m < metricCount; m++) clearMetric(node, m)
}

function clearMetric(node: u32, metric: u32): void {
  const block = metricBlock(node, metric)
  const entry = entryOf(block, node)
  store<f32>(block + VALUE + (node & 15) * 4, <f32>NaN)
  store<f32>(missingRatios(node) + metric * 4, 0)
  store<f64>(entry + RAW, NaN)
  store<f64>(entry + AT, -Infinity)
  store<f64>(entry + CHANGED_AT, NaN)
  for (let h: u32 = 0; h < 3; h++) {
    store<f32>(entry + MEAN + h * 4, <f32>NaN)
    store<f32>(entry + VARIANCE + h * 4, 0)
    store<f32>(entry + CHANGES + h * 4, 0)
  }
  store<f32>(entry + MAXIMUM, <f32>NaN)
}

/** Takes the node out of the table. Its id stays readable, for rows not yet taken, until `release`. */
export function drop(node: u32): void {
  removeId(node)
  const flags = field32(node, FLAGS)
  store<u32>(flags, load<u32>(flags) & QUEUED)
  store<f64>(field64(node, NEXT_GRID), Infinity)
  nodeCount--
}

/** Gives a dropped slot back for another node. */
export function release(node: u32): void {
  freeId(node)
  store<u32>(free + freeCount * 4, node)
  freeCount++
}

export function setAttribute(node: u32, attribute: u32, value: f64): void {
  store<f64>(field64(node, ATTRIBUTES + attribute * 128), value)
}

export function setCohort(node: u32, cohort: u32): void {
  store<u32>(field32(node, COHORT), cohort)
}

/** Share of recent samples without this metric, 0..1. */
export function missingRatioOf(node: u32, metric: u32): f64 {
  return <f64>load<f32>(missingRatios(node) + metric * 4)
}
