/** The tables of a recorded history: their columns, and rows of log records as columns of them. */
import {
  BIGINT,
  DOUBLE,
  FLOAT,
  MAP,
  mapValue,
  type DuckDBType,
  type DuckDBValue,
  VARCHAR,
} from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import type { LogRecord } from '../core/bus.ts'
import { kindOf, logBody } from '../core/log.ts'
import type { Intervention, NodeClass, NodeEvent } from '../core/node.ts'

/** `telemetry` and `predictions` are kept by node class, `events` are not. */
export type HistoryKind = 'telemetry' | 'events' | 'predictions'

export interface HistoryTable {
  readonly kind: HistoryKind
  readonly nodeClass: string | null
  readonly columns: readonly (readonly [name: string, type: DuckDBType])[]
}

/** Rows as columns, in the order of the table's; the second is always the time, ms. */
export interface HistoryRows {
  readonly table: HistoryTable
  readonly count: number
  readonly columns: readonly (readonly DuckDBValue[])[]
}

const NODE_AT = [
  ['node', VARCHAR],
  ['at', BIGINT],
] as const

export const EVENTS: HistoryTable = {
  kind: 'events',
  nodeClass: null,
  columns: [
    ...NODE_AT,
    ['kind', VARCHAR],
    ['class', VARCHAR],
    ['pool', VARCHAR],
    ['failure_kind', VARCHAR],
    ['labels', MAP(VARCHAR, VARCHAR)],
  ],
}

export function telemetryTable({ name, metrics }: NodeClass): HistoryTable {
  return {
    kind: 'telemetry',
    nodeClass: name,
    columns: [...NODE_AT, ...metrics.map((metric) => [metric.name, DOUBLE] as const)],
  }
}

export function predictionTable(nodeClass: string): HistoryTable {
  return {
    kind: 'predictions',
    nodeClass,
    columns: [
      ...NODE_AT,
      ['trigger', VARCHAR],
      ['probability', FLOAT],
      ['model_version', VARCHAR],
      ['role', VARCHAR],
      ['row_hash', VARCHAR],
    ],
  }
}

/** Of a record of the node-log; null where it holds nothing that is kept. */
export function rowsOf(
  record: LogRecord,
  tables: ReadonlyMap<string, HistoryTable>,
): HistoryRows | null {
  const kind = kindOf(record)
  if (kind === 'node-event' || kind === 'intervention') {
    return eventRows(logBody<NodeEvent | Intervention>(record))
  }
  const table = tables.get(record.headers['class'] ?? '')
  if (kind !== 'samples' || table === undefined || record.value === null) return null
  const read = tableFromIPC(record.value)
  const columns = table.columns.map(([name]) => {
    const vector = read.getChild(name)
    if (vector === null) return Array.from({ length: read.numRows }, () => null)
    if (name === 'node')
      return Array.from({ length: read.numRows }, (_, i) => String(vector.get(i)))
    if (name === 'at') return Array.from({ length: read.numRows }, (_, i) => toMs(vector.get(i)))
    return Array.from({ length: read.numRows }, (_, i) => toNumber(vector.get(i)))
  })
  return { table, count: read.numRows, columns }
}

/** Of a record of `predictions.batches`. */
export function predictionRows(record: LogRecord): HistoryRows | null {
  if (record.value === null) return null
  const read = tableFromIPC(record.value)
  const { metadata } = read.schema
  const count = read.numRows
  const column = (name: string, value: (of: unknown) => DuckDBValue) => {
    const vector = read.getChild(name)
    return Array.from({ length: count }, (_, i) => value(vector?.get(i)))
  }
  const same = (value: string) => Array.from({ length: count }, () => value)
  return {
    table: predictionTable(metadata.get('class') ?? 'unknown'),
    count,
    columns: [
      column('node', String),
      column('at', toMs),
      column('trigger', (trigger) => (trigger === 0 ? 'grid' : 'change')),
      column('probability', toNumber),
      same(metadata.get('model_version') ?? ''),
      same(metadata.get('role') ?? 'champion'),
      column('row_hash', (hash) => (typeof hash === 'bigint' ? hash.toString(16) : '')),
    ],
  }
}

function eventRows(event: NodeEvent | Intervention): HistoryRows {
  const isJoin = event.kind === 'join'
  const labels = isJoin || event.kind === 'labels' ? event.labels : {}
  const entries = Object.entries(labels).flatMap(([key, value]) =>
    value === null ? [] : [{ key, value }],
  )
  const row: readonly DuckDBValue[] = [
    event.node,
    BigInt(Math.round(event.atMs)),
    event.kind,
    isJoin ? event.class : null,
    isJoin ? event.pool : null,
    event.kind === 'failure' ? event.failureKind : null,
    mapValue(entries),
  ]
  return { table: EVENTS, count: 1, columns: row.map((value) => [value]) }
}

/** Arrow gives times as numbers or dates, by their unit. */
function toMs(value: unknown): bigint {
  return BigInt(Math.round(Number(value)))
}

/** NaN is missing, as everywhere. */
function toNumber(value: unknown): number | null {
  return typeof value === 'number' && !Number.isNaN(value) ? value : null
}
