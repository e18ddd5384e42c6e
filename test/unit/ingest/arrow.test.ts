import {
  Bool,
  Dictionary,
  Float32,
  Float64,
  Int32,
  Int64,
  LargeUtf8,
  Table,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  Utf8,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow'
import type { DataType, Vector } from 'apache-arrow'
import { expect, test } from 'vitest'
import { toText } from '../../../src/core/bytes.ts'
import { decodeArrowSamples } from '../../../src/ingest/arrow.ts'
import type { DecodedArrow } from '../../../src/ingest/arrow.ts'
import { NOW_MS, nodeClasses } from './case.ts'

const utf8 = new Utf8()
const ms = new TimestampMillisecond()
const f64 = new Float64()

function ipc(columns: Readonly<Record<string, Vector>>, format: 'stream' | 'file' = 'stream') {
  return tableToIPC(new Table(columns), format)
}

function column(values: readonly unknown[], type: DataType): Vector {
  return vectorFromArray(values, type)
}

function decode(bytes: Uint8Array): DecodedArrow {
  return decodeArrowSamples(bytes, { nodeClasses, defaultClass: 'server', nowMs: NOW_MS })
}

/** [node, at, ...metrics] of the rows that are not refused; null where a metric has no column. */
function rowsOf(decoded: DecodedArrow): readonly unknown[] {
  if (!decoded.ok) return [decoded.detail]
  return decoded.batches.flatMap(({ count, ids, atMs, columns }) =>
    Array.from({ length: count }, (_, row) => [
      toText(ids.bytes.subarray(ids.starts[row], ids.ends[row])),
      atMs[row],
      ...columns.map((values) => values?.[row] ?? null),
    ]).filter(([, at]) => !Number.isNaN(at)),
  )
}

const nodes = column(['n1', 'größe', 'n1'], utf8)
const times = column([1, 2, NOW_MS], ms)
const plain = { node: nodes, at: times, cpu_temperature: column([61.5, null, -1], f64) }
const expected = [
  ['n1', 1, 61.5, null],
  ['größe', 2, NaN, null],
  ['n1', NOW_MS, -1, null],
]

test.each([
  { columns: plain, because: 'it is as documented' },
  {
    columns: { ...plain, node: column(['n1', 'größe', 'n1'], new Dictionary(utf8, new Int32())) },
    because: 'names may be a dictionary',
  },
  {
    columns: { ...plain, node: column(['n1', 'größe', 'n1'], new LargeUtf8()) },
    because: 'data frames write large utf8',
  },
  {
    columns: { ...plain, cpu_temperature: column([61.5, null, -1], new Float32()) },
    because: 'float32 is exact here',
  },
  {
    columns: { ...plain, at: column([1, 2, NOW_MS], new TimestampMicrosecond()) },
    because: 'units are converted',
  },
  {
    columns: { ...plain, at: column([1, 2, NOW_MS], new TimestampNanosecond()) },
    because: 'units are converted',
  },
])('a record is read when $because', ({ columns }) => {
  expect(rowsOf(decode(ipc(columns)))).toEqual(expected)
})

test('the file format is read as well', () => {
  expect(rowsOf(decode(ipc(plain, 'file')))).toEqual(expected)
})

test('whole numbers are taken as metrics, and seconds as times', () => {
  const columns = {
    node: column(['a', 'b'], utf8),
    at: column([1_000, 2_000], new TimestampSecond()),
    error_rate: column([5n, null], new Int64()),
  }
  expect(rowsOf(decode(ipc(columns)))).toEqual([
    ['a', 1_000, null, 5],
    ['b', 2_000, null, NaN],
  ])
})

test('a record at an odd address in a larger buffer is read', () => {
  const bytes = ipc(plain)
  const shifted = new Uint8Array(bytes.length + 3)
  shifted.set(bytes, 3)
  expect(rowsOf(decode(shifted.subarray(3)))).toEqual(expected)
})

test('several batches with growing dictionaries are one record', () => {
  const dictionary = new Dictionary(utf8, new Int32())
  const [first, second] = [
    ['a', 'b'],
    ['c', 'a'],
  ].map((names) => new Table({ node: column(names, dictionary), at: column([1, 2], ms) }))
  expect(rowsOf(decode(tableToIPC(first.concat(second), 'stream')))).toEqual([
    ['a', 1, null, null],
    ['b', 2, null, null],
    ['c', 1, null, null],
    ['a', 2, null, null],
  ])
})

test('the class may stand in the metadata of the schema, and unknown columns are counted', () => {
  const table = new Table({
    ...plain,
    smart_5: column([1, 2, 3], f64),
    fan: column([1, 2, 3], f64),
  })
  table.schema.metadata.set('class', 'drive')
  const decoded = decode(tableToIPC(table, 'stream'))
  expect(decoded).toMatchObject({ nodeClass: { name: 'drive' }, unknownMetricCount: 2 })
  expect(rowsOf(decoded)).toEqual([
    ['n1', 1, 1],
    ['größe', 2, 2],
    ['n1', NOW_MS, 3],
  ])
})

test.each<{ columns: Readonly<Record<string, Vector>>; reason: string; detail: string }>([
  {
    columns: { at: times },
    reason: 'column-missing',
    detail: 'column `node` is missing; expected utf8 or a dictionary of utf8',
  },
  {
    columns: { node: nodes },
    reason: 'column-missing',
    detail: 'column `at` is missing; expected a timestamp in ms',
  },
  {
    columns: { ...plain, node: column([1, 2, 3], new Int32()) },
    reason: 'column-type',
    detail: 'column `node` is Int; expected utf8 or a dictionary of utf8',
  },
  {
    columns: { ...plain, at: column([1, 2, 3], f64) },
    reason: 'column-type',
    detail: 'column `at` is Float; expected a timestamp in ms',
  },
  {
    columns: { ...plain, cpu_temperature: column(['1', '2', '3'], utf8) },
    reason: 'column-type',
    detail: 'column `cpu_temperature` is Utf8; expected float64 or float32',
  },
  {
    columns: { ...plain, error_rate: column([true, false, true], new Bool()) },
    reason: 'column-type',
    detail: 'column `error_rate` is Bool; expected float64 or float32',
  },
])('a record is refused as a whole: $detail', ({ columns, reason, detail }) => {
  expect(decode(ipc(columns))).toEqual({ ok: false, reason, detail })
})

test.each([
  { bytes: new Uint8Array(0), reason: 'empty', detail: 'the record is empty' },
  {
    bytes: Uint8Array.from(Buffer.from('{"node":"a"}')),
    reason: 'not-arrow',
    detail: /^is no Arrow IPC stream or file: /,
  },
  {
    bytes: ipc(plain).subarray(0, 300),
    reason: 'not-arrow',
    detail: /^is no Arrow IPC stream or file: /,
  },
])('damage is refused as $reason', ({ bytes, reason, detail }) => {
  const decoded = decode(bytes)
  expect(decoded).toMatchObject({ ok: false, reason })
  expect(!decoded.ok && decoded.detail).toMatch(detail)
})

test.each([
  {
    node: null,
    at: 1,
    reason: 'node-missing',
    detail: "row 2: `node` is null; expected the node's name",
  },
  {
    node: '',
    at: 1,
    reason: 'node-invalid',
    detail: 'row 2: `node` is empty; expected the name of the node',
  },
  {
    node: 'x'.repeat(257),
    at: 1,
    reason: 'node-invalid',
    detail: `row 2: \`node\` is longer than 256 bytes: "${'x'.repeat(60)}…"`,
  },
  {
    node: 'a\tb',
    at: 1,
    reason: 'node-invalid',
    detail: String.raw`row 2: ${'`node`'} has a control character: "a\tb"`,
  },
  {
    node: 'n2',
    at: null,
    reason: 'at-missing',
    detail: 'row 2: `at` is null; expected a timestamp',
  },
  {
    node: 'n2',
    at: -1,
    reason: 'at-invalid',
    detail: 'row 2: `at` is -1 ms; expected a time since 1970',
  },
  {
    node: 'n2',
    at: NOW_MS + 3_600_000,
    reason: 'in-the-future',
    detail:
      "row 2: `at` is 3600 s ahead of the log, more than the 300 s allowed; check the node's clock and that the unit is ms",
  },
])('a row is refused and its neighbours are taken: $detail', ({ node, at, reason, detail }) => {
  const bytes = ipc({ node: column(['n1', node, 'n3'], utf8), at: column([1, at, 3], ms) })
  const decoded = decode(bytes)
  expect(decoded).toMatchObject({ ok: true, refused: { reason, detail }, refusedCount: 1 })
  expect(rowsOf(decoded).map((row) => (row as readonly unknown[])[0])).toEqual(['n1', 'n3'])
})
