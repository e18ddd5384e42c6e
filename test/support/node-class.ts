/** Node classes for tests, with every kind of metric, and Arrow batches for them. */
import {
  Dictionary,
  Field,
  Float32,
  Float64,
  Int32,
  RecordBatch,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
  makeData,
  tableToIPC,
  Table,
  vectorFromArray,
} from 'apache-arrow'
import { readFileSync } from 'node:fs'
import type { Metric, NodeClass } from '../../src/core/node.ts'

export const foreshockWasm = (): WebAssembly.Module =>
  new WebAssembly.Module(readFileSync(new URL('../../dist/foreshock.wasm', import.meta.url)))

export function metric(name: string, more: Partial<Metric> = {}): Metric {
  return {
    name,
    unit: '1',
    kind: 'gauge',
    min: null,
    max: null,
    health: null,
    peers: false,
    ...more,
  }
}

/** A gauge with bounds, health and peers; a counter; a code; a plain gauge. */
export const PROBE: NodeClass = {
  name: 'probe',
  metrics: [
    metric('temperature', {
      min: -50,
      max: 150,
      health: { part: 'resources', good: 40, bad: 90 },
      peers: true,
    }),
    metric('bytes', { kind: 'counter' }),
    metric('status', { kind: 'code' }),
    metric('latency', { health: { part: 'network', good: 10, bad: 110 } }),
  ],
  attributes: [
    { name: 'size', label: 'size', kind: 'number', values: [], error: null },
    { name: 'maker', label: 'maker', kind: 'category', values: ['a', 'b'], error: null },
    { name: 'made', label: 'made', kind: 'since', values: [], error: 'E1' },
  ],
  halfLivesMs: [10_000, 60_000, 600_000],
  heartbeatIntervalMs: 5_000,
  detectionWindowMs: 30_000,
  predictionIntervalMs: 60_000,
  gridOrigin: 'epoch',
}

export interface SampleRow {
  readonly node: string
  readonly at: number
  /** Absent: the same as `at`. */
  readonly appendedAt?: number
  readonly metrics: Readonly<Record<string, number | null>>
}

/** One `samples` value as the log carries it. */
export function samplesIpc(
  nodeClass: NodeClass,
  rows: readonly SampleRow[],
  { dictionary = false, extra = [] as readonly string[], float32 = false } = {},
): Uint8Array {
  const names = [...nodeClass.metrics.map(({ name }) => name), ...extra]
  const ids = rows.map(({ node }) => node)
  const texts = dictionary ? new Dictionary(new Utf8(), new Int32(), 1) : new Utf8()
  const node = vectorFromArray(ids, texts)
  const times = (values: readonly number[]) => vectorFromArray(values, new TimestampMillisecond())
  const columns = [
    node,
    times(rows.map(({ at }) => at)),
    times(rows.map(({ at, appendedAt }) => appendedAt ?? at)),
    ...names.map((name) =>
      vectorFromArray(
        rows.map(({ metrics }) => metrics[name] ?? null),
        float32 ? new Float32() : new Float64(),
      ),
    ),
  ]
  const fields = ['node', 'at', 'appended_at', ...names].map(
    (name, i) => new Field(name, columns[i].type, true),
  )
  const struct = makeData({
    type: new Struct(fields),
    length: rows.length,
    nullCount: 0,
    children: columns.map((column) => column.data[0]),
  })
  return tableToIPC(new Table([new RecordBatch(new Schema(fields), struct)]), 'stream')
}
