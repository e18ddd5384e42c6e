/**
 * A training history from the same generator that the demonstration runs: nobody acts, so every
 * failure takes its course. Two CSV files, as training/histories/fleet.toml reads them:
 *
 * - telemetry.csv: node, at (ms), one column per metric of the class `server`; empty is missing
 * - events.csv: node, at, kind (join, leave, failure), pool, model, gpu_count, powered_on_at,
 *   failure_kind. Every node that is up at the end leaves, since what comes after is not known.
 */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ServiceError } from '../core/errors.ts'
import type { Topology } from '../core/topics.ts'
import type { FleetEvent, Observation } from './fleet.ts'
import { Fleet, STEP_MS } from './fleet.ts'
import type { FailureSetName } from './kinds.ts'
import { METRICS } from './signals.ts'

const HOUR_MS = 3_600_000
const CHUNK_CHARS = 4_194_304
/** Scheduler moves per node-hour: about as often as a node fails, and then some. */
const ROUTINE_MOVES_PER_NODE_HOUR = 0.5

export interface HistoryOptions {
  readonly seed: number
  readonly nodeCount: number
  readonly hours: number
  readonly directory: string
  readonly startMs: number
  /** Default `training`. */
  readonly failures?: FailureSetName
  /** Time between samples; default is the heartbeat interval, as in serving. */
  readonly stepMs?: number
  readonly failureRateFactor?: number
  readonly onProgress?: (doneRatio: number) => void
  readonly signal?: AbortSignal
}

export interface HistorySummary {
  readonly sampleCount: number
  readonly eventCount: number
  readonly failures: Readonly<Record<string, number>>
  readonly endMs: number
}

/** Writes the files under other names first: an interrupted run leaves nothing that looks whole. */
export function writeHistory(options: HistoryOptions): HistorySummary {
  mkdirSync(options.directory, { recursive: true })
  const telemetry = new CsvFile(join(options.directory, 'telemetry.csv'))
  const events = new CsvFile(join(options.directory, 'events.csv'))
  try {
    const summary = generate(options, telemetry, events)
    telemetry.finish()
    events.finish()
    return summary
  } catch (error) {
    telemetry.discard()
    events.discard()
    throw error
  }
}

function generate(options: HistoryOptions, telemetry: CsvFile, events: CsvFile): HistorySummary {
  const { startMs, hours } = options
  const stepMs = options.stepMs ?? STEP_MS
  const endMs = startMs + Math.round(hours * HOUR_MS)
  const fleet = createFleet(options)
  telemetry.line(`node,at,${METRICS.join(',')}`)
  events.line('node,at,kind,pool,model,gpu_count,powered_on_at,failure_kind')
  let [sampleCount, eventCount] = [0, 0]
  for (let nowMs = startMs; nowMs <= endMs; nowMs += stepMs) {
    if (options.signal?.aborted === true) {
      throw new ServiceError('INTERRUPTED', 'interrupted: the history was not written')
    }
    for (const event of fleet.pass(nowMs)) {
      events.line(eventLine(event))
      eventCount++
    }
    fleet.moveRoutinely(nowMs)
    const observations = fleet.observe(nowMs)
    for (const observation of observations) telemetry.line(sampleLine(observation))
    sampleCount += observations.length
    if ((nowMs - startMs) % HOUR_MS < stepMs) {
      options.onProgress?.((nowMs - startMs) / (endMs - startMs))
    }
  }
  for (const node of fleet.upNodes()) events.line(`${node},${endMs},leave,,,,,`)
  const failures: Record<string, number> = {}
  for (const { kind } of fleet.truth().failures) failures[kind] = (failures[kind] ?? 0) + 1
  return { sampleCount, eventCount, failures, endMs }
}

function createFleet(options: HistoryOptions): Fleet {
  // No record leaves this fleet, so its topics only have to exist.
  const topology: Topology = {
    prefix: '',
    nodePartitions: 1,
    poolPartitions: 1,
    clock: 'driven',
    retentionMs: HOUR_MS,
  }
  const { seed, nodeCount, startMs } = options
  return new Fleet({
    seed,
    nodeCount,
    startMs,
    topology,
    failures: options.failures ?? 'training',
    failureRateFactor: options.failureRateFactor ?? 1,
    routineMovesPerNodeHour: ROUTINE_MOVES_PER_NODE_HOUR,
  })
}

function sampleLine({ node, atMs, reading }: Observation): string {
  return `${node.spec.id},${atMs},${reading.map((value) => value ?? '').join(',')}`
}

function eventLine(event: FleetEvent): string {
  if (event.kind === 'failure') {
    return `${event.node},${event.atMs},failure,,,,,${event.failureKind}`
  }
  const { model, gpu_count: gpuCount, powered_on_at: poweredOnAt } = event.labels
  return `${event.node},${event.atMs},join,${event.pool},${model},${gpuCount},${poweredOnAt},`
}

class CsvFile {
  private readonly path: string
  private readonly partPath: string
  private readonly file: number
  private chunk = ''

  constructor(path: string) {
    this.path = path
    this.partPath = `${path}.part`
    this.file = openSync(this.partPath, 'w')
  }

  line(text: string): void {
    this.chunk += text + '\n'
    if (this.chunk.length >= CHUNK_CHARS) this.flush()
  }

  finish(): void {
    this.flush()
    closeSync(this.file)
    renameSync(this.partPath, this.path)
  }

  discard(): void {
    closeSync(this.file)
    rmSync(this.partPath, { force: true })
  }

  private flush(): void {
    writeSync(this.file, this.chunk)
    this.chunk = ''
  }
}
