/**
 * Reads the records of a fetch answer where they lie. kafkajs makes an object for each header it has
 * read so far, big integers for each offset and time, and a decoder around each record; here offsets
 * and times are numbers, and text that comes again and again, as headers do, is made once.
 *
 * The layout is that of https://kafka.apache.org/documentation/#recordbatch
 */

/** What mends.ts asks of the batch that a record came in. */
export interface BatchContext {
  readonly producerId: string
  readonly inTransaction: boolean
  readonly isControlBatch: boolean
}

export interface FetchedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: Readonly<Record<string, string>>
  /** Never delivered: it ends a transaction, or belongs to one that was aborted. */
  isControlRecord: boolean
  readonly batchContext: BatchContext
}

/** kafkajs's decoder, as far as ours moves it on. */
export interface Decoder {
  readonly buffer: Buffer
  offset: number
}
/** A record of the old formats, which have neither headers nor transactions. */
interface OldMessage {
  readonly offset: string
  readonly timestamp?: string
  readonly key: Buffer | null
  readonly value: Buffer | null
}
type DecodeOld = (decoder: Decoder) => Promise<readonly OldMessage[]>
type CodecOf = (attributes: number) => { decompress(packed: Buffer): Promise<Buffer> } | null

const MAGIC = 2
const MAGIC_AT = 16
/** Offset and length: what comes before the bytes that the length counts. */
const PREFIX_BYTES = 12
/** Everything before the records. */
const HEADER_BYTES = 61
const COMPRESSED = 0x07
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20
const INT32_VALUES = 2 ** 32
/** Text is kept in so many places, by a hash of it, and only when it is short. */
const TEXT_PLACES = 1024
const TEXT_BYTES_MAX = 48
const NO_TRANSACTION: BatchContext = {
  producerId: '-1',
  inTransaction: false,
  isControlBatch: false,
}

/** In the place of kafkajs's `decodeMessages`, which it asks where the format is an old one. */
export function recordDecoder(
  theirs: DecodeOld,
  codecOf: CodecOf,
): (decoder: Decoder) => Promise<readonly FetchedRecord[]> {
  const texts = new TextCache()
  return async (decoder) => {
    const { buffer, offset } = decoder
    const bytes = buffer.readInt32BE(offset)
    const from = offset + 4
    const end = from + bytes
    if (bytes > MAGIC_AT && end <= buffer.length && buffer[from + MAGIC_AT] !== MAGIC) {
      return (await theirs(decoder)).map(ofOldFormat)
    }
    decoder.offset = from
    if (bytes <= 0 || end > buffer.length) return []
    decoder.offset = end
    const records: FetchedRecord[] = []
    for (let at = from; at + HEADER_BYTES <= end;) {
      const next = at + PREFIX_BYTES + buffer.readInt32BE(at + 8)
      // The broker cuts the last batch where the limit of the fetch is.
      if (next > end) break
      await readBatch(buffer.subarray(at, next), codecOf, texts, records)
      at = next
    }
    return records
  }
}

async function readBatch(
  batch: Buffer,
  codecOf: CodecOf,
  texts: TextCache,
  into: FetchedRecord[],
): Promise<void> {
  const attributes = batch.readInt16BE(21)
  const firstTimestamp = int64(batch, 27)
  const codec = (attributes & COMPRESSED) === 0 ? null : codecOf(attributes)
  const records = batch.subarray(HEADER_BYTES)
  const reader = new RecordReader(codec === null ? records : await codec.decompress(records), texts)
  reader.readAll(into, batch.readInt32BE(57), {
    firstOffset: int64(batch, 0),
    firstTimestamp,
    appendedAt: (attributes & LOG_APPEND_TIME) === 0 ? null : int64(batch, 35),
    context: {
      producerId: String(batch.readBigInt64BE(43)),
      inTransaction: (attributes & TRANSACTIONAL) !== 0,
      isControlBatch: (attributes & CONTROL) !== 0,
    },
  })
}

interface BatchHeader {
  readonly firstOffset: number
  readonly firstTimestamp: number
  /** Of all its records, where the log's time counts. */
  readonly appendedAt: number | null
  readonly context: BatchContext
}

class RecordReader {
  readonly #bytes: Buffer
  readonly #texts: TextCache
  #at = 0

  constructor(bytes: Buffer, texts: TextCache) {
    this.#bytes = bytes
    this.#texts = texts
  }

  readAll(into: FetchedRecord[], count: number, header: BatchHeader): void {
    const { firstOffset, firstTimestamp, appendedAt, context } = header
    for (let i = 0; i < count; i++) {
      const bytes = this.#varint()
      const end = this.#at + bytes
      this.#at += 1 // attributes, of which there are none
      const timestamp = firstTimestamp + this.#varint()
      into.push({
        offset: firstOffset + this.#varint(),
        timestamp: appendedAt ?? timestamp,
        key: this.#content(),
        value: this.#content(),
        headers: this.#headers(),
        isControlRecord: context.isControlBatch,
        batchContext: context,
      })
      this.#at = end
    }
  }

  /** Of 32 or 64 bits; exact up to 2^53. */
  #varint(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#at++]
    let code = byte & 0x7f
    for (let unit = 128; byte > 0x7f; unit *= 128) {
      byte = bytes[this.#at++]
      code += (byte & 0x7f) * unit
    }
    return code % 2 === 0 ? code / 2 : -(code + 1) / 2
  }

  #content(): Uint8Array | null {
    const length = this.#varint()
    if (length < 0) return null
    const { buffer, byteOffset } = this.#bytes
    const from = this.#at
    this.#at = from + length
    return new Uint8Array(buffer, byteOffset + from, length)
  }

  /** The last one counts where a name comes twice; one without a value is empty. */
  #headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {}
    for (let left = this.#varint(); left > 0; left--) {
      const name = this.#text()
      headers[name] = this.#text()
    }
    return headers
  }

  #text(): string {
    const length = this.#varint()
    if (length <= 0) return ''
    const from = this.#at
    this.#at = from + length
    return this.#texts.text(this.#bytes, from, this.#at)
  }
}

/** Text as last read, by a hash of its bytes. */
class TextCache {
  readonly #texts: string[] = Array.from({ length: TEXT_PLACES }, () => '')

  text(bytes: Buffer, from: number, end: number): string {
    const length = end - from
    if (length > TEXT_BYTES_MAX) return bytes.toString('utf8', from, end)
    const middle = bytes[from + (length >> 1)]
    const hash = length + bytes[from] * 3 + middle * 31 + bytes[end - 1] * 131
    const place = hash % TEXT_PLACES
    const known = this.#texts[place]
    if (known.length === length && isAscii(known, bytes, from)) return known
    const text = bytes.toString('utf8', from, end)
    // With fewer letters than bytes it is not ASCII, and its letters would pass for other bytes.
    if (text.length === length) this.#texts[place] = text
    return text
  }
}

/** Whether these bytes are this text, letter by letter. */
function isAscii(text: string, bytes: Buffer, from: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false
  return true
}

function int64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * INT32_VALUES + bytes.readUInt32BE(at + 4)
}

function ofOldFormat({ offset, timestamp, key, value }: OldMessage): FetchedRecord {
  return {
    offset: Number(offset),
    timestamp: Number(timestamp ?? -1),
    key: key === null ? null : plain(key),
    value: value === null ? null : plain(value),
    headers: {},
    isControlRecord: false,
    batchContext: NO_TRANSACTION,
  }
}

/** A view without Node's Buffer around it, which compares and prints differently. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
