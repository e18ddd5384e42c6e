/**
 * `foreshock replay`: real history through the running pipeline, faster than real time, and a
 * scoreboard over nodes that the model never saw.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVerifier, loadSigner } from '../config/keys.ts'
import type { Config } from '../config/config.ts'
import type { Bus } from '../core/bus.ts'
import { ServiceError } from '../core/errors.ts'
import type { ModelCard } from '../core/model.ts'
import { DEFAULT_POLICY, type Policy } from '../core/policy.ts'
import { DAY_MS } from '../core/time.ts'
import { topicSpecs, type Topology } from '../core/topics.ts'
import { ClockDriver } from '../pipeline/clock-driver.ts'
import { driveWorld } from '../pipeline/driven-world.ts'
import { type Service, type ServiceOptions, startService, untilReady } from '../pipeline/service.ts'
import { checkFeatures, loadPredictor } from '../predict/session.ts'
import { featureHash, featureNames } from '../state/features.ts'
import { backtest } from '../../training/backtest.ts'
import { openHistory } from '../../training/history.ts'
import { nodeHash } from '../../training/manifest.ts'
import { readTrainedHashes } from '../../training/model-files.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type ExitCode, type Io } from './command.ts'
import { HISTORY_OPTIONS, type HistorySource, historySource } from './history-source.ts'
import { packagedModel } from './package.ts'
import { Progress } from './progress.ts'
import { ReplayWorld, type ReplayOutcome, readReplayData } from './replay-world.ts'
import { atLeast, figure, printScoreboard, type ScoreRow } from './scoreboard.ts'

const STEP_MS = DAY_MS
/** The budget that the scoreboard judges. */
const BUDGET = 5

export const command: Command = {
  name: 'replay',
  summary: 'send real history through broker and pipeline, and see what would have been foreseen',
  options: {
    ...CONFIG_OPTIONS,
    ...HISTORY_OPTIONS,
    bus: {
      kind: 'text',
      value: 'kafka|embedded',
      summary: 'where to run it',
      fallback: 'embedded',
    },
    model: { kind: 'text', value: 'DIR', summary: 'the model', fallback: 'the one of the history' },
    limit: { kind: 'text', value: 'N', summary: 'replay at most N nodes' },
    reach: {
      kind: 'text',
      value: 'R',
      summary: 'recall of failures that commands must reach for exit code 0',
      fallback: 'that of the baselines',
    },
  },
  run: replay,
}

