// The memory map of a node table. Everything else asks here where a thing lies.
//
//   fixed      configuration of the metrics and attributes (static data; metrics.ts)
//   allocated  chunk directory, id slots, row buffer, staging, tile chunks, ids: in order of need
//
// A tile holds 256 nodes. What is asked of all nodes at once lies node after node (signs of life, flags,
// last values), so that a kernel over all nodes reads one stream and nothing else; what one sample of one
// node changes lies together. Metrics go by quads: four of one node are the lanes of one vector.
//
//   line               64 bytes per node: f64 lastSeen, firstAt, lastAt, nextGrid, emittedAt; u32/f32
//                      arrival mean, arrival variance, cohort, id pointer, id length, id hash
//   seen, flags        f64 lastSeenObserved; u32
//   attributes         f64 per node and attribute (an epoch in ms does not fit a float32)
//   values             per node and quad f32 x 4: the last value
//   moments            per node and quad 160 bytes: f32 x 4 of mean x 3, variance x 3, changes x 3, maximum
//   history            per node and quad 64 bytes: missing ratio, and the times of what moved or stayed
//                      away (times.ts): mostly neither read nor written
//   raw                per node and counter f64
//   states             per node and quad one byte (times.ts)
//
// For 16 gauges that is 64 + 12 + 64 + 640 + 256 + 4 = 1,040 bytes a node.
//
// One WebAssembly instance is one node table, one trainer or one model, never two: each owns its whole
// memory.

export const METRICS_MAX: u32 = 64
export const ATTRIBUTES_MAX: u32 = 16
/** Nodes of a tile. */
export const LANES: u32 = 256
export const NO_NODE: u32 = 0xffffffff
export const NO_COHORT: u32 = 0xffffffff

// Fields of a node's line.
export const LAST_SEEN: u32 = 0
export const FIRST_AT: u32 = 8
export const LAST_AT: u32 = 16
export const NEXT_GRID: u32 = 24
export const EMITTED_AT: u32 = 32
export const ARRIVAL_MEAN: u32 = 40
export const ARRIVAL_VARIANCE: u32 = 44
export const COHORT: u32 = 48
export const ID_POINTER: u32 = 52
export const ID_LENGTH: u32 = 56
export const ID_HASH: u32 = 60
const LINE_BYTES: u32 = 64

const SEEN_OBSERVED: u32 = LANES * LINE_BYTES
const FLAGS: u32 = SEEN_OBSERVED + LANES * 8
const ATTRIBUTES: u32 = FLAGS + LANES * 4

/** Bytes of four float32, and of what the three areas hold of a quad. */
export const VALUES_BYTES: u32 = 16
export const MOMENTS_BYTES: u32 = 160
export const HISTORY_BYTES: u32 = 64

// Fields of a quad's moments; those with one float32 per half-life follow each other.
export const MEAN: u32 = 0
export const VARIANCE: u32 = 48
export const CHANGES: u32 = 96
export const MAXIMUM: u32 = 144

// Bits of a node's flags.
export const USED: u32 = 1
export const SILENT: u32 = 2
/** Folded since its last row. */
export const CHANGED: u32 = 4
/** Stands in the queue of changed nodes; outlives the node, so that a slot is there only once. */
export const QUEUED: u32 = 8
export const SEEN: u32 = 16
/** Has had a sample. */
export const SAMPLED: u32 = 32
/** Some missing ratio is not zero. */
export const GAPS: u32 = 64
/** A sample after its last row of kind change, or that row's own, left the node's past. */
export const NOTICED: u32 = 128

/** 1 where the attribute is an epoch: its feature is the hours since. */
export const ATTRIBUTE_SINCE: usize = memory.data(16 * 4, 16)

export let metricCount: u32 = 0
export let attributeCount: u32 = 0
export let featureCount: u32 = 0
export let peerCount: u32 = 0
export let tileBytes: u32 = 0
export let quadCount: u32 = 0
let valuesAt: u32 = 0
let momentsAt: u32 = 0
let historyAt: u32 = 0
let rawAt: u32 = 0
let rawBytes: u32 = 0
let statesAt: u32 = 0
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
export let rowHashesAt: usize = 0
export let rowDeviationsAt: usize = 0
export let matrix: usize = 0

let top: usize = 0
let tiles: usize = 0
let tileCount: u32 = 0

