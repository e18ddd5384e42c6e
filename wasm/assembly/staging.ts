// Where JavaScript lays a record batch before it is folded: ids as Arrow keeps them, then columns.
// Staging grows by doubling and is kept; what it outgrew is never more than what it holds.
import { NO_NODE, allocate, metricCount } from './layout'
import { ID_BYTES_MAX, firstEntry, hashOf } from './id-table'
import { intern } from './node-slot'

const UNASKED: u32 = NO_NODE - 1
const FULL: u32 = NO_NODE - 2
const AHEAD: u32 = 32
const ENTRIES: usize = memory.data(32 * 4, 16)
/** Only to be written, so that no touch is optimised away. */
export let touched: u32 = 0

export let staged: u32 = 0
export let stagedNodes: usize = 0
export let stagedAt: usize = 0
export let stagedAppended: usize = 0
export let stagedValues: usize = 0
let rowCapacity: u32 = 0
let text: usize = 0
let textCapacity: u32 = 0

/** Room for `rows`; the columns' pointers are then valid. Values: metricCount x rows f64, by metric. */
export function stage(rows: u32): void {
  staged = rows
  if (rows <= rowCapacity) return
  while (rowCapacity < rows) rowCapacity = rowCapacity == 0 ? 1024 : rowCapacity * 2
  stagedNodes = allocate(rowCapacity * 4)
  stagedAt = allocate(rowCapacity * 8)
  stagedAppended = allocate(rowCapacity * 8)
  stagedValues = allocate(<usize>rowCapacity * metricCount * 8)
}

export function stagedNodesPointer(): u32 {
  return <u32>stagedNodes
}
export function stagedAtPointer(): u32 {
  return <u32>stagedAt
}
export function stagedAppendedPointer(): u32 {
  return <u32>stagedAppended
}
export function stagedValuesPointer(): u32 {
  return <u32>stagedValues
}

/** Room for ids, offsets, keys or a validity bitmap. */
export function stageText(bytes: u32): u32 {
  if (bytes + 16 > textCapacity) {
    textCapacity = max(bytes + 16, textCapacity * 2)
    text = allocate(textCapacity)
  }
  return <u32>text
}

/**
 * Ids (Arrow utf8: i32 offsets [rows + 1], bytes) to slots in the staged nodes from `from` on. Returns
 * the rows done: fewer than `rows` when the table is full. What is no id becomes NO_NODE.
 */
export function resolve(offsets: usize, bytes: usize, byteCount: u32, rows: u32, from: u32): u32 {
  for (let r: u32 = 0; r < rows; r++) {
    if (r % AHEAD == 0) lookAhead(offsets + r * 4, bytes, byteCount, min<u32>(AHEAD, rows - r))
    const node = internAt(offsets + r * 4, bytes, byteCount)
    if (node == FULL) return r
    store<u32>(stagedNodes + (from + r) * 4, node)
  }
  return rows
}

/**
 * Touches what the next rows' look-ups will read, so that a large table's misses of the cache overlap
 * instead of following each other: first all entries, then all that they point to.
 */
function lookAhead(offset: usize, bytes: usize, byteCount: u32, rows: u32): void {
  for (let r: u32 = 0; r < rows; r++) {
    const start = load<u32>(offset + r * 4)
    const end = load<u32>(offset + r * 4, 4)
    const fits = start < end && end <= byteCount && end - start <= ID_BYTES_MAX
    const entry = fits ? firstEntry(hashOf(bytes + start, end - start)) : 0
    store<u32>(ENTRIES + r * 4, <u32>entry)
    if (entry != 0) touched += load<u32>(entry)
  }
  for (let r: u32 = 0; r < rows; r++) {
    const entry = <usize>load<u32>(ENTRIES + r * 4)
    if (entry != 0) touched += load<u32>(load<u32>(entry, 4))
  }
}

/** 1 when every key names one of the `entries`. */
export function keysWithin(keys: usize, rows: u32, entries: u32): u32 {
  for (let r: u32 = 0; r < rows; r++) if (load<u32>(keys + r * 4) >= entries) return 0
  return 1
}

/**
 * The same through a dictionary: `known` is u32 [entries], filled with UNASKED, so that an entry no
 * row uses adds no node. Keys must be within it.
 */
export function resolveKeys(
  keys: usize,
  known: usize,
  offsets: usize,
  bytes: usize,
  byteCount: u32,
  rows: u32,
  from: u32,
): u32 {
  for (let r: u32 = 0; r < rows; r++) {
    const key = load<u32>(keys + r * 4)
    let node = load<u32>(known + key * 4)
    if (node == UNASKED) {
      node = internAt(offsets + key * 4, bytes, byteCount)
      if (node == FULL) return r
      store<u32>(known + key * 4, node)
    }
    store<u32>(stagedNodes + (from + r) * 4, node)
  }
  return rows
}

/** Offsets that lead out of the bytes name no node, as do names that are too long. */
function internAt(offset: usize, bytes: usize, byteCount: u32): u32 {
  const start = load<u32>(offset)
  const end = load<u32>(offset, 4)
  if (start >= end || end > byteCount || end - start > ID_BYTES_MAX) return NO_NODE
  const node = intern(bytes + start, end - start)
  return node == NO_NODE ? FULL : node
}

/** Arrow nulls become NaN: bit 0 of the bitmap says that a value is missing. */
export function applyNulls(values: usize, bitmap: usize, rows: u32): void {
  for (let r: u32 = 0; r < rows; r++) {
    if (((load<u8>(bitmap + (r >> 3)) >> (r & 7)) & 1) == 0) store<f64>(values + r * 8, NaN)
  }
}
