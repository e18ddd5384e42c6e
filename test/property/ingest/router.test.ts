// Goal: routing plain Arrow records in WASM is routing them row by row.
// Method: one fold has the kernel, the other has not; both are given the same records.
import { fc, test } from '@fast-check/vitest'
import { Table, tableFromIPC, tableToIPC } from 'apache-arrow'
import { expect } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import type { LogRecord, Output } from '../../../src/core/bus.ts'
import { KIND } from '../../../src/core/log.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import type { Topology } from '../../../src/core/topics.ts'
import { IngestFold } from '../../../src/ingest/route.ts'
import { foreshockWasm, PROBE, samplesIpc, type SampleRow } from '../../support/node-class.ts'

const NOW_MS = 1_763_600_000_000
const DAY_MS = 86_400_000
const PARTITIONS = 3
const topology: Topology = {
  prefix: 't.',
  nodePartitions: PARTITIONS,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 1e9,
}

const value = fc.oneof(
  fc.constant(null),
  fc.integer({ min: -50, max: 1_000 }),
  fc.double({ noNaN: true }),
)
const plainName = fc.stringMatching(/^[ -~]{1,12}$/)
const at = fc.integer({ min: NOW_MS - 10 * DAY_MS, max: NOW_MS + 290_000 })
const rowOf = (node: fc.Arbitrary<string>, time: fc.Arbitrary<number>): fc.Arbitrary<SampleRow> =>
  fc.record({
    node,
    at: time,
    metrics: fc.record({ temperature: value, bytes: value, status: value, latency: value }),
  })
const plainRow = rowOf(plainName, at)
const oddRow = rowOf(
  fc.oneof(plainName, fc.constantFrom('', 'é', 'a\u0001', 'x'.repeat(257), 'x'.repeat(65_536))),
  fc.oneof(at, fc.constantFrom(-1, 0, NOW_MS - 31 * DAY_MS, NOW_MS + 400_000)),
)
const rows = fc.oneof(
  { weight: 3, arbitrary: fc.array(plainRow, { minLength: 1, maxLength: 40 }) },
  { weight: 1, arbitrary: fc.array(oddRow, { minLength: 1, maxLength: 10 }) },
)
const shape = fc.record({
  dictionary: fc.boolean(),
  extra: fc.constantFrom<readonly string[]>([], ['other']),
  float32: fc.boolean(),
})
const telemetry = fc.oneof(
  { weight: 4, arbitrary: fc.record({ as: fc.constant('arrow'), rows, shape, cut: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ as: fc.constant('json'), rows, shape, cut: fc.boolean() }) },
)

function valueOf(given: {
  as: string
  rows: SampleRow[]
  shape: object
  cut: boolean
}): Uint8Array {
  if (given.as === 'json') {
    const samples = given.rows.map(({ node, at: atMs, metrics }) => ({ node, at: atMs, metrics }))
    return toBytes(JSON.stringify(samples))
  }
  const ipc = samplesIpc(PROBE, given.rows, given.shape)
  if (!given.cut) return ipc
  const whole = tableFromIPC(ipc)
  const [batch] = whole.batches
  const half = batch.numRows >> 1
  return tableToIPC(new Table(whole.schema, [batch.slice(0, half), batch.slice(half)]), 'stream')
}

function recordOf(bytes: Uint8Array, offset: number, as: string): LogRecord {
  const type = as === 'arrow' ? 'application/vnd.apache.arrow.stream' : 'application/json'
  return {
    topic: 't.telemetry',
    partition: 0,
    offset,
    appendedAtMs: NOW_MS + offset,
    key: null,
    value: bytes,
    headers: { 'content-type': type },
  }
}

function folded(records: readonly LogRecord[], kernel?: WebAssembly.Module): IngestFold {
  const fold = new IngestFold({
    topology,
    nodeClasses: new Map([[PROBE.name, PROBE]]),
    defaultClass: PROBE.name,
    source: 0,
    ...(kernel === undefined ? {} : { kernel }),
  })
  for (const record of records) fold.take(record, record.appendedAtMs)
  return fold
}

/** Per partition the rows in their order, and all that is no row. */
function contents(outputs: readonly Output[]): unknown {
  const partitions = Array.from({ length: PARTITIONS }, () => [] as unknown[])
  for (const { partition, value: bytes, headers } of outputs) {
    if (headers?.[KIND] !== 'samples') continue
    for (const row of tableFromIPC(bytes as Uint8Array)) {
      const { node, ...rest } = row!.toJSON()
      expect(partitionOf(String(node), PARTITIONS)).toBe(partition)
      partitions[partition].push([node, ...Object.values(rest)])
    }
  }
  return [partitions, outputs.filter(({ headers }) => headers?.[KIND] !== 'samples')]
}

test.prop([fc.array(telemetry, { minLength: 1, maxLength: 6 })], { numRuns: 80, seed: 21 })(
  'the kernel routes as the rows are routed one by one',
  (given) => {
    const records = given.map((each, i) => recordOf(valueOf(each), i, each.as))
    const [ours, plain] = [folded(records, foreshockWasm()), folded(records)]
    expect(contents(ours.flush())).toEqual(contents(plain.flush()))
    expect(ours.deadLetters()).toEqual(plain.deadLetters())
    expect(ours.counts()).toEqual(plain.counts())
  },
)

test('more rows than a record of node-log takes become several, in order', () => {
  const many = Array.from({ length: 9_000 }, (_, i) => ({
    node: `n${i % 7}`,
    at: NOW_MS - 9_000 + i,
    metrics: { temperature: i / 2, bytes: i, status: null, latency: i % 2 === 0 ? null : 0.1 },
  }))
  const records = [recordOf(samplesIpc(PROBE, many), 0, 'arrow')]
  const [ours, plain] = [folded(records, foreshockWasm()).flush(), folded(records).flush()]
  expect(contents(ours)).toEqual(contents(plain))
  expect(ours).toHaveLength(plain.length)
})
