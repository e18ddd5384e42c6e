// Rows on their way from telemetry to the partitions of node-log: names are hashed, and columns dealt
// out to the columns of each partition's next record. Reference: src/ingest/samples.ts with
// src/core/partition.ts.
//
// Columns of a partition hold the same number of rows and grow together: at f64 rows the values of
// metric m begin m x capacity after those of metric 0.
import { allocate } from './layout'
import { ID_BYTES_MAX } from './id-table'

// Fields of a partition, u32 each.
const COUNT: u32 = 0
const NAMES: u32 = 4
const NAMES_CAPACITY: u32 = 8
const ENDS: u32 = 12
const AT: u32 = 16
const APPENDED: u32 = 20
const VALUES: u32 = 24
/** 1 when some value is no float32. */
const WIDE: u32 = 28
const PARTITION_BYTES: u32 = 32

const NAMES_AT_FIRST: u32 = 4096
const ROWS_AT_FIRST: u32 = 256
const MURMUR_SEED: u32 = 0x9747b28c
const MURMUR_M: u32 = 0x5bd1e995

let partitions: u32 = 0
let metrics: u32 = 0
let rowsMax: u32 = 0
let capacity: u32 = 0
let table: usize = 0
let input: usize = 0
let inputCapacity: u32 = 0
let output: usize = 0
let outputCapacity: u32 = 0
/** u32 per row of the input: its partition; its place in it, and then where its first value goes. */
let rowPartition: usize = 0
let rowTarget: usize = 0
let rowCapacity: u32 = 0
let full: u32 = 0

export function configureRoute(partitionCount: u32, metricCount: u32, rowsPerRecordMax: u32): void {
  partitions = partitionCount
  metrics = metricCount
  rowsMax = rowsPerRecordMax
  table = allocate(partitions * PARTITION_BYTES)
  for (let p: u32 = 0; p < partitions; p++) {
    const part = partitionAt(p)
    store<u32>(part, <u32>allocate(NAMES_AT_FIRST), NAMES)
    store<u32>(part, NAMES_AT_FIRST, NAMES_CAPACITY)
  }
  growRows(min<u32>(ROWS_AT_FIRST, rowsMax))
}

function partitionAt(p: u32): usize {
  return table + p * PARTITION_BYTES
}

/** Room for the next rows' columns, as JavaScript lays them. */
export function routeInput(bytes: u32): u32 {
  if (bytes > inputCapacity) {
    inputCapacity = max<u32>(bytes, inputCapacity * 2)
    input = allocate(inputCapacity)
  }
  return <u32>input
}

/**
 * Finds each row's partition. Names are Arrow utf8 (i32 offsets, bytes), times i64 in ms, or 0 where
 * they are no rows but a dictionary's entries. Returns the first row that is not plain (an odd name, a
 * time outside [oldest, latest]), or `rows`.
 */
export function routeCheck(
  rows: u32,
  offsets: usize,
  bytes: usize,
  byteCount: u32,
  at: usize,
  oldest: f64,
  latest: f64,
): u32 {
  growTargets(rows)
  for (let r: u32 = 0; r < rows; r++) {
    const start = load<u32>(offsets + r * 4)
    const end = load<u32>(offsets + r * 4, 4)
    if (at != 0 && !isTimely(at + r * 8, oldest, latest)) return r
    if (start >= end || end > byteCount || end - start > ID_BYTES_MAX) return r
    if (!isPlain(bytes + start, bytes + end)) return r
    const hash = murmur2(bytes + start, end - start)
    store<u32>(rowPartition + r * 4, (hash & 0x7fffffff) % partitions)
  }
  return rows
}

/** The same through a dictionary, right after the check of its entries. */
export function routeKeys(
  rows: u32,
  keys: usize,
  entries: u32,
  at: usize,
  oldest: f64,
  latest: f64,
): u32 {
  growTargets(max<u32>(rows, entries))
  const known = rowTarget
  memory.copy(known, rowPartition, entries * 4)
  for (let r: u32 = 0; r < rows; r++) {
    const key = load<u32>(keys + r * 4)
    if (key >= entries || !isTimely(at + r * 8, oldest, latest)) return r
    store<u32>(rowPartition + r * 4, load<u32>(known + key * 4))
  }
  return rows
}

function isTimely(at: usize, oldest: f64, latest: f64): bool {
  const time = <f64>load<i64>(at)
  return time >= oldest && time <= latest
}

/** Printable ASCII, which needs no closer look. */
function isPlain(from: usize, to: usize): bool {
  for (let i = from; i < to; i++) {
    const byte = load<u8>(i)
    if (byte < 0x20 || byte >= 0x80) return false
  }
  return true
}

