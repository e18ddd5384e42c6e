/** Telemetry of nodes in two parts, read with DuckDB under the same bounds as any other history. */
import { resolve } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { ServiceError } from '../../src/core/errors.ts'
import { idProblem } from '../../src/core/ids.ts'
import { emptySeries, type Series } from '../../src/detect/anomaly/series.ts'
import { connect } from '../history.ts'
import type { AnomalyManifest } from './manifest.ts'

const LABEL = 'label'

export interface NodeHistory {
  readonly node: string
  readonly metrics: readonly string[]
  readonly train: Series
  readonly test: Series
  /** One for each sample of `test` that is part of an anomaly. */
  readonly labels: Uint8Array
}

export interface AnomalyHistory {
  readonly nodes: readonly string[]
  read(node: string): Promise<NodeHistory>
  close(): void
}

/** ServiceError HISTORY_EMPTY: no node. HISTORY_INVALID: the SQL fails, or its columns do not fit. */
export async function openAnomalyHistory(
  manifest: AnomalyManifest,
  dataDir: string,
): Promise<AnomalyHistory> {
  const connection = await connect(dataDir)
  try {
    const nodes = await readNodes(connection, manifest, dataDir)
    return {
      nodes,
      read: (node) => readNode(connection, manifest, dataDir, node),
      close: () => connection.closeSync(),
    }
  } catch (error) {
    connection.closeSync()
    throw error
  }
}

async function readNodes(
  connection: DuckDBConnection,
  manifest: AnomalyManifest,
  dataDir: string,
): Promise<readonly string[]> {
  const sql = filled(manifest.sql.nodes, dataDir)
  const query = `SELECT DISTINCT node::VARCHAR FROM (${sql}) ORDER BY 1`
  const rows = await ask(connection, manifest, 'nodes', query)
  const nodes = rows.getRows().map(([node]) => {
    if (typeof node !== 'string' || idProblem(node) !== undefined) {
      throw invalid(manifest, `\`sql.nodes\` gives a node without a usable name: ${String(node)}`)
    }
    return node
  })
  if (nodes.length > 0) return nodes
  throw new ServiceError(
    'HISTORY_EMPTY',
    `history \`${manifest.name}\` finds no node in ${resolve(dataDir)}: point --data at the directory that holds its files`,
  )
}

async function readNode(
  connection: DuckDBConnection,
  manifest: AnomalyManifest,
  dataDir: string,
  node: string,
): Promise<NodeHistory> {
  const columnsOf = (part: 'train' | 'test') =>
    readColumns(connection, manifest, part, filled(manifest.sql[part], dataDir, node))
  const [train, test] = [await columnsOf('train'), await columnsOf('test')]
  const metrics = [...train.keys()].filter((name) => name !== LABEL)
  const missing = [...metrics, LABEL].filter((name) => !test.has(name))
  const unknown = [...test.keys()].filter((name) => name !== LABEL && !train.has(name))
  if (metrics.length === 0 || missing.length + unknown.length > 0) {
    throw invalid(
      manifest,
      `node ${node}: \`sql.test\` must give the metrics of \`sql.train\` and \`${LABEL}\`: missing ${missing.join(', ') || 'none'}; not in train: ${unknown.join(', ') || 'none'}`,
    )
  }
  const labels = Uint8Array.from(test.get(LABEL)!, (label) => (label > 0 ? 1 : 0))
  const history = {
    node,
    metrics,
    train: seriesOf(train, metrics),
    test: seriesOf(test, metrics),
    labels,
  }
  if (history.train.sampleCount > 1 && history.test.sampleCount > 0) return history
  throw new ServiceError(
    'HISTORY_EMPTY',
    `history \`${manifest.name}\`: node ${node} has ${history.train.sampleCount} samples to learn from and ${history.test.sampleCount} to judge on; bring at least two and one`,
  )
}

type Columns = ReadonlyMap<string, Float64Array>

async function readColumns(
  connection: DuckDBConnection,
  manifest: AnomalyManifest,
  part: 'train' | 'test',
  sql: string,
): Promise<Columns> {
  const reader = await ask(connection, manifest, part, `SELECT COLUMNS(*)::DOUBLE FROM (${sql})`)
  const names = reader.columnNames()
  const columns = reader.getColumns()
  return new Map(
    names.map((name, c) => {
      const values = columns[c] ?? []
      return [name, Float64Array.from(values, (v) => (typeof v === 'number' ? v : NaN))] as const
    }),
  )
}

function seriesOf(columns: Columns, metrics: readonly string[]): Series {
  const series = emptySeries(columns.get(metrics[0])!.length, metrics.length)
  for (const [m, name] of metrics.entries()) {
    const column = columns.get(name)!
    for (const [i, value] of column.entries()) series.values[i * metrics.length + m] = value
  }
  return series
}

function filled(sql: string, dataDir: string, node = ''): string {
  const quoted = (text: string): string => text.replaceAll("'", "''")
  return sql
    .replaceAll('{data}', () => quoted(resolve(dataDir)))
    .replaceAll('{node}', () => quoted(node))
}

async function ask(
  connection: DuckDBConnection,
  manifest: AnomalyManifest,
  key: 'nodes' | 'train' | 'test',
  sql: string,
) {
  try {
    return await connection.runAndReadAll(sql)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw invalid(manifest, `\`sql.${key}\` fails: ${why}`, cause)
  }
}

function invalid(manifest: AnomalyManifest, problem: string, cause?: unknown): ServiceError {
  return new ServiceError('HISTORY_INVALID', `history \`${manifest.name}\`: ${problem}`, { cause })
}
