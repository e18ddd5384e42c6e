/** `foreshock bench detection-latency`: what this machine and this broker make of the whole path. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSigner } from '../config/keys.ts'
import { loadNodeClasses } from '../config/node-classes.ts'
import type { Config } from '../config/config.ts'
import type { Bus } from '../core/bus.ts'
import { assert, ServiceError } from '../core/errors.ts'
import type { NodeClass } from '../core/node.ts'
import { DEFAULT_POLICY, type Policy } from '../core/policy.ts'
import { topicSpecs } from '../core/topics.ts'
import { ROLES, startService, type ServiceOptions, untilReady } from '../pipeline/service.ts'
import { type LatencyFound, measureLatency, WARM_UP_MS } from './bench-latency.ts'
import { LOAD_PATHS, type LoadPath, SAMPLE_INTERVAL_MS } from './bench-load.ts'
import { ServiceWatch, type Watched } from './bench-watch.ts'
import { dropTopics, loadedConfig, openBus } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type ExitCode, type Io } from './command.ts'
import { loadKernel, packagedModel, packagedNodeClasses } from './package.ts'
import { Progress } from './progress.ts'
import { atMost, figure, printScoreboard, type ScoreRow } from './scoreboard.ts'

const NODES_DEFAULT = 1_000
const FOR_DEFAULT_MS = 30_000
const CLASS = 'server'
const MODEL = 'fleet'
const PARTITIONS_MIN = 4
/** A table of the default size holds a few more. */
const NODES_PER_PARTITION = 125_000

export const command: Command = {
  name: 'bench',
  operands: 'detection-latency',
  summary: 'measure how long it takes from a sample to the command that follows from it',
  options: {
    ...CONFIG_OPTIONS,
    bus: {
      kind: 'text',
      value: 'kafka|embedded',
      summary: 'where to run it',
      fallback: 'embedded',
    },
    nodes: {
      kind: 'text',
      value: 'N',
      summary: 'nodes that send',
      fallback: String(NODES_DEFAULT),
    },
    rate: {
      kind: 'text',
      value: 'R',
      summary: 'samples a second, all together',
      fallback: 'one of each node every 10 s',
    },
    path: {
      kind: 'text',
      value: 'public|direct',
      summary:
        'samples to telemetry, or straight to the node-log as a producer that partitions by node',
      fallback: 'public',
    },
    for: {
      kind: 'text',
      value: 'TIME',
      summary: 'how long, after 20 s to warm up',
      fallback: '30s',
    },
  },
  run: bench,
}