/** 64-byte aligned and zeroed; grows memory, which detaches every view. Never freed. */
export function allocate(bytes: usize): usize {
  if (top == 0) top = __heap_base
  const start = (top + 63) & ~63
  // Past 4 GiB addresses would wrap around onto live state; `limitNodes` keeps tables from it.
  if (start + bytes < start) unreachable()
  top = start + bytes
  const pages = <i32>((top + 0xffff) >>> 16)
  const missing = pages - memory.size()
  if (missing > 0) growMemory(missing)
  return start
}

/**
 * By an eighth at least: whoever runs us takes each growth for that much new memory, and a fleet that
 * is seen for the first time would have its garbage collected a hundred times a second.
 */
function growMemory(pages: i32): void {
  if (memory.grow(max<i32>(pages, memory.size() >> 3)) >= 0) return
  if (memory.grow(pages) < 0) unreachable()
}

/** Bytes of memory in use, staging and buffers included. */
export function usedBytes(): u32 {
  return <u32>top
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
  counters: u32,
  nodes: u32,
  rows: u32,
): void {
  metricCount = metrics
  attributeCount = attributes
  featureCount = features
  peerCount = peers
  nodesMax = nodes
  rowsMax = rows
  quadCount = (metrics + 3) / 4
  rawBytes = counters * 8
  valuesAt = ATTRIBUTES + LANES * attributes * 8
  momentsAt = valuesAt + LANES * quadCount * VALUES_BYTES
  historyAt = momentsAt + LANES * quadCount * MOMENTS_BYTES
  rawAt = historyAt + LANES * quadCount * HISTORY_BYTES
  statesAt = rawAt + LANES * rawBytes
  tileBytes = (statesAt + LANES * quadCount + 63) & ~63
  tiles = allocate((nodes / LANES + 1) * 4)
  rowNodes = allocate(rows * 4)
  rowTimes = allocate(rows * 8)
  rowTriggers = allocate(rows)
  rowHashesAt = allocate(((rows + 7) & ~7) * 8)
  rowDeviationsAt = allocate(rows * 8)
  matrix = allocate(rows * features * 4)
}

/** Lowers the number of nodes to what the address space holds. */
export function limitNodes(nodes: u32): void {
  if (nodes < nodesMax) nodesMax = nodes
}

/** Makes room for one more node when `slots` are taken. */
export function growTo(slots: u32): void {
  while (tileCount * LANES < slots) {
    const tile = allocate(tileBytes)
    store<u32>(tiles + tileCount * 4, <u32>tile)
    tileCount++
  }
}

export function tileOf(node: u32): usize {
  return <usize>load<u32>(tiles + (node >> 8) * 4)
}

/** Position of the node in its tile. */
export function laneOf(node: u32): u32 {
  return node & 255
}

export function lineOf(tile: usize, lane: u32): usize {
  return tile + lane * LINE_BYTES
}

/** Address of a field of the node's line. */
export function fieldOf(node: u32, field: u32): usize {
  return lineOf(tileOf(node), laneOf(node)) + field
}

/** f64: observed time of the last sign of life. The next nodes' follow, and so with flags. */
export function seenObservedOf(tile: usize, lane: u32): usize {
  return tile + SEEN_OBSERVED + lane * 8
}

export function flagsOf(tile: usize, lane: u32): usize {
  return tile + FLAGS + lane * 4
}

/** f64 per attribute. */
export function attributesOf(tile: usize, lane: u32): usize {
  return tile + ATTRIBUTES + lane * attributeCount * 8
}

/** Last values of the node's first quad; the other quads' follow, and so below. */
export function valuesOf(tile: usize, lane: u32): usize {
  return tile + valuesAt + lane * quadCount * VALUES_BYTES
}

export function momentsOf(tile: usize, lane: u32): usize {
  return tile + momentsAt + lane * quadCount * MOMENTS_BYTES
}

export function historyOf(tile: usize, lane: u32): usize {
  return tile + historyAt + lane * quadCount * HISTORY_BYTES
}

/** f64 per counter: its last reading. */
export function rawOf(tile: usize, lane: u32): usize {
  return tile + rawAt + lane * rawBytes
}

/** u8 per quad. */
export function statesOf(tile: usize, lane: u32): usize {
  return tile + statesAt + lane * quadCount
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
export function rowHashesPointer(): u32 {
  return <u32>rowHashesAt
}
export function rowDeviationsPointer(): u32 {
  return <u32>rowDeviationsAt
}
export function matrixPointer(): u32 {
  return <u32>matrix
}
/** Of its tile; its id comes on top. */
export function bytesPerNode(): f64 {
  return <f64>tileBytes / <f64>LANES
}
