/**
 * Writes Arrow IPC streams of one record batch, all of one schema. Between two such streams only
 * numbers differ: rows, nulls, lengths and where each buffer lies. So an Arrow library writes the
 * first one, and every other is its frame with the numbers written anew around the columns.
 *
 * Field numbers are those of Message.fbs (https://arrow.apache.org/docs/format/).
 */
import { FlatBuffer } from './flat-buffer.ts'

/** A column as Arrow lays it: validity first (empty where nothing is null), then its other buffers. */
export interface ColumnBuffers {
  readonly nullCount: number
  readonly buffers: readonly Uint8Array[]
}

const ALIGNMENT = 8
const TWO_32 = 4_294_967_296

export class StreamTemplate {
  /** Schema, and the metadata of the batch. */
  readonly #head: Uint8Array
  readonly #rowsAt: number
  readonly #bodyLengthAt: number
  readonly #nodesAt: number
  readonly #buffersAt: number

  /** `sample`: a stream of the schema with one batch that has rows, so that no number is left out. */
  constructor(sample: Uint8Array) {
    const view = new DataView(sample.buffer, sample.byteOffset, sample.byteLength)
    const batchAt = 8 + view.getInt32(4, true)
    const frameAt = batchAt + 8
    const headEnd = frameAt + view.getInt32(batchAt + 4, true)
    const flat = new FlatBuffer(sample.subarray(frameAt, headEnd))
    const root = flat.indirect(0)
    const batch = flat.table(root, 2)
    this.#head = sample.slice(0, headEnd)
    this.#bodyLengthAt = frameAt + flat.field(root, 3)
    this.#rowsAt = frameAt + flat.field(batch, 0)
    // A vector begins with the number of its elements.
    this.#nodesAt = frameAt + flat.table(batch, 1) + 4
    this.#buffersAt = frameAt + flat.table(batch, 2) + 4
  }

  /** One copy of each buffer, into memory of its own. Columns in the order of the schema. */
  write(rows: number, columns: readonly ColumnBuffers[]): Uint8Array {
    let bodyLength = 0
    for (const { buffers } of columns) {
      for (const { length } of buffers) bodyLength += padded(length)
    }
    const bodyAt = this.#head.length
    const stream = new Uint8Array(bodyAt + bodyLength + 8)
    stream.set(this.#head)
    const view = new DataView(stream.buffer)
    setInt64(view, this.#rowsAt, rows)
    setInt64(view, this.#bodyLengthAt, bodyLength)
    let [node, buffer, at] = [this.#nodesAt, this.#buffersAt, 0]
    for (const { nullCount, buffers } of columns) {
      setInt64(view, node, rows)
      setInt64(view, node + 8, nullCount)
      node += 16
      for (const bytes of buffers) {
        setInt64(view, buffer, at)
        setInt64(view, buffer + 8, bytes.length)
        stream.set(bytes, bodyAt + at)
        buffer += 16
        at += padded(bytes.length)
      }
    }
    // The mark of the end: a continuation without a message.
    view.setInt32(stream.length - 8, -1, true)
    return stream
  }
}

function padded(length: number): number {
  return (length + ALIGNMENT - 1) & ~(ALIGNMENT - 1)
}

function setInt64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_32, true)
  view.setUint32(at + 4, Math.floor(value / TWO_32), true)
}