async function replay(args: Arguments, io: Io): Promise<ExitCode> {
  const source = await historySource(args)
  const modelDir = args.text('model') ?? packagedModel(source.manifest.name)
  const scorer = await loadPredictor(modelDir, { kernel: source.module })
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-replay-'))
  try {
    const { card } = scorer
    checkFeatures(card, {
      featureHash: featureHash(source.nodeClass),
      featureNames: featureNames(source.nodeClass),
    })
    const config = replayConfig(loadedConfig(args, io), args, directory, io)
    const run: ReplayRun = { args, io, source, modelDir, card, config, directory }
    const measured = await runReplay(run)
    if (measured === null) throw new ServiceError('INTERRUPTED', 'the replay was interrupted')
    io.stderr('foreshock: judging the same nodes without the pipeline, with the baselines beside\n')
    const judged = await backtest({ ...source, modelDir, scorer, signal: io.signal })
    return printScoreboard(io, scoreRows(args, measured, judged, card), args.flag('json'))
  } finally {
    await scorer.dispose()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface ReplayRun {
  readonly args: Arguments
  readonly io: Io
  readonly source: HistorySource
  readonly modelDir: string
  readonly card: ModelCard
  readonly config: Config
  readonly directory: string
}

interface Measured {
  readonly outcome: ReplayOutcome
  readonly nodeCount: number
  readonly totals: Readonly<Record<string, number>>
  readonly elapsedMs: number
  readonly historyMs: number
  readonly bus: string
  readonly provider: string
}

/** Topics of its own, so that a replay never meets live data. */
function replayConfig(config: Config, args: Arguments, directory: string, io: Io): Config {
  const kind = args.choice('bus', ['kafka', 'embedded'] as const) ?? 'embedded'
  const topology: Topology = {
    ...config.topology,
    prefix: `${config.topology.prefix}replay-${io.nowMs().toString(36)}.`,
    clock: 'driven',
    // Each step costs a tick from every partition to every other; all nodes are in one pool.
    nodePartitions: 4,
    poolPartitions: 1,
  }
  return { ...config, topology, bus: { kind, directory: join(directory, 'bus') } }
}

/** `null` when it was interrupted. */
async function runReplay(run: ReplayRun): Promise<Measured | null> {
  const { config, io, source } = run
  const bus = await openBus(config, io)
  let service: Service | null = null
  try {
    await bus.create(topicSpecs(config.topology))
    const { data, nodeCount } = await readData(run)
    const signer = loadSigner(run.directory)
    const options = serviceOptions(run, bus, (bytes) => signer.sign(bytes))
    service = await startService(options)
    if (!(await untilReady(service, options, io.signal))) return null
    const { nodeClass, manifest } = source
    const world = new ReplayWorld(data, {
      topology: config.topology,
      nodeClass,
      horizonMs: manifest.horizonMs,
      verify: createVerifier(signer.publicKey),
    })
    const first = Math.min(data.events[0]?.atMs ?? Infinity, data.atMs[0] ?? Infinity)
    const last = Math.max(data.events.at(-1)?.atMs ?? 0, data.atMs.at(-1) ?? 0)
    const progress = new Progress(io, 'replay')
    const beganAtMs = io.nowMs()
    await driveWorld({
      bus,
      topology: config.topology,
      driver: new ClockDriver(bus, config.topology),
      world,
      startMs: Math.floor(first / STEP_MS) * STEP_MS,
      stepMs: STEP_MS,
      endMs: last + 3 * STEP_MS,
      signal: io.signal,
      afterStep: (nowMs) =>
        progress.update(
          (nowMs - first) / (last - first),
          new Date(nowMs).toISOString().slice(0, 10),
        ),
    })
    progress.done()
    if (io.signal.aborted) return null
    return {
      outcome: world.outcome(),
      nodeCount,
      totals: service.totals(),
      elapsedMs: io.nowMs() - beganAtMs,
      historyMs: last - first,
      bus: bus.name,
      provider: service.models[0]?.provider ?? 'none',
    }
  } finally {
    await service?.stop()
    await bus.close()
  }
}

async function readData({ args, io, source, modelDir }: ReplayRun) {
  const { manifest, nodeClass, dataDir } = source
  const trained = await readTrainedHashes(modelDir)
  const history = await openHistory(manifest, nodeClass, dataDir)
  try {
    const all = new Set(history.events.map(({ node }) => node as string))
    const unseen = [...all].filter((node) => !trained.has(nodeHash(node)))
    if (unseen.length === 0) {
      throw new ServiceError(
        'HISTORY_EMPTY',
        `history \`${manifest.name}\` in ${dataDir} has no node that the model in ${modelDir} was not trained on: bring other nodes`,
      )
    }
    const wanted = new Set(unseen.slice(0, args.number('limit', 1) ?? unseen.length))
    io.stderr(`foreshock: replaying ${wanted.size} nodes that the model never saw\n`)
    const data = await readReplayData(history, (node) => wanted.has(node))
    return { data, nodeCount: wanted.size }
  } finally {
    history.close()
  }
}

function serviceOptions(
  { config, source, modelDir, card, directory }: ReplayRun,
  bus: Bus,
  sign: ServiceOptions['sign'],
): ServiceOptions {
  const { nodeClass, manifest, module } = source
  const policy = replayPolicy(manifest.horizonMs, card)
  return {
    bus,
    topology: config.topology,
    roles: ['ingest', 'watcher', 'coordinator'],
    kernel: module,
    nodeClasses: new Map([[nodeClass.name, nodeClass]]),
    models: { [nodeClass.name]: modelDir },
    defaultClass: nodeClass.name,
    recordBytesMax: config.ingest.recordBytesMax,
    commitIntervalMs: config.watcher.commitIntervalMs,
    changeGapMs: nodeClass.predictionIntervalMs,
    nodesMax: config.watcher.nodesMax,
    provider: config.inference.provider,
    policyFor: () => policy,
    policies: [policy],
    sign,
    source: '/foreshock/replay',
    stateDirectory: directory,
    host: 'thread',
  }
}

/** Acts on every alarm, once per horizon and node: only seeing is judged. */
function replayPolicy(horizonMs: number, card: ModelCard): Policy {
  const hasBudget = card.alertBudgets.some(
    ({ falseAlarmsPer1000NodeMonths }) => falseAlarmsPer1000NodeMonths === BUDGET,
  )
  return {
    ...DEFAULT_POLICY,
    version: 'replay',
    mode: 'enforce',
    actingPoint: hasBudget
      ? { kind: 'alert-budget', falseAlarmsPer1000NodeMonths: BUDGET }
      : { kind: 'card' },
    hysteresisRatio: 1,
    cooldownMs: horizonMs,
    budgetRatio: 1,
    sharedCauseNodesMin: Number.MAX_SAFE_INTEGER,
    commandTtlMs: 10 * STEP_MS,
    targetLoadMaxRatio: 1,
  }
}

function scoreRows(
  args: Arguments,
  { outcome, nodeCount, totals, elapsedMs, historyMs, bus, provider }: Measured,
  { model, baselines }: Awaited<ReturnType<typeof backtest>>,
  card: ModelCard,
): readonly ScoreRow[] {
  const recall = outcome.failureCount === 0 ? null : outcome.foreseenCount / outcome.failureCount
  const rules = Object.entries(baselines)
    .filter(([name]) => name !== 'base-rate')
    .map(([name, { alertBudget }]) => ({ name, recall: recallAt(alertBudget) }))
  const asked = args.number('reach', 0, true)
  const rate = `${BUDGET} false alarms per 1,000 node-months`
  return [
    figure('nodes', nodeCount),
    figure('samples', totals['sampleCount'] ?? 0),
    figure('predictions', totals['predictionCount'] ?? 0, provider),
    figure('commands', totals['commandCount'] ?? 0, bus),
    figure('results', outcome.resultCount),
    figure('failures', outcome.failureCount),
    ...(asked === undefined
      ? []
      : [atLeast('failures foreseen by a command, ratio', recall, asked, rate)]),
    ...rules.map(({ name, recall: rival }) =>
      atLeast('failures foreseen by a command, ratio', recall, rival ?? 0, `${name} at ${rate}`),
    ),
    figure(
      'false alarms really had, per 1,000 node-months',
      outcome.falseAlarmsPer1000NodeMonths,
      `${BUDGET} set on validation`,
    ),
    figure(
      'lead time, median, days',
      outcome.leadTimeMs === null ? null : outcome.leadTimeMs / DAY_MS,
    ),
    figure('recall of the model without the pipeline', recallAt(model.alertBudget), rate),
    figure('PR-AUC of the model without the pipeline', model.prAuc, 'same nodes'),
    figure('acting point, probability', card.actingPoint),
    figure('history per real time, times', historyMs / elapsedMs),
    figure('elapsed, seconds', elapsedMs / 1_000),
  ]
}

function recallAt(
  budgets: readonly { readonly falseAlarmsPer1000NodeMonths: number; readonly recall: number }[],
): number | null {
  return budgets.find((b) => b.falseAlarmsPer1000NodeMonths === BUDGET)?.recall ?? null
}
