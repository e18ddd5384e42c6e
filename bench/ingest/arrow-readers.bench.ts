/**
 * Who reads telemetry in Arrow: apache-arrow, flechette, or our own reader of frames, which knows the
 * schema from the record before. All three fill the same columns: names as offsets and bytes, times,
 * and values with their number of nulls. What is compared is what a record costs beyond its bytes.
 */
import { Table, tableFromIPC, tableToIPC } from 'apache-arrow'
import type { Data, Utf8 } from 'apache-arrow'
import * as flechette from '@uwdata/flechette'
import { StreamReader } from '../../src/core/arrow-layout.ts'
import type { Texts } from '../../src/core/arrow-layout.ts'
import type { Bench, BenchRow } from '../bench.ts'
import { alternateFastest, ratioRow, timed } from '../bench.ts'
import { FLEET, METRICS, START_MS, arrowRecords, nodeName, valueOf } from './columns.ts'

const ROWS_MAX = 1_024
/** In one go, of several a round. */
const RECORDS = 10
const PASSES = 9

/** What a reader fills, record by record. */
class Columns {
  readonly at = new BigInt64Array(ROWS_MAX)
  readonly appendedAt = new BigInt64Array(ROWS_MAX)
  readonly values = FLEET.metrics.map(() => new Float64Array(ROWS_MAX))
  readonly nameEnds = new Int32Array(ROWS_MAX + 1)
  readonly names = new Uint8Array(64 * ROWS_MAX)
  nulls = 0
  rows = 0

  begin(): void {
    this.rows = 0
    this.nulls = 0
  }

  addNames(offsets: Int32Array, bytes: Uint8Array, rows: number): void {
    const to = this.nameEnds[this.rows]
    this.names.set(bytes.subarray(offsets[0], offsets[rows]), to)
    for (let row = 1; row <= rows; row++) {
      this.nameEnds[this.rows + row] = to + offsets[row] - offsets[0]
    }
  }

  nameAt(row: number): string {
    return Buffer.from(this.names.subarray(this.nameEnds[row], this.nameEnds[row + 1])).toString()
  }
}

function byApacheArrow(record: Uint8Array, to: Columns): void {
  to.begin()
  const table = tableFromIPC(record)
  const index = (name: string) => table.schema.fields.findIndex((field) => field.name === name)
  const [node, at, appendedAt] = ['node', 'at', 'appended_at'].map(index)
  const metrics = FLEET.metrics.map(({ name }) => index(name))
  for (const { data, numRows } of table.batches) {
    const names = data.children[node] as Data<Utf8>
    to.addNames(names.valueOffsets, names.values, numRows)
    to.at.set(data.children[at].values as BigInt64Array, to.rows)
    to.appendedAt.set(data.children[appendedAt].values as BigInt64Array, to.rows)
    for (const [metric, column] of metrics.entries()) {
      to.values[metric].set(data.children[column].values as Float64Array, to.rows)
      to.nulls += data.children[column].nullCount
    }
    to.rows += numRows
  }
}

/** Without the offsets, which only some batches have. */
interface FlechetteBatch {
  readonly length: number
  readonly nullCount: number
  readonly values: unknown
  readonly offsets?: unknown
}

function byFlechette(record: Uint8Array, to: Columns): void {
  to.begin()
  const table = flechette.tableFromIPC(record)
  const batchesOf = (name: string) =>
    table.getChild(name).data as readonly unknown[] as readonly FlechetteBatch[]
  const [node, at, appendedAt] = ['node', 'at', 'appended_at'].map(batchesOf)
  const metrics = FLEET.metrics.map(({ name }) => batchesOf(name))
  for (const [batch, { length, values, offsets }] of node.entries()) {
    to.addNames(offsets as Int32Array, values as Uint8Array, length)
    to.at.set(at[batch].values as BigInt64Array, to.rows)
    to.appendedAt.set(appendedAt[batch].values as BigInt64Array, to.rows)
    for (const [metric, column] of metrics.entries()) {
      to.values[metric].set(column[batch].values as Float64Array, to.rows)
      to.nulls += column[batch].nullCount
    }
    to.rows += length
  }
}

