/** Lays the columns of a plain `samples` record into the kernel's staging area, straight from its bytes. */
import type { BatchLayout, Column, StreamLayout, Texts } from '../core/arrow-layout.ts'
import { ServiceError } from '../core/errors.ts'
import type { Kernel } from './kernel.ts'

export const UNASKED = 0xffff_fffe

/** False where a column is missing that every record of node-log has. */
export function stageLayout(kernel: Kernel, layout: StreamLayout): boolean {
  const { rows, batches, dictionary } = layout
  if (batches.some(({ appendedAt }) => appendedAt === undefined)) return false
  kernel.stage(rows)
  let from = 0
  for (const batch of batches) {
    stageColumns(kernel, batch, rows, from)
    from += batch.rows
  }
  if (dictionary === undefined) resolveTexts(kernel, batches)
  else resolveKeys(kernel, batches, dictionary)
  return true
}

function stageColumns(kernel: Kernel, batch: BatchLayout, rows: number, from: number): void {
  // Addresses above 2 GiB arrive as negative numbers.
  copyTo(kernel, (kernel.stagedAtPointer() >>> 0) + from * 8, batch.at)
  copyTo(kernel, (kernel.stagedAppendedPointer() >>> 0) + from * 8, batch.appendedAt!)
  const values = (kernel.stagedValuesPointer() >>> 0) + from * 8
  for (const [index, column] of batch.metrics.entries()) {
    const to = values + index * rows * 8
    if (column === undefined) {
      new Float64Array(kernel.memory.buffer, to, batch.rows).fill(Number.NaN)
      continue
    }
    stageColumn(kernel, to, column)
    if (column.validity !== undefined) stageNulls(kernel, to, column.validity, batch.rows)
  }
}

function stageColumn(kernel: Kernel, to: number, { values, width }: Column): void {
  if (width === 8) return copyTo(kernel, to, values)
  const rows = values.length / 4
  const at = kernel.stageText(values.length) >>> 0
  copyTo(kernel, at, values)
  const { buffer } = kernel.memory
  new Float64Array(buffer, to, rows).set(new Float32Array(buffer, at, rows))
}

export function stageNulls(kernel: Kernel, values: number, bitmap: Uint8Array, rows: number): void {
  const at = kernel.stageText(bitmap.length) >>> 0
  copyTo(kernel, at, bitmap)
  kernel.applyNulls(values, at, rows)
}

function resolveTexts(kernel: Kernel, batches: readonly BatchLayout[]): void {
  let from = 0
  for (const { node, rows } of batches) {
    const { offsets, bytes } = node as Texts
    const at = kernel.stageText(offsets.length + bytes.length) >>> 0
    copyTo(kernel, at, offsets)
    copyTo(kernel, at + offsets.length, bytes)
    const done = kernel.resolve(at, at + offsets.length, bytes.length, rows, from)
    if (done < rows) throw tableFull(kernel)
    from += rows
  }
}

/** Each name is looked up once, however many batches of the record use it. */
function resolveKeys(kernel: Kernel, batches: readonly BatchLayout[], names: Texts): void {
  const keysLength = 4 * Math.max(0, ...batches.map(({ rows }) => rows))
  const { offsets, bytes, rows: entries } = names
  const keysAt = kernel.stageText(keysLength + 4 * entries + offsets.length + bytes.length) >>> 0
  const knownAt = keysAt + keysLength
  const offsetsAt = knownAt + 4 * entries
  const bytesAt = offsetsAt + offsets.length
  copyTo(kernel, offsetsAt, offsets)
  copyTo(kernel, bytesAt, bytes)
  new Uint32Array(kernel.memory.buffer, knownAt, entries).fill(UNASKED)
  // All of them first: a record that is refused adds no node.
  for (const { node, rows } of batches) {
    copyTo(kernel, keysAt, node as Uint8Array)
    if (kernel.keysWithin(keysAt, rows, entries) === 0) throw keyOutOfRange()
  }
  let from = 0
  for (const { node, rows } of batches) {
    if (batches.length > 1) copyTo(kernel, keysAt, node as Uint8Array)
    const done = kernel.resolveKeys(keysAt, knownAt, offsetsAt, bytesAt, bytes.length, rows, from)
    if (done < rows) throw tableFull(kernel)
    from += rows
  }
}

/** A view is made anew each time, because growing memory detaches them all. */
function copyTo(kernel: Kernel, to: number, bytes: Uint8Array): void {
  new Uint8Array(kernel.memory.buffer, to, bytes.length).set(bytes)
}

export function keyOutOfRange(): ServiceError {
  return new ServiceError(
    'INPUT_INVALID',
    'samples record has a dictionary key out of range in column node',
  )
}

export function tableFull(kernel: Kernel): ServiceError {
  return new ServiceError(
    'TABLE_FULL',
    `the node table is full at ${kernel.nodes()} nodes: raise nodesMax or add partitions`,
  )
}
