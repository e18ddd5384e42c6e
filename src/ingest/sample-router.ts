/**
 * Rows of plain Arrow records on their way to the partitions of node-log, in WASM: columns are copied
 * in as they lie, dealt out by the hash of each row's node, and copied out into the next records.
 * What is not plain (odd names, times out of range, other types) goes through samples.ts row by row.
 */
import type { BatchLayout, StreamLayout, Texts } from '../core/arrow-layout.ts'
import { assert } from '../core/errors.ts'
import type { NodeClass } from '../core/node.ts'
import { type ColumnBuffers, StreamTemplate } from '../core/stream-template.ts'
import { firstSamples, ROWS_PER_BATCH_MAX } from './samples.ts'

const CALLS = [
  'configureRoute',
  'routeInput',
  'routeCheck',
  'routeKeys',
  'routeNames',
  'routeColumns',
  'fullPartition',
  'closePartition',
  'clearPartition',
  'partitionRows',
  'partitionIsWide',
  'partitionNames',
  'partitionEnds',
  'partitionTimes',
  'partitionAppendedTimes',
] as const

type RouteKernel = Readonly<Record<(typeof CALLS)[number], (...args: number[]) => number>>

const PAGES_INITIAL = 32
const COLUMN_WORDS = 3
const NO_BYTES = new Uint8Array(0)

/** When a sample may be from: what is outside is refused, with a reason, elsewhere. */
export interface TimeRange {
  readonly oldestMs: number
  readonly latestMs: number
}

/** Addresses of one batch's columns in the kernel's input. */
interface Staged {
  readonly rows: number
  readonly at: number
  /** Of the names, or of the dictionary's. */
  readonly texts: { readonly rows: number; readonly offsets: number; readonly bytes: number }
  readonly textBytes: number
  /** 0: each row has a name of its own. */
  readonly keys: number
  readonly columns: number
}

export class SampleRouter {
  readonly #kernel: RouteKernel
  readonly #memory: WebAssembly.Memory
  readonly #metricCount: number
  /** Records of float32 columns, and of float64 ones. */
  readonly #templates: readonly [StreamTemplate, StreamTemplate]