function byFrame(reader: StreamReader, record: Uint8Array, to: Columns): void {
  to.begin()
  const layout = reader.read(record)
  if (layout === undefined) throw new Error('the record is not plain')
  for (const { rows, node, at, appendedAt, metrics } of layout.batches) {
    if (appendedAt === undefined) throw new Error('a column is missing')
    const { offsets, bytes } = node as Texts
    to.addNames(new Int32Array(offsets.buffer, offsets.byteOffset, rows + 1), bytes, rows)
    to.at.set(new BigInt64Array(at.buffer, at.byteOffset, rows), to.rows)
    to.appendedAt.set(new BigInt64Array(appendedAt.buffer, appendedAt.byteOffset, rows), to.rows)
    for (const [metric, column] of metrics.entries()) {
      if (column === undefined) continue
      const { buffer, byteOffset } = column.values
      to.values[metric].set(new Float64Array(buffer, byteOffset, rows), to.rows)
      if (column.validity !== undefined) to.nulls += 1
    }
    to.rows += rows
  }
}

/** One stream of `batches` record batches of `rows` rows each. */
function streamOf(rows: number, batches: number): Uint8Array {
  const nodes = Array.from({ length: batches }, (_, batch) =>
    Uint32Array.from({ length: rows }, (_, row) => batch * rows + row),
  )
  const records = nodes.flatMap((some) => arrowRecords(some, START_MS))
  const parts = records.flatMap((record) => tableFromIPC(record).batches)
  return tableToIPC(new Table(parts), 'stream')
}

function check(columns: Columns, rows: number): void {
  if (columns.rows !== rows || columns.nulls !== 0) throw new Error('rows went astray')
  for (let row = 0; row < rows; row++) {
    const at = BigInt(START_MS + (row % 997))
    if (columns.nameAt(row) !== nodeName(row)) throw new Error('a name went astray')
    if (columns.at[row] !== at || columns.appendedAt[row] !== BigInt(START_MS + 1_000)) {
      throw new Error('a time went astray')
    }
    for (let metric = 0; metric < METRICS; metric++) {
      if (columns.values[metric][row] !== valueOf(row, metric, 0)) {
        throw new Error('a value went astray')
      }
    }
  }
}

export const bench: Bench = {
  name: 'readers of Arrow',
  async run({ quick }): Promise<readonly BenchRow[]> {
    const rounds = quick ? 7 : 25
    const rows: BenchRow[] = []
    for (const [count, batches, reach] of [
      [1_000, 1, 4],
      [16, 64, 4],
    ] as const) {
      const record = streamOf(count, batches)
      const reader = new StreamReader(FLEET.metrics.map(({ name }) => name))
      const columns = new Columns()
      const readers = {
        ours: () => byFrame(reader, record, columns),
        apache: () => byApacheArrow(record, columns),
        flechette: () => byFlechette(record, columns),
      }
      for (const read of Object.values(readers)) {
        for (let warm = 0; warm < 20 * RECORDS; warm++) read()
        check(columns, count * batches)
      }
      const many = (read: () => void) => () =>
        timed(() => {
          for (let i = 0; i < RECORDS; i++) read()
        })
      const times = await alternateFastest(rounds, PASSES, {
        ours: many(readers.ours),
        apache: many(readers.apache),
        flechette: many(readers.flechette),
      })
      const shape = batches === 1 ? `${count} rows` : `${batches} batches of ${count} rows`
      const what = `a record of ${shape} x ${METRICS + 3} columns into columns`
      const micros = (name: string) => Math.round((1_000 * Math.min(...times[name])) / RECORDS)
      const figures = {
        oursMicros: micros('ours'),
        apacheMicros: micros('apache'),
        flechetteMicros: micros('flechette'),
      }
      const ratio = (ours: string, rival: string, least: number) => ({ ours, rival, reach: least })
      rows.push(
        ratioRow(what, 'apache-arrow', times, ratio('ours', 'apache', reach), figures),
        ratioRow(what, 'flechette', times, ratio('ours', 'flechette', 1), figures),
        {
          ...ratioRow(`flechette: ${what}`, 'apache-arrow', times, ratio('flechette', 'apache', 0)),
          reach: null,
        },
      )
    }
    return rows
  },
}