/** As Kafka's Java client hashes a key. */
function murmur2(bytes: usize, length: u32): u32 {
  let h: u32 = MURMUR_SEED ^ length
  const words = length & ~3
  for (let i: u32 = 0; i < words; i += 4) {
    let k = load<u32>(bytes + i) * MURMUR_M
    k ^= k >>> 24
    h = (h * MURMUR_M) ^ (k * MURMUR_M)
  }
  const rest = length & 3
  if (rest == 3) h ^= (<u32>load<u8>(bytes + words + 2)) << 16
  if (rest >= 2) h ^= (<u32>load<u8>(bytes + words + 1)) << 8
  if (rest >= 1) h = (h ^ <u32>load<u8>(bytes + words)) * MURMUR_M
  h ^= h >>> 13
  h *= MURMUR_M
  return h ^ (h >>> 15)
}

/**
 * Names and times of the rows from `from` on go to their partitions. Returns the row to go on with:
 * `rows`, or the first whose partition (`fullPartition`) must be taken first. `keys` 0: a name a row.
 */
export function routeNames(
  from: u32,
  rows: u32,
  keys: usize,
  offsets: usize,
  bytes: usize,
  at: usize,
  appendedAt: f64,
): u32 {
  for (let r = from; r < rows; r++) {
    const p = load<u32>(rowPartition + r * 4)
    const part = partitionAt(p)
    const count = load<u32>(part, COUNT)
    if (count == rowsMax) {
      full = p
      return r
    }
    if (count == capacity) growRows(min<u32>(capacity * 2, rowsMax))
    const entry = offsets + (keys == 0 ? r : load<u32>(keys + r * 4)) * 4
    addName(part, count, bytes + load<u32>(entry), load<u32>(entry, 4) - load<u32>(entry))
    store<i64>(load<u32>(part, AT) + count * 8, load<i64>(at + r * 8))
    store<i64>(load<u32>(part, APPENDED) + count * 8, <i64>appendedAt)
    store<u32>(part, count + 1, COUNT)
    // An address only later: columns may move while rows are added.
    store<u32>(rowTarget + r * 4, count)
  }
  return rows
}

export function fullPartition(): u32 {
  return full
}

function addName(part: usize, row: u32, bytes: usize, length: u32): void {
  const ends = <usize>load<u32>(part, ENDS)
  const start = load<u32>(ends + row * 4)
  const needed = start + length
  if (needed > load<u32>(part, NAMES_CAPACITY)) {
    const room = max<u32>(needed, load<u32>(part, NAMES_CAPACITY) * 2)
    const names = allocate(room)
    memory.copy(names, load<u32>(part, NAMES), start)
    store<u32>(part, <u32>names, NAMES)
    store<u32>(part, room, NAMES_CAPACITY)
  }
  memory.copy(<usize>load<u32>(part, NAMES) + start, bytes, length)
  store<u32>(ends + row * 4, needed, 4)
}

/**
 * Values of rows `from`..`to`, whose names are there. `columns`: per metric u32 address of its values,
 * their width (4, 8, or 0 where the record lacks it), address of its validity bitmap or 0.
 */
export function routeColumns(from: u32, to: u32, columns: usize): void {
  for (let r = from; r < to; r++) {
    const part = partitionAt(load<u32>(rowPartition + r * 4))
    const row = load<u32>(rowTarget + r * 4)
    store<u32>(rowTarget + r * 4, load<u32>(part, VALUES) + row * 8)
  }
  let wide = false
  for (let m: u32 = 0; m < metrics; m++, columns += 12) {
    const values = <usize>load<u32>(columns)
    const width = load<u32>(columns, 4)
    const bitmap = <usize>load<u32>(columns, 8)
    const column = <usize>m * capacity * 8
    if (width == 8) wide = routeDoubles(from, to, values, column) || wide
    else if (width == 4) routeFloats(from, to, values, column)
    else routeNothing(from, to, column)
    if (bitmap != 0) routeNulls(from, to, bitmap, column)
  }
  if (!wide) return
  for (let r = from; r < to; r++) store<u32>(partitionAt(load<u32>(rowPartition + r * 4)), 1, WIDE)
}

/** True where some value is no float32. */
function routeDoubles(from: u32, to: u32, values: usize, column: usize): bool {
  let wide: u32 = 0
  for (let r = from; r < to; r++) {
    const value = load<f64>(values + r * 8)
    store<f64>(<usize>load<u32>(rowTarget + r * 4) + column, value)
    wide |= u32(<f64>(<f32>value) != value) & u32(value == value)
  }
  return wide != 0
}

function routeFloats(from: u32, to: u32, values: usize, column: usize): void {
  for (let r = from; r < to; r++) {
    const value = <f64>load<f32>(values + r * 4)
    store<f64>(<usize>load<u32>(rowTarget + r * 4) + column, value)
  }
}

function routeNothing(from: u32, to: u32, column: usize): void {
  for (let r = from; r < to; r++) store<f64>(<usize>load<u32>(rowTarget + r * 4) + column, NaN)
}

