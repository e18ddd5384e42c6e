/**
 * The schema message of an Arrow IPC stream, as far as telemetry uses it: one level of columns of
 * plain types. `undefined` is no error: an Arrow library must look at the stream.
 *
 * Field numbers and type codes are those of Schema.fbs (https://arrow.apache.org/docs/format/).
 */
import { toText } from './bytes.ts'
import { FlatBuffer } from './flat-buffer.ts'

/** `other`: a type with one value a row that nobody here reads. */
export type ColumnType = 'utf8' | 'dictionary' | 'timestamp-ms' | 'float32' | 'float64' | 'other'

export interface ColumnSchema {
  readonly name: string
  readonly type: ColumnType
  /** Buffers in a record batch. */
  readonly buffers: number
}

export interface StreamSchema {
  readonly columns: readonly ColumnSchema[]
  readonly metadata: ReadonlyMap<string, string>
  /** Where the first message after it begins. */
  readonly end: number
}

const SCHEMA = 1
const INT = 2
const FLOATING_POINT = 3
const UTF8 = 5
const BOOL = 6
const TIMESTAMP = 10
const FIELDS_MAX = 512
const FLOATS: readonly (ColumnType | undefined)[] = [undefined, 'float32', 'float64']
const MILLISECOND = 1

/** A RangeError where the message is cut off. */
export function schemaOf(bytes: Uint8Array): StreamSchema | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 8 || view.getInt32(0, true) !== -1) return undefined
  const end = 8 + view.getInt32(4, true)
  if (end <= 8 || end > bytes.length) return undefined
  const flat = new FlatBuffer(bytes.subarray(8, end))
  const message = flat.indirect(0)
  const schema = flat.table(message, 2)
  // Slot 0: big-endian columns are no business of ours.
  if (flat.uint8(message, 1) !== SCHEMA || schema === 0 || flat.uint8(schema, 0) !== 0) {
    return undefined
  }
  const fields = flat.elements(schema, 1)
  if (fields.count > FIELDS_MAX) return undefined
  const columns: ColumnSchema[] = []
  for (let index = 0; index < fields.count; index++) {
    const column = columnOf(flat, flat.indirect(fields.start + 4 * index))
    if (column === undefined) return undefined
    columns.push(column)
  }
  return { columns, metadata: metadataOf(flat, schema), end }
}

function columnOf(flat: FlatBuffer, field: number): ColumnSchema | undefined {
  const type = typeOf(flat, field)
  if (type === undefined || flat.elements(field, 5).count > 0) return undefined
  const name = textOf(flat, flat.table(field, 0))
  return { name, type, buffers: type === 'utf8' ? 3 : 2 }
}

function typeOf(flat: FlatBuffer, field: number): ColumnType | undefined {
  const [code, type] = [flat.uint8(field, 2), flat.table(field, 3)]
  const dictionary = flat.table(field, 4)
  if (dictionary !== 0)
    return code === UTF8 && hasInt32Keys(flat, dictionary) ? 'dictionary' : undefined
  switch (code) {
    case UTF8:
      return 'utf8'
    case TIMESTAMP:
      return flat.int16(type, 0) === MILLISECOND ? 'timestamp-ms' : 'other'
    case FLOATING_POINT:
      return FLOATS[flat.int16(type, 0)] ?? 'other'
    case INT:
    case BOOL:
      return 'other'
    default:
      return undefined
  }
}

/** int32 is also what an absent type of the keys means. */
function hasInt32Keys(flat: FlatBuffer, dictionary: number): boolean {
  const keys = flat.table(dictionary, 1)
  return keys === 0 || flat.int32(keys, 0) === 32
}

function metadataOf(flat: FlatBuffer, schema: number): ReadonlyMap<string, string> {
  const pairs = flat.elements(schema, 2)
  const metadata = new Map<string, string>()
  for (let index = 0; index < Math.min(pairs.count, FIELDS_MAX); index++) {
    const pair = flat.indirect(pairs.start + 4 * index)
    metadata.set(textOf(flat, flat.table(pair, 0)), textOf(flat, flat.table(pair, 1)))
  }
  return metadata
}

function textOf(flat: FlatBuffer, text: number): string {
  return text === 0 ? '' : toText(flat.bytes(text))
}
