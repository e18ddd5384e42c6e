// Goal: the load of the benches is telemetry that ingest takes whole, and the ill node stands out.
import { expect, test } from 'vitest'
import { type LoadPath, nodeName, TelemetryLoad } from '../../../src/commands/bench-load.ts'
import { loadKernel } from '../../../src/commands/package.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import { decodeArrowSamples } from '../../../src/ingest/arrow.ts'
import { decodeJsonSamples } from '../../../src/ingest/json.ts'
import { NodeTable } from '../../../src/state/node-table.ts'
import { PROBE } from '../../support/node-class.ts'
import { topologyOf } from '../../support/deployment.ts'

const AT_MS = 1_763_600_000_000
const context = {
  nodeClasses: new Map([[PROBE.name, PROBE]]),
  defaultClass: PROBE.name,
  nowMs: AT_MS,
  sampleAgeMsMax: 60_000,
}

function newLoad(path: LoadPath = 'public'): TelemetryLoad {
  const topology = topologyOf('load.', 'arrival', 2)
  return new TelemetryLoad({
    topology,
    nodeClass: PROBE,
    nodeCount: 40,
    seed: 3,
    samplesPerMessage: 10,
    path,
  })
}

test('a message is an Arrow batch without a refused row, with its own nodes in it', () => {
  const load = newLoad()
  expect(load.groupCount).toBe(4)
  const output = load.message(3, AT_MS)
  expect(output).toMatchObject({ topic: 'load.telemetry', partition: 1 })
  const decoded = decodeArrowSamples(output.value as Uint8Array, context)
  expect(decoded).toMatchObject({ ok: true, refusedCount: 0, unknownMetricCount: 0 })
  if (!decoded.ok) return
  const [{ count, atMs, ids }] = decoded.batches
  expect([count, atMs[0]]).toEqual([10, AT_MS])
  expect(Buffer.from(ids.bytes.subarray(ids.starts[0], ids.ends[0])).toString()).toBe('node-30')
  expect(load.nodesOf(3)[0]).toBe(30)
})

test('the same samples as JSON are taken whole too', () => {
  const messages = newLoad().jsonMessages(1, AT_MS)
  expect(messages).toHaveLength(10)
  for (const { value } of messages) {
    const decoded = decodeJsonSamples(toBytes(value as string), context)
    expect(decoded).toMatchObject({ ok: true, refused: [], unknownMetricCount: 0 })
  }
})

test('an ill node reads hot and its counters have jumped; its neighbour does not', () => {
  const output = newLoad().message(0, AT_MS, (node) => node === 4)
  const decoded = decodeArrowSamples(output.value as Uint8Array, context)
  if (!decoded.ok) throw new Error(decoded.reason)
  const [temperature, bytes] = decoded.batches[0].columns
  expect([temperature![4], bytes![4]]).toEqual([90, 1_000])
  expect(temperature![5]).toBeLessThan(40)
  expect(bytes![5]).toBe(0)
})

test('a direct message is a record of the node-log, with nodes of its own partition only', async () => {
  const load = newLoad('direct')
  const table = new NodeTable(await loadKernel(), PROBE, { nodesMax: 64 })
  for (let group = 0; group < load.groupCount; group++) {
    const { topic, partition, headers, value } = load.message(group, AT_MS)
    expect({ topic, headers }).toEqual({
      topic: 'load.node-log',
      headers: { kind: 'samples', class: PROBE.name },
    })
    const names = Array.from(load.nodesOf(group), nodeName)
    expect(names.map((name) => partitionOf(name, 2))).toEqual(names.map(() => partition))
    table.load(value as Uint8Array)
    expect(table.fold({ atMs: AT_MS, watermarkMs: AT_MS })).toBe(true)
    expect(names.map((name) => table.indexOf(name) === undefined)).not.toContain(true)
  }
  expect(table.nodeCount).toBe(40)
  expect(table.counts()).toMatchObject({ folded: 40, rejected: 0, unknownColumns: 0 })
})

test('each partition has as many direct messages as the others, give or take one', () => {
  const load = newLoad('direct')
  const partitions = Array.from({ length: load.groupCount }, (_, group) => {
    return load.message(group, AT_MS).partition
  })
  expect(partitions.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1])
})