function routeNulls(from: u32, to: u32, bitmap: usize, column: usize): void {
  for (let r = from; r < to; r++) {
    if (((load<u8>(bitmap + (r >> 3)) >> (r & 7)) & 1) != 0) continue
    store<f64>(<usize>load<u32>(rowTarget + r * 4) + column, NaN)
  }
}

/** The rows of a partition were taken. */
export function clearPartition(p: u32): void {
  store<u32>(partitionAt(p), 0, COUNT)
  store<u32>(partitionAt(p), 0, WIDE)
}

/**
 * Lays the partition's columns out for a record. At the address returned: the nulls of each metric,
 * u32; then per metric its values (float32 where all values of the partition are, else float64) and its
 * validity bitmap, each of them, and the first value, at a multiple of 8.
 */
export function closePartition(p: u32): u32 {
  const part = partitionAt(p)
  const count = load<u32>(part, COUNT)
  const wide = load<u32>(part, WIDE) != 0
  const valueBytes = (count * (wide ? 8 : 4) + 7) & ~7
  const bitmapBytes = ((count + 7) / 8 + 7) & ~7
  const nulls = routeOutput(((metrics * 4 + 7) & ~7) + metrics * (valueBytes + bitmapBytes))
  let to = nulls + ((metrics * 4 + 7) & ~7)
  for (let m: u32 = 0; m < metrics; m++) {
    const from = <usize>load<u32>(part, VALUES) + m * capacity * 8
    if (wide) memory.copy(to, from, count * 8)
    else for (let r: u32 = 0; r < count; r++) store<f32>(to + r * 4, <f32>load<f64>(from + r * 8))
    to += valueBytes
    store<u32>(nulls + m * 4, markNulls(from, count, to, bitmapBytes))
    to += bitmapBytes
  }
  return <u32>nulls
}

/** Writes the bitmap where there are nulls; how many there are. */
function markNulls(values: usize, count: u32, bitmap: usize, bitmapBytes: u32): u32 {
  let nulls: u32 = 0
  for (let r: u32 = 0; r < count; r++) {
    const value = load<f64>(values + r * 8)
    nulls += u32(value != value)
  }
  if (nulls == 0) return 0
  memory.fill(bitmap, 0, bitmapBytes)
  for (let r: u32 = 0; r < count; r++) {
    const value = load<f64>(values + r * 8)
    const at = bitmap + (r >> 3)
    store<u8>(at, load<u8>(at) | ((<u8>(value == value)) << (<u8>(r & 7))))
  }
  return nulls
}

function routeOutput(bytes: u32): usize {
  if (bytes > outputCapacity) {
    outputCapacity = max<u32>(bytes, outputCapacity * 2)
    output = allocate(outputCapacity)
  }
  return output
}

export function partitionRows(p: u32): u32 {
  return load<u32>(partitionAt(p), COUNT)
}
export function partitionIsWide(p: u32): u32 {
  return load<u32>(partitionAt(p), WIDE)
}
export function partitionNames(p: u32): u32 {
  return load<u32>(partitionAt(p), NAMES)
}
export function partitionEnds(p: u32): u32 {
  return load<u32>(partitionAt(p), ENDS)
}
export function partitionTimes(p: u32): u32 {
  return load<u32>(partitionAt(p), AT)
}
export function partitionAppendedTimes(p: u32): u32 {
  return load<u32>(partitionAt(p), APPENDED)
}

function growTargets(rows: u32): void {
  if (rows <= rowCapacity) return
  const before = rowCapacity * 4
  rowCapacity = max<u32>(rows, rowCapacity * 2)
  const kept = allocate(rowCapacity * 4)
  memory.copy(kept, rowPartition, before)
  rowPartition = kept
  rowTarget = allocate(rowCapacity * 4)
}

function growRows(to: u32): void {
  const before = capacity
  capacity = to
  for (let p: u32 = 0; p < partitions; p++) {
    const part = partitionAt(p)
    const count = load<u32>(part, COUNT)
    moveTo(part, ENDS, allocate((to + 1) * 4), before == 0 ? 0 : (count + 1) * 4)
    moveTo(part, AT, allocate(to * 8), count * 8)
    moveTo(part, APPENDED, allocate(to * 8), count * 8)
    const values = allocate(<usize>to * metrics * 8)
    const old = <usize>load<u32>(part, VALUES)
    for (let m: u32 = 0; m < metrics; m++) {
      memory.copy(values + m * to * 8, old + m * before * 8, count * 8)
    }
    store<u32>(part, <u32>values, VALUES)
  }
}

function moveTo(part: usize, field: u32, to: usize, bytes: u32): void {
  memory.copy(to, load<u32>(part + field), bytes)
  store<u32>(part + field, <u32>to)
}
