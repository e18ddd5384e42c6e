/** A fleet's samples for benchmarks: 16 metrics, as Arrow records and as JSON lines. */
import { readFileSync } from 'node:fs'
import {
  Dictionary,
  Field,
  Int32,
  RecordBatch,
  Schema,
  Struct,
  Table,
  Utf8,
  makeData,
  makeVector,
  tableFromIPC,
  tableToIPC,
} from 'apache-arrow'
import type { Data } from 'apache-arrow'
import { SampleBuilder } from '../../src/ingest/samples.ts'
import { configure, instantiate } from '../../src/state/kernel.ts'
import { featureNames } from '../../src/state/features.ts'
import type { Kernel } from '../../src/state/kernel.ts'
import type { HealthPart, Metric, NodeClass } from '../../src/core/node.ts'

export const METRICS = 16
export const ROWS = 1_000
export const START_MS = 1_700_000_000_000
const PARTS: readonly HealthPart[] = ['network', 'uptime', 'resources', 'trust']

function gauge(index: number): Metric {
  const health = { part: PARTS[index % PARTS.length], good: 0.1, bad: 0.9 }
  const name = `metric_${index}`
  return { name, unit: '1', kind: 'gauge', min: 0, max: 1e6, health, peers: false }
}

export const FLEET: NodeClass = {
  name: 'bench',
  metrics: Array.from({ length: METRICS }, (_, index) => gauge(index)),
  attributes: [],
  halfLivesMs: [60_000, 600_000, 3_600_000],
  heartbeatIntervalMs: 10_000,
  detectionWindowMs: 30_000,
  predictionIntervalMs: 60_000,
  gridOrigin: 'epoch',
}

export function foreshockModule(): WebAssembly.Module {
  const path = new URL('../../dist/foreshock.wasm', import.meta.url)
  return new WebAssembly.Module(readFileSync(path))
}

/** What a node table has below it, to time one of its steps alone. */
export function fleetKernel(nodesMax: number): Kernel {
  const kernel = instantiate(foreshockModule())
  const featureCount = featureNames(FLEET).length
  configure(kernel, FLEET, { featureCount, nodesMax, rowsMax: 4_096 })
  return kernel
}

export function nodeName(node: number): string {
  return `rack-${node % 97}/node-${node}`
}

/** Anything in [0, 1) that is the same in every run. */
export function valueOf(node: number, metric: number, step: number): number {
  return (Math.imul(node * METRICS + metric + step * 7_919, 0x9e3779b1) >>> 0) / 2 ** 32
}

/** One record of each thousand `nodes`, sampled at `atMs`, as our own ingest writes it. */
export function arrowRecords(nodes: ArrayLike<number>, atMs: number, step = 0): Uint8Array[] {
  const builder = new SampleBuilder(FLEET)
  const records: Uint8Array[] = []
  for (let i = 0; i < nodes.length; i++) {
    const name = Buffer.from(nodeName(nodes[i]))
    builder.append(name, 0, name.length, atMs + (nodes[i] % 997), atMs + 1_000)
    for (let metric = 0; metric < METRICS; metric++) {
      builder.set(metric, valueOf(nodes[i], metric, step))
    }
    if (builder.count === ROWS) records.push(builder.build())
  }
  if (builder.count > 0) records.push(builder.build())
  return records
}

/** The same with the names as a dictionary, as producers with columns send them. */
export function withDictionary(record: Uint8Array): Uint8Array {
  const table = tableFromIPC(record)
  const [batch] = table.batches
  const names = batch.data.children[0] as Data<Utf8>
  const type = new Dictionary(new Utf8(), new Int32(), 1)
  const keys = makeData({
    type,
    length: batch.numRows,
    nullCount: 0,
    data: Int32Array.from({ length: batch.numRows }, (_, row) => row),
    dictionary: makeVector(names),
  })
  const fields = table.schema.fields.map((field, index) =>
    index === 0 ? new Field('node', type, false) : field,
  )
  const children = [keys, ...batch.data.children.slice(1)]
  const struct = new Struct(fields)
  const data = makeData({ type: struct, length: batch.numRows, nullCount: 0, children })
  const schema = new Schema(fields, table.schema.metadata)
  return tableToIPC(new Table([new RecordBatch(schema, data)]), 'stream')
}

/** One JSON record per sample, as a producer without columns sends them. */
export function jsonRecords(nodes: ArrayLike<number>, atMs: number, step = 0): Uint8Array[] {
  return Array.from(nodes, (node) => {
    const metrics = Object.fromEntries(
      FLEET.metrics.map(({ name }, metric) => [name, valueOf(node, metric, step)]),
    )
    const at = atMs + (node % 997)
    return Buffer.from(JSON.stringify({ node: nodeName(node), at, metrics }))
  })
}
