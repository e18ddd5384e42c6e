/**
 * A training history from the same generator that the demonstration runs: nobody acts, so every
 * failure takes its course. Two CSV files, as training/histories/fleet.toml reads them:
 *
 * - telemetry.csv: node, at (ms), one column per metric of the class `server`; empty is missing
 * - events.csv: node, at, kind (join, leave, failure), pool, model, gpu_count, powered_on_at,
 *   failure_kind. Every node that is up at the end leaves, since what comes after is not known.
 *
 * A day of the failures to learn from is followed by half a day of those to be tested on alone, with
 * the nodes exchanged under the same names; the manifest's `train_until` is the moment between. So
 * one history says how a model does on kinds, speeds and sizes that it has never seen.
 *
 * Samples are 15 s apart, three times a server's heartbeat: three times the failures for the same
 * bytes. Features know the time between samples, so the model serves 5 s samples as well.
 */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import { ServiceError } from '../core/errors.ts'
import type { Topology } from '../core/topics.ts'
import type { FleetEvent, Observation } from './fleet.ts'
import { Fleet } from './fleet.ts'
import type { FailureSetName } from './kinds.ts'
import { METRICS } from './signals.ts'

const HOUR_MS = 3_600_000
const CHUNK_CHARS = 4_194_304
/** Scheduler moves per node-hour: about as often as a node fails, and then some. */
const ROUTINE_MOVES_PER_NODE_HOUR = 0.5

/** As `train_until` in training/histories/fleet.toml says, a day after the start. */
export const HISTORY_START_MS = Date.UTC(2026, 0, 5)
export const HISTORY_NODES = 1_000
const TRAINING_HOURS = 24
const HELD_OUT_HOURS = 12
const SAMPLE_STEP_MS = 15_000

interface Phase {
  readonly failures: FailureSetName
  readonly hours: number
}

const PHASES: readonly Phase[] = [
  { failures: 'training', hours: TRAINING_HOURS },
  { failures: 'held-out', hours: HELD_OUT_HOURS },
]

export interface HistoryOptions {
  readonly seed: number
  readonly directory: string
  /** Default HISTORY_NODES. */
  readonly nodeCount?: number
  /** Default PHASES. */
  readonly phases?: readonly Phase[]
  /** Time between samples. */
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
export async function writeHistory(options: HistoryOptions): Promise<HistorySummary> {
  mkdirSync(options.directory, { recursive: true })
  const telemetry = new CsvFile(join(options.directory, 'telemetry.csv'))
  const events = new CsvFile(join(options.directory, 'events.csv'))
  try {
    const summary = await generate(options, telemetry, events)
    telemetry.finish()
    events.finish()
    return summary
  } catch (error) {
    telemetry.discard()
    events.discard()
    throw error
  }
}

async function generate(
  options: HistoryOptions,
  telemetry: CsvFile,
  events: CsvFile,
): Promise<HistorySummary> {
  const phases = options.phases ?? PHASES
  const totalHours = phases.reduce((sum, { hours }) => sum + hours, 0)
  telemetry.line(`node,at,${METRICS.join(',')}`)
  events.line('node,at,kind,pool,model,gpu_count,powered_on_at,failure_kind')
  const failures: Record<string, number> = {}
  let [startMs, sampleCount, eventCount] = [HISTORY_START_MS, 0, 0]
  for (const [index, phase] of phases.entries()) {
    const endMs = startMs + Math.round(phase.hours * HOUR_MS)
    const fleet = createFleet(options, phase, options.seed + index, startMs)
    for (let nowMs = startMs; nowMs < endMs; nowMs += options.stepMs ?? SAMPLE_STEP_MS) {
      // A signal reaches a process only between turns of its event loop.
      await breathe()
      stopIfAborted(options.signal)
      for (const event of fleet.pass(nowMs)) {
        events.line(eventLine(event))
        eventCount++
      }
      fleet.moveRoutinely(nowMs)
      for (const observation of fleet.observe(nowMs)) {
        telemetry.line(sampleLine(observation))
        sampleCount++
      }
      options.onProgress?.((nowMs - HISTORY_START_MS) / (totalHours * HOUR_MS))
    }
    // Failures of the last minute are known, but not confirmed yet.
    for (const event of fleet.unconfirmed()) {
      events.line(eventLine(event))
      eventCount++
    }
    // One millisecond before the next phase's joins, which are other nodes under the same names.
    for (const node of fleet.upNodes()) events.line(`${node},${endMs - 1},leave,,,,,`)
    for (const { kind } of fleet.truth().failures) failures[kind] = (failures[kind] ?? 0) + 1
    startMs = endMs
  }
  return { sampleCount, eventCount, failures, endMs: startMs }
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  throw new ServiceError('INTERRUPTED', 'interrupted: the history was not written')
}

function createFleet(
  { nodeCount, failureRateFactor }: HistoryOptions,
  phase: Phase,
  seed: number,
  startMs: number,
): Fleet {
  // No record leaves this fleet, so its topics only have to exist.
  const topology: Topology = {
    prefix: '',
    nodePartitions: 1,
    poolPartitions: 1,
    clock: 'driven',
    retentionMs: HOUR_MS,
  }
  return new Fleet({
    seed,
    nodeCount: nodeCount ?? HISTORY_NODES,
    startMs,
    topology,
    failures: phase.failures,
    failureRateFactor: failureRateFactor ?? 1,
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
