/**
 * Records what was really seen: samples and events from the node-log, predictions (also those of
 * challengers) from their batches. Rows gather in DuckDB's memory and become Parquet files by day. A crash
 * loses what has gathered and nothing else: it is read again.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DuckDBConnection, DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api'
import type { Bus, LogRecord, Reader } from '../core/bus.ts'
import { ServiceError } from '../core/errors.ts'
import type { NodeClass } from '../core/node.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { Caller } from '../resilience/caller.ts'
import {
  dayDirectory,
  dayOf,
  type Positions,
  readPositions,
  removeOld,
  removeUnfinished,
  settle,
  writePositions,
} from './history-files.ts'
import {
  type HistoryRows,
  type HistoryTable,
  predictionRows,
  rowsOf,
  telemetryTable,
} from './history-tables.ts'

const WAIT_MS = 200
const QUIET_MS = 2_000
/** Before it is tried again to write what is as much as may gather. */
const FULL_PAUSE_MS = 1_000
/** Then files are written, however little time has passed. */
const GATHERED_ROWS_MAX = 500_000
/** As many rows as a chunk of DuckDB takes. */
const CHUNK_ROWS = 2_048

export interface RecorderOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  readonly directory: string
  readonly retentionMs: number
  readonly flushMs: number
  /** Ends by itself once it has read what was there at the beginning. */
  readonly once?: boolean
  readonly signal: AbortSignal
  readonly onProgress?: (figures: RecorderFigures) => void
  /** Guards what is written. Absent: a write that fails ends the recording. */
  readonly guarded?: {
    readonly caller: Caller
    /** Told of writes that failed; what has gathered is written later. */
    readonly report: (error: unknown) => void
  }
  /** Told how much older what was read last is than now; 0 once all is read. */
  readonly onBehind?: (behindMs: number) => void
}

export interface RecorderFigures {
  readonly samples: number
  readonly events: number
  readonly predictions: number
  readonly files: number
}

/** Until `signal`, or the end where `once`; what has gathered by then is written. */
export async function record(options: RecorderOptions): Promise<RecorderFigures> {
  const { bus, topology, flushMs, signal } = options
  const writer = await HistoryWriter.open(options)
  const topics = ['node-log', 'predictions.batches'] as const
  const names = topics.map((name) => topicName(topology, name))
  const offsets = new Map<string, number[]>()
  const ends = new Map<string, readonly number[]>()
  const readers: Reader[] = []
  try {
    for (const topic of names) {
      const from = await startsOf(bus, topic, writer.positions)
      offsets.set(topic, from)
      ends.set(topic, await bus.ends(topic))
      readers.push(await bus.read({ topic, from: { offsets: from } }))
    }
    const isDone = () =>
      names.every((topic) => {
        const next = offsets.get(topic)!
        return ends.get(topic)!.every((end, partition) => next[partition] >= end)
      })
    let flushedAtMs = bus.nowMs()
    let heardAtMs = bus.nowMs()
    // The last offsets of a log may be ends of transactions, which no reader gives.
    const isQuiet = () => bus.nowMs() - heardAtMs >= QUIET_MS
    const take = async () => {
      let behindMs = 0
      for (const reader of readers) {
        const records = await reader.take(WAIT_MS)
        for (const taken of records) {
          heardAtMs = bus.nowMs()
          offsets.get(taken.topic)![taken.partition] = taken.offset + 1
          writer.take(taken)
        }
        const last = records.at(-1)
        if (last !== undefined) behindMs = Math.max(behindMs, bus.nowMs() - last.appendedAtMs)
      }
      options.onBehind?.(behindMs)
    }
    while (!signal.aborted && !(options.once === true && (isDone() || isQuiet()))) {
      // What cannot be written is not read: the log keeps it.
      const isFull = writer.gathered >= GATHERED_ROWS_MAX || writer.isFlushing
      if (isFull) await sleep(FULL_PAUSE_MS)
      else await take()
      const isDue = bus.nowMs() - flushedAtMs >= flushMs
      if (!isDue && writer.gathered < GATHERED_ROWS_MAX) continue
      flushedAtMs = bus.nowMs()
      await writer.flushGuarded(offsets)
      options.onProgress?.(writer.figures())
    }
    await writer.flushGuarded(offsets)
    return writer.figures()
  } finally {
    await Promise.all(readers.map((reader) => reader.close()))
    writer.close()
  }
}

/** Where the recording ends, or what is still kept. */
async function startsOf(bus: Bus, topic: string, { topics }: Positions): Promise<number[]> {
  const starts = await bus.starts(topic)
  const ends = await bus.ends(topic)
  const known = topics[topic]
  return starts.map((start, partition) => {
    const next = known?.[partition] ?? 0
    if (next <= (ends[partition] ?? 0)) return Math.max(start, next)
    throw new ServiceError(
      'HISTORY_INVALID',
      `${topic}[${partition}]: recorded up to offset ${next}, but the log ends at ${ends[partition] ?? 0}: these are other topics; record into another directory`,
    )
  })
}

