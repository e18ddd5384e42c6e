// The memory map of a node table. Everything else asks here where a thing lies.
//
//   fixed      configuration of the metrics and attributes (static data)
//   allocated  chunk directory, id slots, row buffer, staging, tile chunks, ids: in order of need
//
// A tile holds 16 nodes. What is asked of all nodes at once (liveness, health) lies as 16 lanes side by
// side, so that a kernel over all nodes reads whole cache lines; what one sample of one node changes
// lies together, so that folding a metric touches two lines and not fifteen:
//
//   f64 x 6            lastSeen, lastSeenObserved, firstAt, lastAt, nextGrid, emittedAt
//   u32/f32 x 8        arrival mean, arrival variance, cohort, id pointer, id length, id hash, flags, spare
//   f64 x attributes   attribute values (an epoch in ms does not fit a float32)
//   metric x metrics   f32 value, 16 lanes; then per node one line of 64 bytes, the entry:
//                      f64 raw, at, changedAt; f32 mean x 3, variance x 3, changes x 3, maximum
//   missing ratio      f32 x metrics per node
//
// One WebAssembly instance is one node table, one trainer or one model, never two: each owns its whole
// memory.

export const LANES: u32 = 16
export const METRICS_MAX: u32 = 64
export const ATTRIBUTES_MAX: u32 = 16
export const CHUNK_TILES: u32 = 16
export const CHUNK_NODES: u32 = 256
export const NO_NODE: u32 = 0xffffffff
export const NO_COHORT: u32 = 0xffffffff

const LANE64: u32 = 128
const LANE32: u32 = 64

// Fields of a node within its tile.
export const LAST_SEEN: u32 = 0
export const LAST_SEEN_OBSERVED: u32 = LANE64
export const FIRST_AT: u32 = LANE64 * 2
export const LAST_AT: u32 = LANE64 * 3
export const NEXT_GRID: u32 = LANE64 * 4
export const EMITTED_AT: u32 = LANE64 * 5
const NODE32: u32 = LANE64 * 6
export const ARRIVAL_MEAN: u32 = NODE32
export const ARRIVAL_VARIANCE: u32 = NODE32 + LANE32
export const COHORT: u32 = NODE32 + LANE32 * 2
export const ID_POINTER: u32 = NODE32 + LANE32 * 3
export const ID_LENGTH: u32 = NODE32 + LANE32 * 4
export const ID_HASH: u32 = NODE32 + LANE32 * 5
export const FLAGS: u32 = NODE32 + LANE32 * 6
export const ATTRIBUTES: u32 = NODE32 + LANE32 * 8

// A metric's block: lanes of the last value, then the entries of the 16 nodes.
export const VALUE: u32 = 0
const ENTRIES: u32 = LANE32
const ENTRY_BYTES: u32 = 64
export const METRIC_BYTES: u32 = ENTRIES + LANES * ENTRY_BYTES

// Fields of an entry; those with one float32 per half-life have them side by side.
export const RAW: u32 = 0
export const AT: u32 = 8
export const CHANGED_AT: u32 = 16
export const MEAN: u32 = 24
export const VARIANCE: u32 = 36
export const CHANGES: u32 = 48
export const MAXIMUM: u32 = 60

// Bits of FLAGS.
export const USED: u32 = 1
export const SILENT: u32 = 2
/** Folded since its last row. */
export const CHANGED: u32 = 4
/** Stands in the queue of changed nodes; outlives the node, so that a slot is there only once. */
export const QUEUED: u32 = 8
export const SEEN: u32 = 16

export const GAUGE: u32 = 0
export const COUNTER: u32 = 1
export const CODE: u32 = 2

export const METRIC_KIND: usize = memory.data(64 * 4, 16)
export const METRIC_MIN: usize = memory.data(64 * 8, 16)
export const METRIC_MAX: usize = memory.data(64 * 8, 16)
/** Index among the metrics with a peer feature, or -1. */
export const METRIC_PEER: usize = memory.data(64 * 4, 16)
/** Part of health 0..3, or -1. */
export const METRIC_HEALTH: usize = memory.data(64 * 4, 16)
export const HEALTH_GOOD: usize = memory.data(64 * 4, 16)
export const HEALTH_BAD: usize = memory.data(64 * 4, 16)
/** 1 where the attribute is an epoch: its feature is the hours since. */
export const ATTRIBUTE_SINCE: usize = memory.data(16 * 4, 16)

export let metricCount: u32 = 0
export let attributeCount: u32 = 0
export let featureCount: u32 = 0
export let peerCount: u32 = 0
export let tileBytes: u32 = 0
export let metricsAt: u32 = 0
let missingAt: u32 = 0
export let nodesMax: u32 = 0
export let halfLife0: f64 = 0
export let halfLife1: f64 = 0
export let halfLife2: f64 = 0
export let gridInterval: f64 = 0
export let gridFromFirst: bool = false
export let heartbeatInterval: f64 = 0

