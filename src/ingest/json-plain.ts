/**
 * Samples of the plain shape, read from their bytes into columns: objects whose fields are texts without
 * escapes, numbers, null and one level of metrics, in any order. NOT_PLAIN is no error: it means that
 * json.ts must look at the value, and that nothing of it was taken. Where this takes or refuses a
 * sample, json.ts does the same, to the word.
 */
import { isUtf8 } from 'node:buffer'
import { ID_BYTES_MAX } from '../core/ids.ts'
import type { NodeClass } from '../core/node.ts'
import { AT_MS_MAX, FUTURE_MS_MAX, checkedTime, sampleAgeProblem } from './field.ts'
import type { SampleContext } from './json.ts'
import { NOT_PLAIN, readNumber } from './json-number.ts'
import { TimeReader } from './json-time.ts'
import { NO_NAME, NameTable } from './name-table.ts'
import type { Refusal } from './refusal.ts'
import { SampleRows } from './sample-rows.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const NEWLINE = 0x0a
const LETTER_F = 0x66
const LETTER_N = 0x6e
const LETTER_T = 0x74

const NODE = Buffer.from('node"')
const CLASS = Buffer.from('class"')
const AT = Buffer.from('at"')
const METRICS = Buffer.from('metrics"')
const [NULL, TRUE, FALSE] = [Buffer.from('null'), Buffer.from('true'), Buffer.from('false')]

/** `null` as it lies in memory. */
const NULL_WORD = 0x6c6c756e

/** Metrics that a class lacks are told apart, so that one that comes twice in a row is noticed. */
const UNKNOWN_NAMES_MAX = 256
const STAMP_MAX = 2 ** 31 - 1
const BUFFER_BYTES_AT_FIRST = 4_096
const TAIL_BYTES = 5

/** Bits of the fields that an object has had. */
const HAD_NODE = 1
const HAD_CLASS = 2
const HAD_AT = 4
const HAD_METRICS = 8

interface ClassNames {
  readonly nodeClass: NodeClass
  readonly names: NameTable
  /** By name: the stamp of the object in which it came last. */
  readonly seen: Int32Array
}

export class PlainReader {
  readonly rows = new SampleRows()
  unknownMetricCount = 0
  /** Why the object read last is no row. */
  refusal: Refusal | undefined
  readonly #classes: readonly ClassNames[]
  readonly #keys: readonly string[]
  readonly #classNames: NameTable
  readonly #time = new TimeReader()
  /** The record, and behind it zeros, which end any scan, and the end of a line. */
  #bytes = Buffer.alloc(BUFFER_BYTES_AT_FIRST)
  #view = viewOf(this.#bytes)
  #length = 0
  #utf8: boolean | undefined
  #context: Omit<SampleContext, 'nodeClasses'> = { defaultClass: '', nowMs: 0 }
  #defaultClass = NO_NAME
  #stamp = 0
  // Of the object that is being read.
  #had = 0
  #nodeStart = 0
  #nodeEnd = 0
  #class = NO_NAME
  #metricsAt = NOT_PLAIN
  #metricsClass = NO_NAME
  #unknown = 0
  readonly #at = new Float64Array(1)
  readonly #skipped = new Float64Array(1)