class HistoryWriter {
  positions: Positions
  readonly #options: RecorderOptions
  readonly #connection: DuckDBConnection
  readonly #tables: ReadonlyMap<string, HistoryTable>
  readonly #batchTopic: string
  /** Name → table that exists in DuckDB. */
  readonly #open = new Map<string, HistoryTable>()
  readonly #waiting = new Map<string, HistoryRows[]>()
  readonly #counts = { telemetry: 0, events: 0, predictions: 0 }
  #files = 0
  #flushing: Promise<void> | null = null
  gathered = 0

  private constructor(
    options: RecorderOptions,
    connection: DuckDBConnection,
    positions: Positions,
  ) {
    this.#options = options
    this.#connection = connection
    this.positions = positions
    this.#batchTopic = topicName(options.topology, 'predictions.batches')
    this.#tables = new Map(
      [...options.nodeClasses].map(([name, nodeClass]) => [name, telemetryTable(nodeClass)]),
    )
  }

  static async open(options: RecorderOptions): Promise<HistoryWriter> {
    const { directory } = options
    await mkdir(directory, { recursive: true })
    const positions = await readPositions(directory)
    await removeUnfinished(directory, positions)
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    return new HistoryWriter(options, await instance.connect(), positions)
  }

  take(taken: LogRecord): void {
    const rows =
      taken.topic === this.#batchTopic ? predictionRows(taken) : rowsOf(taken, this.#tables)
    if (rows === null || rows.count === 0) return
    const name = tableName(rows.table)
    this.#open.set(name, rows.table)
    const waiting = this.#waiting.get(name)
    if (waiting === undefined) this.#waiting.set(name, [rows])
    else waiting.push(rows)
    this.gathered += rows.count
    this.#counts[rows.table.kind] += rows.count
  }

  /** A write that took too long for its guard is still under way. */
  get isFlushing(): boolean {
    return this.#flushing !== null
  }

  /** Through the guard, which a try that hangs is waited for by: the same files have one writer. */
  async flushGuarded(offsets: ReadonlyMap<string, readonly number[]>): Promise<void> {
    const { guarded } = this.#options
    const topics = Object.fromEntries([...offsets].map(([topic, next]) => [topic, [...next]]))
    if (guarded === undefined) return this.#flush(topics)
    if (this.gathered === 0) return
    const work = () =>
      (this.#flushing ??= this.#flush(topics).finally(() => (this.#flushing = null)))
    try {
      await guarded.caller.call('low', work)
    } catch (error) {
      guarded.report(error)
    }
  }

  /** Writes all that has gathered; it counts with `topics`, the offsets that are recorded then. */
  async #flush(topics: Positions['topics']): Promise<void> {
    if (this.gathered === 0) return
    const { directory, retentionMs } = this.#options
    const { sequence } = this.positions
    for (const [name, waiting] of this.#waiting) await this.#write(name, waiting)
    this.#waiting.clear()
    this.gathered = 0
    this.positions = { sequence: sequence + 1, topics }
    await writePositions(directory, this.positions)
    await removeOld(directory, retentionMs)
  }

  figures(): RecorderFigures {
    const { telemetry: samples, events, predictions } = this.#counts
    return { samples, events, predictions, files: this.#files }
  }

  close(): void {
    this.#connection.closeSync()
  }

  async #write(name: string, waiting: readonly HistoryRows[]): Promise<void> {
    const table = this.#open.get(name)!
    const quoted = `"${name}"`
    const columns = table.columns.map(([column, type]) => `"${column}" ${type.toString()}`)
    await this.#connection.run(`CREATE OR REPLACE TABLE ${quoted} (${columns.join(', ')})`)
    await this.#append(name, table, waiting)
    const query = `SELECT DISTINCT "at" // 86400000 FROM ${quoted}`
    const days = (await this.#connection.runAndReadAll(query)).getRows().map(([day]) => Number(day))
    for (const day of days) await this.#copy(table, quoted, day)
    await this.#connection.run(`DROP TABLE ${quoted}`)
  }

  async #append(name: string, table: HistoryTable, waiting: readonly HistoryRows[]): Promise<void> {
    const appender = await this.#connection.createAppender(name)
    const types = table.columns.map(([, type]) => type)
    for (const { count, columns } of waiting) {
      for (let from = 0; from < count; from += CHUNK_ROWS) {
        const until = Math.min(count, from + CHUNK_ROWS)
        const chunk = DuckDBDataChunk.create(types, until - from)
        chunk.setColumns(columns.map((column) => column.slice(from, until)))
        appender.appendDataChunk(chunk)
      }
    }
    appender.closeSync()
  }

  /** The file appears whole, under its name. */
  async #copy({ kind, nodeClass }: HistoryTable, quoted: string, day: number): Promise<void> {
    const { directory } = this.#options
    const place = join(directory, dayDirectory(kind, nodeClass, dayOf(day * 86_400_000)))
    await mkdir(place, { recursive: true })
    const file = join(place, `${String(this.positions.sequence).padStart(8, '0')}.parquet`)
    const draft = `${file}.draft`.replaceAll("'", "''")
    await this.#connection.run(
      `COPY (SELECT * FROM ${quoted} WHERE "at" // 86400000 = ${day} ORDER BY "at", node) TO '${draft}' (FORMAT parquet, COMPRESSION zstd)`,
    )
    await settle(file)
    this.#files++
  }
}

function tableName({ kind, nodeClass }: HistoryTable): string {
  return nodeClass === null ? kind : `${kind}/${nodeClass}`
}
