/** Node classes, a topology and records for the tests of ingest. */
import type { LogRecord } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import type { Metric, NodeClass } from '../../../src/core/node.ts'
import type { InputTopic, Topology } from '../../../src/core/topics.ts'

export const NOW_MS = 1_763_675_000_000

export const topology: Topology = {
  prefix: 'test.',
  nodePartitions: 4,
  poolPartitions: 3,
  clock: 'arrival',
  retentionMs: 86_400_000,
}

function metric(name: string): Metric {
  return { name, unit: '1', kind: 'gauge', min: null, max: null, health: null, peers: false }
}

function nodeClass(name: string, metrics: readonly string[]): NodeClass {
  return {
    name,
    metrics: metrics.map(metric),
    attributes: [],
    halfLivesMs: [60_000, 600_000, 3_600_000],
    heartbeatIntervalMs: 5_000,
    detectionWindowMs: 30_000,
    predictionIntervalMs: 60_000,
    gridOrigin: 'epoch',
  }
}

export const server = nodeClass('server', ['cpu_temperature', 'error_rate'])
export const nodeClasses: ReadonlyMap<string, NodeClass> = new Map([
  ['server', server],
  ['drive', nodeClass('drive', ['smart_5'])],
])

export function recordOf(
  topic: InputTopic,
  value: string | Uint8Array | null,
  more: Partial<LogRecord> = {},
): LogRecord {
  return {
    topic: `test.${topic}`,
    partition: 1,
    offset: 7,
    appendedAtMs: NOW_MS,
    key: null,
    value: typeof value === 'string' ? toBytes(value) : value,
    headers: {},
    ...more,
  }
}