  constructor(nodeClasses: ReadonlyMap<string, NodeClass>) {
    this.#keys = [...nodeClasses.keys()]
    this.#classNames = new NameTable(this.#keys, 0)
    this.#classes = Array.from(nodeClasses.values(), (nodeClass) => {
      const known = nodeClass.metrics.map(({ name }) => name)
      const names = new NameTable(known, UNKNOWN_NAMES_MAX)
      return { nodeClass, names, seen: new Int32Array(known.length + UNKNOWN_NAMES_MAX) }
    })
  }

  /** Takes a copy of the record and forgets the rows of the one before. */
  begin(record: Uint8Array, context: Omit<SampleContext, 'nodeClasses'>): void {
    const { length } = record
    if (length + TAIL_BYTES > this.#bytes.length) {
      this.#bytes = Buffer.alloc(2 * length + TAIL_BYTES)
      this.#view = viewOf(this.#bytes)
    }
    this.#bytes.set(record)
    this.#view.setInt32(length, 0)
    this.#bytes[length + TAIL_BYTES - 1] = NEWLINE
    this.#length = length
    this.#utf8 = undefined
    if (context.defaultClass !== this.#context.defaultClass || this.#defaultClass === NO_NAME) {
      this.#defaultClass = this.#keys.indexOf(context.defaultClass)
    }
    this.#context = context
    this.clear()
  }

  clear(): void {
    this.rows.clear()
    this.unknownMetricCount = 0
  }

  /** 0 at the end. */
  byteAt(at: number): number {
    return this.#bytes[at]
  }

  spaceEnd(at: number): number {
    return spaceEnd(this.#bytes, at)
  }

  lineEnd(at: number): number {
    return Math.min(this.#bytes.indexOf(NEWLINE, at), this.#length)
  }

  text(start: number, end: number): string {
    return this.#bytes.toString('utf8', start, end)
  }

  isUtf8(): boolean {
    this.#utf8 ??= isUtf8(this.#bytes.subarray(0, this.#length))
    return this.#utf8
  }

  /** Reads the object that opens at `start` into a row or `refusal`; the position after it. */
  readRow(start: number): number {
    const bytes = this.#bytes
    this.refusal = undefined
    this.#had = 0
    this.#class = this.#defaultClass
    this.#metricsAt = NOT_PLAIN
    this.#unknown = 0
    let at = start
    do {
      at = spaceEnd(bytes, at + 1)
      if (bytes[at] !== QUOTE) return NOT_PLAIN
      at = this.#readField(bytes, at + 1)
      if (at === NOT_PLAIN) return NOT_PLAIN
      at = spaceEnd(bytes, at)
    } while (bytes[at] === COMMA)
    return bytes[at] === CLOSE && this.#closeRow(bytes) ? at + 1 : NOT_PLAIN
  }

  #readField(bytes: Buffer, name: number): number {
    switch (bytes[name]) {
      case NODE[0]:
        if (!isAt(bytes, name, NODE)) break
        return this.#once(HAD_NODE) ? this.#readNode(bytes, valueAt(bytes, name + 5)) : NOT_PLAIN
      case CLASS[0]:
        if (!isAt(bytes, name, CLASS)) break
        return this.#once(HAD_CLASS) ? this.#readClass(bytes, valueAt(bytes, name + 6)) : NOT_PLAIN
      case AT[0]:
        if (!isAt(bytes, name, AT)) break
        return this.#once(HAD_AT) ? this.#readAt(bytes, valueAt(bytes, name + 3)) : NOT_PLAIN
      case METRICS[0]: {
        if (!isAt(bytes, name, METRICS)) break
        const at = valueAt(bytes, name + 8)
        if (!this.#once(HAD_METRICS) || at === NOT_PLAIN) return NOT_PLAIN
        if (bytes[at] === LETTER_N) return wordEnd(bytes, at, NULL)
        this.#metricsAt = at
        return this.#readMetrics(bytes, at, this.#class)
      }
    }
    const end = this.#textEnd(bytes, name)
    return end === NOT_PLAIN ? NOT_PLAIN : this.#skipValue(bytes, valueAt(bytes, end + 1))
  }

  /** JSON.parse takes the last of two fields of one name; we take neither. */
  #once(bit: number): boolean {
    if ((this.#had & bit) !== 0) return false
    this.#had |= bit
    return true
  }

  #readNode(bytes: Buffer, at: number): number {
    if (at === NOT_PLAIN || bytes[at] !== QUOTE) return NOT_PLAIN
    const end = this.#textEnd(bytes, at + 1)
    if (end <= at + 1 || end - at - 1 > ID_BYTES_MAX) return NOT_PLAIN
    this.#nodeStart = at + 1
    this.#nodeEnd = end
    return end + 1
  }

  #readClass(bytes: Buffer, at: number): number {
    if (at === NOT_PLAIN) return NOT_PLAIN
    if (bytes[at] === LETTER_N) return wordEnd(bytes, at, NULL)
    if (bytes[at] !== QUOTE) return NOT_PLAIN
    let end = this.#classNames.endOf(this.#class, this.#view, at + 1)
    if (end !== NO_NAME) return end + 1
    end = this.#textEnd(bytes, at + 1)
    if (end === NOT_PLAIN) return NOT_PLAIN
    this.#class = this.#classNames.indexOf(this.#view, at + 1, end)
    return this.#class === NO_NAME ? NOT_PLAIN : end + 1
  }

  #readAt(bytes: Buffer, at: number): number {
    if (at === NOT_PLAIN) return NOT_PLAIN
    if (bytes[at] !== QUOTE) return readNumber(bytes, this.#view, at, this.#at, 0)
    const end = this.#textEnd(bytes, at + 1)
    if (end === NOT_PLAIN) return NOT_PLAIN
    this.#at[0] = this.#time.read(bytes, at + 1, end)
    return end + 1
  }

  /** Into the values of a row of that class; the object opens at `start`. */
  #readMetrics(bytes: Buffer, start: number, classIndex: number): number {
    if (bytes[start] !== OPEN || classIndex === NO_NAME) return NOT_PLAIN
    const { nodeClass, names, seen } = this.#classes[classIndex]
    const { following } = names
    const view = this.#view
    const valuesAt = this.rows.openRow(nodeClass.metrics.length)
    const { values } = this.rows
    const stamp = this.#nextStamp()
    this.#metricsClass = classIndex
    this.#unknown = 0
    let before = names.beginning
    let at = spaceEnd(bytes, start + 1)
    if (bytes[at] === CLOSE) return at + 1
    for (;;) {
      if (bytes[at] !== QUOTE) return NOT_PLAIN
      let name = following[before]
      let end = names.endOf(name, view, at + 1)
      if (end === NO_NAME) {
        end = this.#textEnd(bytes, at + 1)
        name = end === NOT_PLAIN ? NO_NAME : names.indexOf(view, at + 1, end)
        if (name === NO_NAME) return NOT_PLAIN
        following[before] = name
      }
      if (seen[name] === stamp) return NOT_PLAIN
      seen[name] = stamp
      before = name
      at = valueAt(bytes, end + 1)
      if (at === NOT_PLAIN) return NOT_PLAIN
      if (name >= names.knownCount) {
        this.#unknown++
        at = this.#skipValue(bytes, at)
      } else if (bytes[at] === LETTER_N) {
        at = view.getInt32(at, true) === NULL_WORD ? at + 4 : NOT_PLAIN
      } else {
        at = readNumber(bytes, view, at, values, valuesAt + name)
      }
      if (at === NOT_PLAIN) return NOT_PLAIN
      at = spaceEnd(bytes, at)
      if (bytes[at] === CLOSE) return at + 1
      if (bytes[at] !== COMMA) return NOT_PLAIN
      at = spaceEnd(bytes, at + 1)
    }
  }

  #nextStamp(): number {
    if (this.#stamp === STAMP_MAX) {
      for (const { seen } of this.#classes) seen.fill(0)
      this.#stamp = 0
    }
    return ++this.#stamp
  }

  /** False where json.ts must look at it. */
  #closeRow(bytes: Buffer): boolean {
    const { nowMs, sampleAgeMsMax = Infinity } = this.#context
    const needed = HAD_NODE | HAD_AT
    if ((this.#had & needed) !== needed || this.#class === NO_NAME) return false
    const { nodeClass } = this.#classes[this.#class]
    if (this.#metricsAt === NOT_PLAIN) {
      this.rows.openRow(nodeClass.metrics.length)
    } else if (this.#metricsClass !== this.#class) {
      // The class stood behind its metrics.
      if (this.#readMetrics(bytes, this.#metricsAt, this.#class) === NOT_PLAIN) return false
    }
    const at = this.#at[0]
    if (!(at >= 0 && at <= AT_MS_MAX)) return false
    const atMs = Math.floor(at)
    if (at - nowMs > FUTURE_MS_MAX) {
      const time = checkedTime(at, nowMs)
      if (!time.ok) this.refusal = time
    } else if (nowMs - atMs > sampleAgeMsMax) {
      this.refusal = sampleAgeProblem(atMs, this.#context)
    }
    if (this.refusal !== undefined) return true
    this.rows.closeRow(nodeClass, bytes, this.#nodeStart, this.#nodeEnd, atMs)
    this.unknownMetricCount += this.#unknown
    return true
  }

  #skipValue(bytes: Buffer, at: number): number {
    if (at === NOT_PLAIN) return NOT_PLAIN
    switch (bytes[at]) {
      case QUOTE: {
        const end = this.#textEnd(bytes, at + 1)
        return end === NOT_PLAIN ? NOT_PLAIN : end + 1
      }
      case LETTER_N:
        return wordEnd(bytes, at, NULL)
      case LETTER_T:
        return wordEnd(bytes, at, TRUE)
      case LETTER_F:
        return wordEnd(bytes, at, FALSE)
      default:
        return readNumber(bytes, this.#view, at, this.#skipped, 0)
    }
  }

  /** The quote that ends the text; NOT_PLAIN for one with escapes or that is no JSON. */
  #textEnd(bytes: Buffer, start: number): number {
    for (let at = start; ; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) return at
      if (byte < 0x20 || byte === BACKSLASH) return NOT_PLAIN
      if (byte >= 0x80 && !this.isUtf8()) return NOT_PLAIN
    }
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** As JSON has it, with line ends. */
function spaceEnd(bytes: Uint8Array, start: number): number {
  let at = start
  for (let byte = bytes[at]; byte <= 0x20; byte = bytes[++at]) {
    if (byte !== 0x20 && byte !== NEWLINE && byte !== 0x0d && byte !== 0x09) return at
  }
  return at
}

/** Where the value after a name begins. */
function valueAt(bytes: Uint8Array, start: number): number {
  const at = spaceEnd(bytes, start)
  return bytes[at] === COLON ? spaceEnd(bytes, at + 1) : NOT_PLAIN
}

function wordEnd(bytes: Uint8Array, at: number, word: Uint8Array): number {
  return isAt(bytes, at, word) ? at + word.length : NOT_PLAIN
}

function isAt(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false
  return true
}
