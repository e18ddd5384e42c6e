/**
 * Decoded samples in columns that are kept between records and only grow, so that a row leaves no
 * garbage. Names are those of an Arrow column of texts, and values lie row by row.
 */
import type { NodeClass } from '../core/node.ts'

const ROWS_AT_FIRST = 64
/** A record that takes more than this is rare; its columns are given back when the next one comes. */
const BYTES_KEPT_MAX = 8_388_608

export class SampleRows {
  count = 0
  /** Row r is of the node named by `names[nameEnds[r], nameEnds[r + 1])`, in UTF-8. */
  names = new Uint8Array(16 * ROWS_AT_FIRST)
  nameEnds = new Int32Array(ROWS_AT_FIRST + 1)
  atMs = new Float64Array(ROWS_AT_FIRST)
  /** Of which class each row is; what lies behind the rows is of an earlier record. */
  readonly nodeClasses: NodeClass[] = []
  /** From `valueStarts[r]` on: as many as its class has metrics, in their order; NaN is missing. */
  values = new Float64Array(16 * ROWS_AT_FIRST)
  valueStarts = new Int32Array(ROWS_AT_FIRST + 1)

  clear(): void {
    this.count = 0
    const { byteLength } = this.values
    if (byteLength + this.names.length + 16 * this.atMs.length <= BYTES_KEPT_MAX) return
    this.names = new Uint8Array(16 * ROWS_AT_FIRST)
    this.nameEnds = new Int32Array(ROWS_AT_FIRST + 1)
    this.atMs = new Float64Array(ROWS_AT_FIRST)
    this.values = new Float64Array(16 * ROWS_AT_FIRST)
    this.valueStarts = new Int32Array(ROWS_AT_FIRST + 1)
  }

  /** Makes room for the values of one more row and says where they go; all are missing yet. */
  openRow(valueCount: number): number {
    const row = this.count
    if (row + 1 >= this.nameEnds.length) this.#growRows()
    const start = this.valueStarts[row]
    const end = start + valueCount
    if (end > this.values.length) {
      this.values = grown(this.values, new Float64Array(Math.max(end, 2 * this.values.length)))
    }
    for (let i = start; i < end; i++) this.values[i] = NaN
    return start
  }

  /** The row opened last is of the node named by `bytes[start, end)`. */
  closeRow(
    nodeClass: NodeClass,
    bytes: Uint8Array,
    start: number,
    end: number,
    atMs: number,
  ): void {
    const row = this.count++
    const from = this.nameEnds[row]
    const to = from + end - start
    if (to > this.names.length) {
      this.names = grown(this.names, new Uint8Array(Math.max(to, 2 * this.names.length)))
    }
    const { names } = this
    for (let i = from; i < to; i++) names[i] = bytes[start + i - from]
    this.nameEnds[row + 1] = to
    this.atMs[row] = atMs
    this.nodeClasses[row] = nodeClass
    this.valueStarts[row + 1] = this.valueStarts[row] + nodeClass.metrics.length
  }

  #growRows(): void {
    const length = 2 * (this.nameEnds.length - 1)
    this.nameEnds = grown(this.nameEnds, new Int32Array(length + 1))
    this.valueStarts = grown(this.valueStarts, new Int32Array(length + 1))
    this.atMs = grown(this.atMs, new Float64Array(length))
  }
}

function grown<Column extends Uint8Array | Int32Array | Float64Array>(
  from: Column,
  to: Column,
): Column {
  to.set(from)
  return to
}