  constructor(module: WebAssembly.Module, nodeClass: NodeClass, partitionCount: number) {
    this.#memory = new WebAssembly.Memory({ initial: PAGES_INITIAL })
    const abort = (): never => {
      throw new Error('bug: the kernel aborted')
    }
    const env = { memory: this.#memory, abort }
    const { exports } = new WebAssembly.Instance(module, { env })
    for (const name of CALLS) {
      assert(typeof exports[name] === 'function', `foreshock.wasm has no ${name}: build it anew`)
    }
    this.#kernel = exports as unknown as RouteKernel
    this.#metricCount = nodeClass.metrics.length
    this.#kernel.configureRoute(partitionCount, this.#metricCount, ROWS_PER_BATCH_MAX)
    const templateOf = (width: 4 | 8) => new StreamTemplate(firstSamples(nodeClass, width))
    this.#templates = [templateOf(4), templateOf(8)]
  }

  /** Rows that wait for the partition's next record. */
  count(partition: number): number {
    return this.#kernel.partitionRows(partition)
  }

  /**
   * Takes the rows of a record; `onFull` must build the partition it is given. False where a row is
   * not plain: then nothing of the record was taken.
   */
  take(
    { batches, dictionary }: StreamLayout,
    range: TimeRange,
    appendedAtMs: number,
    onFull: (partition: number) => void,
  ): boolean {
    let staged: Staged | undefined
    for (const batch of batches) {
      staged = this.#stage(batch, dictionary)
      if (!this.#check(staged, range)) return false
    }
    for (const batch of batches) {
      if (batches.length > 1) {
        staged = this.#stage(batch, dictionary)
        this.#check(staged, range)
      }
      this.#route(staged!, appendedAtMs, onFull)
    }
    return true
  }

  /** The partition's rows as an Arrow IPC stream; none are left. */
  build(partition: number): Uint8Array {
    const kernel = this.#kernel
    const count = kernel.partitionRows(partition)
    const width = kernel.partitionIsWide(partition) === 1 ? 8 : 4
    const closed = kernel.closePartition(partition) >>> 0
    // Closing may have grown the memory, so views on it are taken after.
    const ends = kernel.partitionEnds(partition) >>> 0
    const nameBytes = new DataView(this.#memory.buffer).getUint32(ends + 4 * count, true)
    const plain = (...buffers: readonly Uint8Array[]): ColumnBuffers => ({
      nullCount: 0,
      buffers: [NO_BYTES, ...buffers],
    })
    const stream = this.#templates[width === 4 ? 0 : 1].write(count, [
      plain(
        this.#view(ends, 4 * count + 4),
        this.#view(kernel.partitionNames(partition), nameBytes),
      ),
      plain(this.#view(kernel.partitionTimes(partition), 8 * count)),
      plain(this.#view(kernel.partitionAppendedTimes(partition), 8 * count)),
      ...this.#columns(closed, count, width),
    ])
    kernel.clearPartition(partition)
    return stream
  }

  /** As `closePartition` lays them. */
  #columns(closed: number, count: number, width: number): readonly ColumnBuffers[] {
    const bitmapBytes = (count + 7) >> 3
    const nulls = new Uint32Array(this.#memory.buffer, closed, this.#metricCount)
    let at = closed + aligned(4 * this.#metricCount)
    return Array.from(nulls, (nullCount) => {
      const values = this.#view(at, count * width)
      at += aligned(count * width)
      const bitmap = nullCount === 0 ? NO_BYTES : this.#view(at, bitmapBytes)
      at += aligned(bitmapBytes)
      return { nullCount, buffers: [bitmap, values] }
    })
  }

  #stage({ rows, at, node, metrics }: BatchLayout, dictionary: Texts | undefined): Staged {
    const texts = node instanceof Uint8Array ? dictionary! : node
    const parts: Uint8Array[] = [at, texts.offsets, texts.bytes]
    if (node instanceof Uint8Array) parts.push(node)
    for (const column of metrics) {
      if (column === undefined) continue
      parts.push(column.values)
      if (column.validity !== undefined) parts.push(column.validity)
    }
    const columnBytes = 4 * COLUMN_WORDS * metrics.length
    const length = parts.reduce((sum, part) => sum + aligned(part.length), aligned(columnBytes))
    const columns = this.#kernel.routeInput(length) >>> 0
    const memory = new Uint8Array(this.#memory.buffer)
    let next = columns + aligned(columnBytes)
    const lay = (part: Uint8Array): number => {
      const to = next
      memory.set(part, to)
      next += aligned(part.length)
      return to
    }
    const [atAt, offsets, bytes] = [lay(at), lay(texts.offsets), lay(texts.bytes)]
    const keys = node instanceof Uint8Array ? lay(node) : 0
    const words = new Uint32Array(this.#memory.buffer, columns, COLUMN_WORDS * metrics.length)
    for (const [metric, column] of metrics.entries()) {
      const values = column === undefined ? 0 : lay(column.values)
      const bitmap = column?.validity === undefined ? 0 : lay(column.validity)
      words[COLUMN_WORDS * metric] = values
      words[COLUMN_WORDS * metric + 1] = column?.width ?? 0
      words[COLUMN_WORDS * metric + 2] = bitmap
    }
    const names = { rows: texts.rows, offsets, bytes }
    return { rows, at: atAt, texts: names, textBytes: texts.bytes.length, keys, columns }
  }

  #check({ rows, at, texts, textBytes, keys }: Staged, range: TimeRange): boolean {
    const { routeCheck, routeKeys } = this.#kernel
    const { oldestMs, latestMs } = range
    const { offsets, bytes, rows: names } = texts
    if (keys === 0) {
      return routeCheck(rows, offsets, bytes, textBytes, at, oldestMs, latestMs) === rows
    }
    if (routeCheck(names, offsets, bytes, textBytes, 0, 0, 0) < names) return false
    return routeKeys(rows, keys, names, at, oldestMs, latestMs) === rows
  }

  #route(staged: Staged, appendedAtMs: number, onFull: (partition: number) => void): void {
    const { rows, at, texts, keys, columns } = staged
    const { routeNames, routeColumns, fullPartition } = this.#kernel
    for (let from = 0; from < rows;) {
      const to = routeNames(from, rows, keys, texts.offsets, texts.bytes, at, appendedAtMs) >>> 0
      routeColumns(from, to, columns)
      from = to
      if (from < rows) onFull(fullPartition())
    }
  }

  /** Good until the kernel's memory grows. */
  #view(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at >>> 0, length)
  }
}

function aligned(length: number): number {
  return (length + 7) & ~7
}
