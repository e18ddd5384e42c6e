/**
 * The demonstration: a seeded fleet on a driven clock beside the service, on a store of its own that
 * begins empty. The fleet uses the public topics only; what it knows of the truth is compared with
 * what the service did when it ends.
 */
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Executor } from '../agent/executor.ts'
import { HoldingBook } from '../agent/holding-book.ts'
import { lockDirectory } from '../bus/embedded/directory-lock.ts'
import type { Config } from '../config/config.ts'
import { createVerifier } from '../config/keys.ts'
import { toSplitBrain } from '../config/split-brain.ts'
import type { LogRecord, Output } from '../core/bus.ts'
import { Fleet, type NetworkTruth, STEP_MS } from '../fleet/fleet.ts'
import type { Truth } from '../fleet/truth.ts'
import { ClockDriver } from '../pipeline/clock-driver.ts'
import { driveWorld, type World } from '../pipeline/driven-world.ts'
import { untilReady } from '../pipeline/service.ts'
import type { Arguments, Io, OptionSpecs } from './command.ts'
import { packagedModel } from './package.ts'
import type { Running } from './server.ts'

export const FLEET_OPTIONS = {
  fleet: {
    kind: 'flag',
    summary: 'run the demonstration fleet too, on a driven clock, in mode enforce',
  },
  nodes: { kind: 'text', value: 'N', summary: 'nodes of the fleet', fallback: '300' },
  seed: { kind: 'text', value: 'N', summary: 'seed of the fleet', fallback: '1' },
  speed: { kind: 'text', value: 'X', summary: 'fleet time against real time', fallback: '60' },
} satisfies OptionSpecs

/** Fleet time begins on a Monday morning, so that the daily cycle climbs. */
const FLEET_START_MS = Date.UTC(2026, 0, 5, 8)
const PROGRESS_INTERVAL_MS = 5_000
/** The fleet's network is split at times, so a side goes on even where no policy was set. */
const SPLIT_BRAIN = toSplitBrain({ policy: 'keep-majority' }, undefined, true)

/**
 * The fleet's own store (or, on Kafka, topics), topology and mode; everything else is as configured.
 * STORE_LOCKED while another demonstration runs on the store: it must not be emptied under its feet.
 * `startId` names this run.
 */
export function demoConfig(config: Config, startId: string): Config {
  const directory = join(config.state.directory, 'demo')
  lockDirectory(resolve(directory, 'bus'))()
  rmSync(directory, { recursive: true, force: true })
  return {
    ...config,
    bus: { ...config.bus, directory: join(directory, 'bus') },
    state: { ...config.state, directory },
    modelStore: { ...config.modelStore, directory: join(directory, 'models') },
    topology: {
      ...config.topology,
      prefix:
        config.bus.kind === 'kafka'
          ? `${config.topology.prefix}demo-${startId}.`
          : config.topology.prefix,
      clock: 'driven',
      nodePartitions: 4,
      poolPartitions: 2,
    },
    models: { server: packagedModel('fleet'), ...config.models },
    policy: {
      ...config.policy,
      mode: 'enforce',
      actingPoint: { kind: 'card' },
      splitBrain: config.policy.splitBrain ?? SPLIT_BRAIN,
    },
  }
}

export interface DemoSummary {
  readonly mode: string
  readonly bus: string
  readonly provider: string | null
  readonly model: string | null
  readonly nodes: number
  readonly elapsedMs: number
  readonly fleetTimeMs: number
  readonly samples: number
  readonly predictions: number
  readonly commands: number
  readonly results: number
  readonly failures: {
    readonly total: number
    readonly foreseen: number
    readonly missed: number
    readonly unforeseeable: number
  }
  readonly leadTimeMsMedian: number | null
  readonly falseAlarms: number
  readonly workloads: {
    readonly saved: number
    readonly interrupted: number
    readonly recovered: number
    /** Of those recovered: by a standby that took over. */
    readonly promoted: number
  }
  readonly network: NetworkTruth
  readonly deadLetters: number
}

export interface DemoOptions {
  readonly args: Arguments
  readonly io: Io
  readonly config: Config
  readonly running: Running
  readonly signal: AbortSignal
}

/** Runs until `signal`, keeping the pace where the machine can. */
export async function runDemo({
  args,
  io,
  config,
  running,
  signal,
}: DemoOptions): Promise<DemoSummary> {
  const { bus, service, serviceOptions } = running
  const speed = args.number('speed', 0.1, true) ?? 60
  const nodeCount = args.number('nodes', 1) ?? 300
  const beganAtMs = io.nowMs()
  const world = new FleetWorld({ config, running, nodeCount, seed: args.number('seed') ?? 1 })
  const summary = (fleetTimeMs: number): DemoSummary =>
    summarise({ running, config, world, fleetTimeMs, elapsedMs: io.nowMs() - beganAtMs })
  if (!(await untilReady(service, serviceOptions, signal))) return summary(0)
  const json = args.flag('json')
  io.stderr(
    `foreshock: demonstration fleet of ${nodeCount} nodes at ${speed} × real time, mode ${config.policy.mode}: commands are carried out\n`,
  )
  const driver = new ClockDriver(bus, config.topology)
  let steps = 0
  let reportedAtMs = io.nowMs()
  const startedAtMs = io.nowMs()
  const endMs = await driveWorld({
    bus,
    topology: config.topology,
    driver,
    world,
    startMs: FLEET_START_MS,
    stepMs: STEP_MS,
    signal,
    afterStep: async (nowMs) => {
      steps++
      if (io.nowMs() - reportedAtMs >= PROGRESS_INTERVAL_MS) {
        reportedAtMs = io.nowMs()
        io.stderr(progressLine(summary(nowMs - FLEET_START_MS)))
      }
      const aheadMs = startedAtMs + (steps * STEP_MS) / speed - io.nowMs()
      if (aheadMs > 1) await sleep(aheadMs, undefined, { signal }).catch(() => undefined)
    },
  })
  await driver.close()
  const result = summary(endMs - FLEET_START_MS)
  if (!json) io.stdout(summaryText(result))
  return result
}

