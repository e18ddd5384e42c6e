/**
 * A history, read with DuckDB in time order: events (the labels among them) as a whole, telemetry
 * as a stream of record batches. DuckDB sees only the data directory, cannot reach the network and, since
 * the manifest's SQL is only ever a subquery, writes nothing.
 */
import { resolve } from 'node:path'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { isServiceError, ServiceError } from '../src/core/errors.ts'
import { DEFAULT_POOL, idProblem, type NodeId, type PoolId } from '../src/core/ids.ts'
import type { Intervention, NodeClass, NodeEvent } from '../src/core/node.ts'
import { dataFiles, type Manifest } from './manifest.ts'

/** Samples in time order; a missing value is NaN. */
export interface SampleRows {
  readonly count: number
  readonly nodes: readonly string[]
  readonly atMs: Float64Array
  /** One column per metric of the class, in its order. */
  readonly columns: readonly Float64Array[]
}

/** An event, with what only a history knows of it. */
export type HistoryEvent = (NodeEvent | Intervention) & {
  /** Of a leave: whether and when the node failed is known up to here, though its telemetry ends. */
  readonly knownUntilMs?: number
  /** Of a join: rows of this life are learned from and never judged by, as of a chosen sample. */
  readonly onlyFit?: boolean
}

export interface History {
  readonly manifest: Manifest
  /** In time order; a join before, and an end after, whatever else the node has at that time. */
  readonly events: readonly HistoryEvent[]
  readonly sampleCount: number
  /** Newest time of any sample or event, ms. */
  readonly endMs: number
  samples(): AsyncGenerator<SampleRows>
  close(): void
}

const EVENT_COLUMNS: readonly string[] = [
  'node',
  'at',
  'kind',
  'pool',
  'failure_kind',
  'code',
  'known_until',
  'only_fit',
]
const EVENT_KINDS: readonly string[] = [
  'join',
  'leave',
  'failure',
  'labels',
  'error',
  'moved',
  'returned',
]

/**
 * ServiceError HISTORY_EMPTY: a file is missing or has no rows. HISTORY_INVALID: the SQL fails, or
 * its columns are not those of the node class.
 */
export async function openHistory(
  manifest: Manifest,
  nodeClass: NodeClass,
  dataDir: string,
): Promise<History> {
  dataFiles(manifest, dataDir)
  if (manifest.nodeClass !== nodeClass.name) {
    throw invalid(manifest, `is of node class \`${manifest.nodeClass}\`, not \`${nodeClass.name}\``)
  }
  const connection = await connect(dataDir)
  try {
    const [telemetry, eventSql] = [manifest.sql.telemetry, manifest.sql.events].map((sql) =>
      sql.replaceAll('{data}', resolve(dataDir).replaceAll("'", "''")),
    )
    await checkColumns(connection, manifest, nodeClass, telemetry)
    const events = await readEvents(connection, manifest, eventSql)
    const [count, newest] = await summary(connection, manifest, telemetry)
    if (count === 0) {
      throw new ServiceError(
        'HISTORY_EMPTY',
        `history \`${manifest.name}\` has no telemetry in ${resolve(dataDir)}: check the files there`,
      )
    }
    return {
      manifest,
      events,
      sampleCount: count,
      endMs: Math.max(newest, events.at(-1)?.atMs ?? 0),
      samples: () => streamSamples(connection, manifest, nodeClass, telemetry),
      close: () => connection.closeSync(),
    }
  } catch (error) {
    connection.closeSync()
    throw error
  }
}

export async function connect(dataDir: string): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    temp_directory: '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  const directory = resolve(dataDir).replaceAll("'", "''")
  await connection.run(`SET allowed_directories = ['${directory}']`)
  await connection.run('SET enable_external_access = false')
  await connection.run("SET TimeZone = 'UTC'")
  await connection.run('SET lock_configuration = true')
  return connection
}

async function checkColumns(
  connection: DuckDBConnection,
  manifest: Manifest,
  nodeClass: NodeClass,
  sql: string,
): Promise<void> {
  const reader = await ask(connection, manifest, 'telemetry', `SELECT * FROM (${sql}) LIMIT 0`)
  const found = reader.columnNames()
  const wanted = ['node', 'at', ...nodeClass.metrics.map(({ name }) => name)]
  const missing = wanted.filter((name) => !found.includes(name))
  const unknown = found.filter((name) => !wanted.includes(name))
  if (missing.length + unknown.length === 0) return
  throw invalid(
    manifest,
    `\`sql.telemetry\` must give node, at and the metrics of class \`${nodeClass.name}\`: missing ${missing.join(', ') || 'none'}; not of the class: ${unknown.join(', ') || 'none'}`,
  )
}

async function summary(
  connection: DuckDBConnection,
  manifest: Manifest,
  sql: string,
): Promise<readonly [number, number]> {
  const query = `SELECT count(*)::DOUBLE, coalesce(max("at"), 0)::DOUBLE FROM (${sql})`
  const [row] = (await ask(connection, manifest, 'telemetry', query)).getRows()
  return [Number(row[0]), Number(row[1])]
}