async function bench(args: Arguments, io: Io): Promise<ExitCode> {
  const [subject] = args.operands
  if (subject !== 'detection-latency' || args.operands.length > 1) {
    const said = subject === undefined ? 'what is to be measured?' : `unknown ${subject};`
    throw new ServiceError('USAGE', `bench: ${said} write bench detection-latency`)
  }
  const nodeCount = args.number('nodes', 1) ?? NODES_DEFAULT
  const rate = args.number('rate', 1) ?? Math.max(1, (nodeCount * 1_000) / SAMPLE_INTERVAL_MS)
  const forMs = args.duration('for') ?? FOR_DEFAULT_MS
  const path = args.choice('path', LOAD_PATHS) ?? 'public'
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-bench-'))
  const config = benchConfig(loadedConfig(args, io), args, nodeCount, directory, io)
  try {
    const found = await runLatency(config, { nodeCount, rate, forMs, path }, directory, io)
    if (found === null) throw new ServiceError('INTERRUPTED', 'the bench was interrupted')
    const where = `${config.bus.kind}, ${nodeCount.toLocaleString('en-US')} nodes, ${path} path`
    return printScoreboard(io, scoreRows(found, where, forMs), args.flag('json'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Topics of its own, so that a bench never meets live data. */
function benchConfig(
  config: Config,
  args: Arguments,
  nodeCount: number,
  directory: string,
  io: Io,
): Config {
  const partitions = Math.max(PARTITIONS_MIN, Math.ceil(nodeCount / NODES_PER_PARTITION))
  const kind = args.choice('bus', ['kafka', 'embedded'] as const) ?? 'embedded'
  const prefix = `${config.topology.prefix}bench-${io.nowMs().toString(36)}.`
  return {
    ...config,
    topology: {
      ...config.topology,
      prefix,
      clock: 'arrival',
      nodePartitions: partitions,
      poolPartitions: partitions,
    },
    bus: { kind, directory: join(directory, 'bus') },
  }
}

interface LatencyRun {
  readonly nodeCount: number
  readonly rate: number
  readonly forMs: number
  readonly path: LoadPath
}

/** `null` when it was interrupted. */
async function runLatency(
  config: Config,
  run: LatencyRun,
  directory: string,
  io: Io,
): Promise<(LatencyFound & Watched) | null> {
  const { topology } = config
  const nodeClass = loadNodeClasses(packagedNodeClasses()).get(CLASS)
  assert(nodeClass !== undefined, `the class ${CLASS} is packaged`)
  const bus = await openBus(config, io)
  try {
    await bus.create(topicSpecs(topology))
    const options = await serviceOptions(config, nodeClass, bus, directory)
    const service = await startService(options)
    try {
      if (!(await untilReady(service, options, io.signal))) return null
      const progress = new Progress(io, 'bench')
      const onProgress = (doneRatio: number) => progress.update(doneRatio)
      const { signal } = io
      const watch = new ServiceWatch(service)
      const found = await measureLatency({ bus, topology, nodeClass, ...run, signal, onProgress })
      progress.done()
      return io.signal.aborted ? null : { ...found, ...(await watch.end(found.samples)) }
    } finally {
      await service.stop()
    }
  } finally {
    await bus.close()
    // Ten minutes of a million nodes are fifteen gigabytes of a cluster's disks.
    const topics = topicSpecs(topology).map(({ name }) => name)
    await dropTopics(config, topics)
  }
}

async function serviceOptions(
  { topology, ingest, watcher }: Config,
  nodeClass: NodeClass,
  bus: Bus,
  directory: string,
): Promise<ServiceOptions> {
  const signer = loadSigner(directory)
  return {
    bus,
    topology,
    roles: ROLES,
    kernel: await loadKernel(),
    nodeClasses: new Map([[nodeClass.name, nodeClass]]),
    models: { [nodeClass.name]: packagedModel(MODEL) },
    defaultClass: nodeClass.name,
    recordBytesMax: ingest.recordBytesMax,
    commitIntervalMs: watcher.commitIntervalMs,
    changeGapMs: watcher.changeGapMs,
    changeDeviations: watcher.changeDeviations,
    nodesMax: watcher.nodesMax,
    policyFor: () => BENCH_POLICY,
    policies: [BENCH_POLICY],
    sign: (bytes) => signer.sign(bytes),
    source: '/foreshock/bench',
    stateDirectory: directory,
    host: 'thread',
  }
}

/** Acts at once on whatever stands out: only time is judged. */
export const BENCH_POLICY: Policy = {
  ...DEFAULT_POLICY,
  version: 'bench',
  mode: 'enforce',
  actingPoint: { kind: 'threshold', probability: 0.1 },
  budgetRatio: 1,
  sharedCauseNodesMin: Number.MAX_SAFE_INTEGER,
}

function scoreRows(
  found: LatencyFound & Watched,
  where: string,
  forMs: number,
): readonly ScoreRow[] {
  const { samples, illCount, latenciesMs, otherCount, lateMsMax } = found
  const wallMs = forMs + WARM_UP_MS
  const at = (ratio: number) =>
    latenciesMs.length === 0
      ? null
      : Math.round(
          latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(ratio * latenciesMs.length))],
        )
  return [
    figure('samples', samples, `${where}, ${forMs / 1_000} s measured`),
    atMost('of them not in the state of their nodes', samples - found.accountedCount, 0),
    figure('nodes that fell ill', illCount, 'one sample each crosses the acting point'),
    atMost('of them without a command', illCount - latenciesMs.length, 0),
    figure('commands for other nodes', otherCount),
    figure('sample produced to command readable, p50, ms', at(0.5), where),
    figure('sample produced to command readable, p99, ms', at(0.99), where),
    figure('sample produced to command readable, most, ms', at(1), where),
    figure('the fleet was behind its pace by, at most, ms', Math.round(lateMsMax)),
    figure('records that a partition was behind, at most', found.lagRecordsMax),
    figure(
      'memory, at most, MiB',
      Math.round(found.memoryBytesMax / 1_048_576),
      'service and fleet',
    ),
    figure('CPU, share of a core', found.cpuMs / wallMs, 'service and fleet'),
  ]
}