class FleetWorld implements World {
  readonly #fleet: Fleet
  readonly #resultsTopic: string
  resultCount = 0

  constructor(options: {
    readonly config: Config
    readonly running: Running
    readonly nodeCount: number
    readonly seed: number
  }) {
    const { topology } = options.config
    this.#resultsTopic = `${topology.prefix}results`
    const verify = createVerifier(options.running.publicKey)
    this.#fleet = new Fleet({
      seed: options.seed,
      nodeCount: options.nodeCount,
      topology,
      startMs: FLEET_START_MS,
      standbys: true,
      createExecutor: (hooks) => new Executor({ topology, source: '/fleet', verify, hooks }),
      createAgent: (node) => new HoldingBook({ topology, source: `/agents/${node}`, verify, node }),
    })
  }

  truth(): Truth {
    return this.#fleet.truth()
  }

  step(nowMs: number): readonly Output[] {
    return this.#counted(this.#fleet.step(nowMs))
  }

  take(record: LogRecord, nowMs: number): readonly Output[] {
    return this.#counted(this.#fleet.handle([record], nowMs))
  }

  answer(record: LogRecord, nowMs: number): readonly Output[] {
    return this.#fleet.answer(record, nowMs)
  }

  network(): NetworkTruth {
    return this.#fleet.networkTruth()
  }

  #counted(outputs: readonly Output[]): readonly Output[] {
    for (const { topic } of outputs) if (topic === this.#resultsTopic) this.resultCount++
    return outputs
  }
}

function summarise(facts: {
  readonly running: Running
  readonly config: Config
  readonly world: FleetWorld
  readonly fleetTimeMs: number
  readonly elapsedMs: number
}): DemoSummary {
  const { running, config, world, fleetTimeMs, elapsedMs } = facts
  const { failures, counts, nodeCount } = world.truth()
  const totals = running.service.totals()
  const shown = running.views.counts()
  const leadTimes = failures
    .flatMap(({ leadTimeMs }) => (leadTimeMs === null ? [] : [leadTimeMs]))
    .sort((a, b) => a - b)
  const [model] = running.service.models
  return {
    mode: config.policy.mode,
    bus: running.bus.name,
    provider: model?.provider ?? null,
    model: model?.card.version ?? null,
    nodes: nodeCount,
    elapsedMs,
    fleetTimeMs,
    samples: totals['sampleCount'] ?? 0,
    predictions: totals['predictionCount'] ?? 0,
    commands: shown.commands,
    results: world.resultCount,
    failures: {
      total: counts.failures,
      foreseen: counts.foreseen,
      missed: counts.missed,
      unforeseeable: counts.unforeseeable,
    },
    leadTimeMsMedian: leadTimes[Math.floor(leadTimes.length / 2)] ?? null,
    falseAlarms: counts.falseAlarms,
    workloads: {
      saved: counts.workloadsSaved,
      interrupted: counts.workloadsInterrupted,
      recovered: counts.workloadsRecovered,
      promoted: counts.workloadsPromoted,
    },
    network: world.network(),
    deadLetters: totals['deadLetterCount'] ?? 0,
  }
}

function progressLine(summary: DemoSummary): string {
  const { failures, fleetTimeMs, samples, predictions, commands } = summary
  const minutes = Math.round(fleetTimeMs / 60_000)
  return `fleet time ${minutes} min: ${samples} samples, ${predictions} predictions, ${commands} commands; failures foreseen ${failures.foreseen}, missed ${failures.missed}, unforeseeable ${failures.unforeseeable}\n`
}

function summaryText(summary: DemoSummary): string {
  const { failures, workloads, network } = summary
  const lead =
    summary.leadTimeMsMedian === null
      ? ''
      : `, median lead time ${Math.round(summary.leadTimeMsMedian / 60_000)} min`
  return [
    `${summary.samples} samples of ${summary.nodes} nodes in ${Math.round(summary.fleetTimeMs / 60_000)} min of fleet time`,
    `${summary.predictions} predictions (${summary.provider ?? 'no model'}), ${summary.commands} commands, ${summary.results} results`,
    `${failures.total} failures: ${failures.foreseen} foreseen${lead}, ${failures.missed} missed, ${failures.unforeseeable} that nobody could foresee`,
    `${workloads.saved} workloads moved away in time, ${workloads.interrupted} interrupted, ${workloads.recovered} recovered (${workloads.promoted} by a standby)`,
    `${network.splits} network splits: ${network.localMoves} workloads moved unheard of, ${network.blocksAnswered} blocks compared after them`,
    '',
  ].join('\n')
}