export let rowsMax: u32 = 0
export let rowNodes: usize = 0
export let rowTimes: usize = 0
export let rowTriggers: usize = 0
export let matrix: usize = 0

let top: usize = 0
let chunks: usize = 0
let chunkCount: u32 = 0

/** 64-byte aligned and zeroed; grows memory, which detaches every view. Never freed. */
export function allocate(bytes: usize): usize {
  if (top == 0) top = __heap_base
  const start = (top + 63) & ~63
  // Past 4 GiB addresses would wrap around onto live state; `limitNodes` keeps tables from it.
  if (start + bytes < start) unreachable()
  top = start + bytes
  const pages = <i32>((top + 0xffff) >>> 16)
  const missing = pages - memory.size()
  if (missing > 0 && memory.grow(missing) < 0) unreachable()
  return start
}

/** Bytes of memory in use, staging and buffers included. */
export function usedBytes(): u32 {
  return <u32>top
}

export function configureMetric(
  metric: u32,
  kind: u32,
  min: f64,
  max: f64,
  peer: i32,
  part: i32,
  good: f32,
  bad: f32,
): void {
  store<u32>(METRIC_KIND + metric * 4, kind)
  store<f64>(METRIC_MIN + metric * 8, min)
  store<f64>(METRIC_MAX + metric * 8, max)
  store<i32>(METRIC_PEER + metric * 4, peer)
  store<i32>(METRIC_HEALTH + metric * 4, part)
  store<f32>(HEALTH_GOOD + metric * 4, good)
  store<f32>(HEALTH_BAD + metric * 4, bad)
}

export function configureAttribute(attribute: u32, since: u32): void {
  store<u32>(ATTRIBUTE_SINCE + attribute * 4, since)
}

export function configureTime(
  h0: f64,
  h1: f64,
  h2: f64,
  interval: f64,
  fromFirst: u32,
  heartbeat: f64,
): void {
  halfLife0 = h0
  halfLife1 = h1
  halfLife2 = h2
  gridInterval = interval
  gridFromFirst = fromFirst != 0
  heartbeatInterval = heartbeat
}

/** Lays the table out. Call it once, first. */
export function configureTable(
  metrics: u32,
  attributes: u32,
  features: u32,
  peers: u32,
  nodes: u32,
  rows: u32,
): void {
  metricCount = metrics
  attributeCount = attributes
  featureCount = features
  peerCount = peers
  nodesMax = nodes
  rowsMax = rows
  metricsAt = ATTRIBUTES + attributes * LANE64
  missingAt = metricsAt + metrics * METRIC_BYTES
  tileBytes = missingAt + metrics * LANE32
  chunks = allocate((nodes / CHUNK_NODES + 1) * 4)
  rowNodes = allocate(rows * 4)
  rowTimes = allocate(rows * 8)
  rowTriggers = allocate(rows)
  matrix = allocate(rows * features * 4)
}

/** Lowers the number of nodes to what the address space holds. */
export function limitNodes(nodes: u32): void {
  if (nodes < nodesMax) nodesMax = nodes
}

/** Makes room for one more node when `slots` are taken. */
export function growTo(slots: u32): void {
  while (chunkCount * CHUNK_NODES < slots) {
    const chunk = allocate(tileBytes * CHUNK_TILES)
    store<u32>(chunks + chunkCount * 4, <u32>chunk)
    chunkCount++
  }
}

export function tileOf(node: u32): usize {
  return <usize>load<u32>(chunks + (node >> 8) * 4) + ((node >> 4) & 15) * tileBytes
}

/** Address of lane `node` of an f64 field at `tileOf(node)`. */
export function field64(node: u32, field: u32): usize {
  return tileOf(node) + field + (node & 15) * 8
}

/** Address of lane `node` of a 32-bit field at `tileOf(node)`. */
export function field32(node: u32, field: u32): usize {
  return tileOf(node) + field + (node & 15) * 4
}

export function metricBlock(node: u32, metric: u32): usize {
  return tileOf(node) + metricsAt + metric * METRIC_BYTES
}

/** The node's entry in a metric's block. */
export function entryOf(block: usize, node: u32): usize {
  return block + ENTRIES + (node & 15) * ENTRY_BYTES
}

/** f32 per metric. */
export function missingRatios(node: u32): usize {
  return tileOf(node) + missingAt + (node & 15) * metricCount * 4
}

export function rowNodesPointer(): u32 {
  return <u32>rowNodes
}
export function rowTimesPointer(): u32 {
  return <u32>rowTimes
}
export function rowTriggersPointer(): u32 {
  return <u32>rowTriggers
}
export function matrixPointer(): u32 {
  return <u32>matrix
}
export function bytesPerTile(): u32 {
  return tileBytes
}