async function* streamSamples(
  connection: DuckDBConnection,
  manifest: Manifest,
  { metrics }: NodeClass,
  sql: string,
): AsyncGenerator<SampleRows> {
  const columns = metrics.map(({ name }) => `"${name}"::DOUBLE`).join(', ')
  const query = `SELECT node::VARCHAR, "at"::DOUBLE, ${columns} FROM (${sql}) ORDER BY "at", node`
  const result = await connection.stream(query)
  for (;;) {
    const chunk = await result.fetchChunk()
    if (chunk === null || chunk.rowCount === 0) return
    const [nodes, at, ...values] = chunk.getColumns()
    const atMs = toNumbers(at)
    if (atMs.some(Number.isNaN)) throw invalid(manifest, '`sql.telemetry` gives a row without `at`')
    yield {
      count: chunk.rowCount,
      nodes: nodes.map((node) => nodeId(manifest, node)),
      atMs,
      columns: values.map(toNumbers),
    }
  }
}

function toNumbers(values: readonly unknown[]): Float64Array {
  return Float64Array.from(values, (value) => (typeof value === 'number' ? value : NaN))
}

async function readEvents(
  connection: DuckDBConnection,
  manifest: Manifest,
  sql: string,
): Promise<readonly HistoryEvent[]> {
  const names = (
    await ask(connection, manifest, 'events', `SELECT * FROM (${sql}) LIMIT 0`)
  ).columnNames()
  for (const name of ['node', 'at', 'kind']) {
    if (!names.includes(name)) {
      throw invalid(manifest, `\`sql.events\` must give a column \`${name}\``)
    }
  }
  const columns = names.map((name) => `"${name}"::${name === 'at' ? 'DOUBLE' : 'VARCHAR'}`)
  const order = `"at", CASE kind WHEN 'join' THEN 0 ELSE 1 END, node`
  const query = `SELECT ${columns.join(', ')} FROM (${sql}) ORDER BY ${order}`
  const reader = await ask(connection, manifest, 'events', query)
  return reader.getRows().map((values) => {
    const row = new Map(names.map((name, i) => [name, values[i]] as const))
    return toEvent(manifest, row)
  })
}

/** By column; numbers only in `at`, text elsewhere. */
type EventRow = ReadonlyMap<string, unknown>

function toEvent(manifest: Manifest, row: EventRow): HistoryEvent {
  const node = nodeId(manifest, row.get('node'))
  const atMs = Number(row.get('at') ?? NaN)
  const kind = String(row.get('kind'))
  if (!Number.isFinite(atMs)) throw invalid(manifest, `\`sql.events\`: node ${node} has no \`at\``)
  switch (kind) {
    case 'join':
      return toJoin(manifest, node, atMs, row)
    case 'leave':
      return { kind, node, atMs, ...knownUntil(manifest, row) }
    case 'failure':
      return { kind, node, atMs, failureKind: textOf(row, 'failure_kind') ?? 'unknown' }
    case 'labels':
      return { kind, node, atMs, labels: labelsOf(row) }
    case 'moved':
    case 'returned':
      return { kind, node, atMs }
    case 'error':
      return { kind, node, atMs, code: textOf(row, 'code') ?? 'unknown' }
    default:
      throw invalid(
        manifest,
        `\`sql.events\`: kind "${kind}" of node ${node}; expected one of ${EVENT_KINDS.join(', ')}`,
      )
  }
}

function toJoin(manifest: Manifest, node: NodeId, atMs: number, row: EventRow): HistoryEvent {
  return {
    kind: 'join',
    node,
    atMs,
    class: manifest.nodeClass,
    pool: (textOf(row, 'pool') as PoolId | undefined) ?? DEFAULT_POOL,
    labels: labelsOf(row),
    place: { zone: null, region: null, latitude: null, longitude: null },
    capacity: { cpu: 0, memoryBytes: 0, gpu: null },
    onlyFit: textOf(row, 'only_fit') === 'true',
  }
}

function knownUntil(manifest: Manifest, row: EventRow): { readonly knownUntilMs?: number } {
  const text = textOf(row, 'known_until')
  if (text === undefined) return {}
  const knownUntilMs = Number(text)
  if (Number.isFinite(knownUntilMs)) return { knownUntilMs }
  throw invalid(manifest, `\`sql.events\`: \`known_until\` is "${text}"; expected epoch ms`)
}

function textOf(row: EventRow, name: string): string | undefined {
  const value = row.get(name)
  return typeof value === 'string' ? value : undefined
}

function labelsOf(row: EventRow): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {}
  for (const [name, value] of row) {
    if (typeof value === 'string' && !EVENT_COLUMNS.includes(name)) labels[name] = value
  }
  return labels
}

function nodeId(manifest: Manifest, value: unknown): NodeId {
  const problem = typeof value === 'string' ? idProblem(value) : 'empty'
  if (problem !== undefined) throw invalid(manifest, `a node id is ${problem}: ${String(value)}`)
  return value as NodeId
}

async function ask(
  connection: DuckDBConnection,
  manifest: Manifest,
  key: 'telemetry' | 'events',
  sql: string,
) {
  try {
    return await connection.runAndReadAll(sql)
  } catch (cause) {
    if (isServiceError(cause)) throw cause
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw invalid(manifest, `\`sql.${key}\` fails: ${why}`, cause)
  }
}

function invalid(manifest: Manifest, problem: string, cause?: unknown): ServiceError {
  return new ServiceError('HISTORY_INVALID', `history \`${manifest.name}\`: ${problem}`, { cause })
}
