/**
 * Samples in JSON as columns. Most records are plain and read from their bytes (json-plain.ts); what
 * is not is left to json.ts, a line alone where records are lines, else the record. Both say the same
 * of every record (test/property/ingest/json.test.ts).
 */
import { toBytes } from '../core/bytes.ts'
import type { NodeClass } from '../core/node.ts'
import { parseJson } from './body.ts'
import { decodeJsonSamples, decodeSample } from './json.ts'
import type { Sample, SampleContext } from './json.ts'
import { NOT_PLAIN } from './json-number.ts'
import { PlainReader } from './json-plain.ts'
import { inRow } from './refusal.ts'
import type { Refusal } from './refusal.ts'
import type { SampleRows } from './sample-rows.ts'

const COMMA = 0x2c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN = 0x7b

type Context = Omit<SampleContext, 'nodeClasses'>

export type DecodedRows =
  | {
      readonly ok: true
      /** Valid until the next record is decoded. */
      readonly rows: SampleRows
      readonly refused: readonly Refusal[]
      /** Metrics that the class does not have: ignored, and counted. */
      readonly unknownMetricCount: number
    }
  | Refusal

export class JsonDecoder {
  readonly #nodeClasses: ReadonlyMap<string, NodeClass>
  readonly #reader: PlainReader
  /** Of the record at hand: its samples so far, and which of them were refused. */
  #items = 0
  #refused: { readonly item: number; readonly refusal: Refusal }[] = []

  constructor(nodeClasses: ReadonlyMap<string, NodeClass>) {
    this.#nodeClasses = nodeClasses
    this.#reader = new PlainReader(nodeClasses)
  }

  decode(bytes: Uint8Array, context: Context): DecodedRows {
    const reader = this.#reader
    this.#items = 0
    this.#refused = []
    reader.begin(bytes, context)
    const start = reader.spaceEnd(0)
    const plain =
      reader.byteAt(start) === OPEN_LIST
        ? this.#readList(start, bytes.length)
        : this.#readLines(start, bytes.length, context)
    if (!plain) return this.#decodeWhole(bytes, context)
    return {
      ok: true,
      rows: reader.rows,
      refused: this.#refused.map(({ item, refusal }) =>
        this.#items === 1 ? refusal : inRow(item, refusal),
      ),
      unknownMetricCount: reader.unknownMetricCount,
    }
  }

  /** All or nothing: where a list is broken, none of it is taken. */
  #readList(start: number, length: number): boolean {
    const reader = this.#reader
    let at = reader.spaceEnd(start + 1)
    if (reader.byteAt(at) !== CLOSE_LIST) {
      at--
      do {
        at = this.#readItem(reader.spaceEnd(at + 1))
        if (at === NOT_PLAIN) return false
        at = reader.spaceEnd(at)
      } while (reader.byteAt(at) === COMMA)
      if (reader.byteAt(at) !== CLOSE_LIST) return false
    }
    return reader.spaceEnd(at + 1) === length
  }

  /** One object, or one a line. With a second value the whole is no JSON, so lines are what is meant. */
  #readLines(start: number, length: number, context: Context): boolean {
    const reader = this.#reader
    const first = this.#readItem(start)
    if (first === NOT_PLAIN) return false
    if (reader.spaceEnd(first) === length) return true
    let at = start
    let end = reader.lineEnd(at)
    if (first > end || reader.spaceEnd(first) < end) return false
    while (end < length) {
      at = end + 1
      end = reader.lineEnd(at)
      const item = reader.spaceEnd(at)
      if (item >= end) continue
      const after = this.#readItem(item)
      if (after === NOT_PLAIN) {
        if (!this.#takeLine(at, end, context)) return false
      } else if (after > end || reader.spaceEnd(after) < end) {
        return false
      }
    }
    return this.#items > 1
  }

  #readItem(start: number): number {
    const reader = this.#reader
    const end = reader.byteAt(start) === OPEN ? reader.readRow(start) : NOT_PLAIN
    if (end === NOT_PLAIN) return NOT_PLAIN
    this.#items++
    if (reader.refusal !== undefined) this.#refuse(reader.refusal)
    return end
  }

  /** A line that is not plain; false where the record is not even text. */
  #takeLine(start: number, end: number, context: Context): boolean {
    const reader = this.#reader
    if (!reader.isUtf8()) return false
    const text = reader.text(start, end)
    if (text.trim() === '') return true
    this.#items++
    const item = parseJson(text)
    const unknown = { count: 0 }
    const sample = item.ok ? decodeSample(item.value, this.#whole(context), unknown) : item
    if (sample.ok) this.#add(sample.value)
    else this.#refuse(sample)
    reader.unknownMetricCount += unknown.count
    return true
  }

  #decodeWhole(bytes: Uint8Array, context: Context): DecodedRows {
    const decoded = decodeJsonSamples(bytes, this.#whole(context))
    if (!decoded.ok) return decoded
    const { rows } = this.#reader
    rows.clear()
    for (const row of decoded.rows) this.#add(row)
    return { ...decoded, rows }
  }

  #whole(context: Context): SampleContext {
    return { ...context, nodeClasses: this.#nodeClasses }
  }

  #add({ node, nodeClass, atMs, values }: Sample): void {
    const { rows } = this.#reader
    const start = rows.openRow(values.length)
    rows.values.set(values, start)
    const name = toBytes(node)
    rows.closeRow(nodeClass, name, 0, name.length, atMs)
  }

  #refuse(refusal: Refusal): void {
    this.#refused.push({ item: this.#items, refusal })
  }
}
