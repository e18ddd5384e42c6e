/** A running service of one process: the bus, its roles and the console, started and stopped as one. */
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { startPager } from '../alerts/pager.ts'
import { alertmanager, webhook } from '../alerts/receivers.ts'
import { type Config, policyFor } from '../config/config.ts'
import { type LoadedConfig, shownKeys } from '../config/runtime.ts'
import { loadSigner, type Signer } from '../config/keys.ts'
import { loadNodeClasses } from '../config/node-classes.ts'
import type { Bus, Output } from '../core/bus.ts'
import { ServiceError } from '../core/errors.ts'
import type { GuardFigures } from '../core/guard.ts'
import { createApp, type Readiness } from '../http/app.ts'
import { Metrics } from '../http/metrics.ts'
import { loadPage } from '../http/page.ts'
import { type HttpServer, listen } from '../http/server.ts'
import type { ConfigFigures } from '../core/runtime-config.ts'
import { partitionCount, topicSpecs } from '../core/topics.ts'
import {
  type RoleName,
  type Service,
  type ServiceOptions,
  startService,
} from '../pipeline/service.ts'
import { ModelStore } from '../predict/model-store.ts'
import { DegradedModes } from '../resilience/degraded.ts'
import { mergeFigures } from '../resilience/figures.ts'
import { Guards } from '../resilience/guard.ts'
import { Ring } from '../state/ring.ts'
import { ConsoleViews } from '../store/views.ts'
import { openBus } from './bus.ts'
import { ConfigReload } from './config-reload.ts'
import { followConfig, mergeConfig, modeInForce } from './config-follow.ts'
import type { Io } from './command.ts'
import { feedConsole } from './console.ts'
import { loadKernel, packagedNodeClasses, packageRoot, packageVersion } from './package.ts'
import { startRecording } from './recording.ts'
import { runTopicsCheck } from './topics.ts'

/** What a bus takes; ingest may be set to take less, and longer bodies would end as dead letters. */
const BODY_BYTES_MAX = 8 * 1024 * 1024

export interface Running {
  readonly url: string
  readonly bus: Bus
  readonly service: Service
  readonly serviceOptions: ServiceOptions
  readonly views: ConsoleViews
  /** The key that commands are signed with. */
  readonly publicKey: string
  stop(): Promise<void>
}

export interface ServerOptions {
  readonly config: Config
  readonly roles: readonly RoleName[]
  readonly io: Io
  readonly port: number | undefined
  /** The topics belong to this run and are made at once; otherwise they are made on purpose. */
  readonly ownsTopics: boolean
  /** Reads the configuration anew; null: it is not the file's alone. */
  readonly reloads: (() => LoadedConfig) | null
  /** A state can no longer be trusted: the process must end. */
  readonly onBug: (error: unknown) => void
}

/** Everything that can be wrong, a port in use too, is found before the first record is read. */
export async function startServer(options: ServerOptions): Promise<Running> {
  const { config, io } = options
  const log = pino({ level: io.env['FORESHOCK_LOG'] ?? 'warn' }, pino.destination(2))
  const kernel = await loadKernel()
  const nodeClasses = loadNodeClasses(config.nodeClasses.directory ?? packagedNodeClasses())
  mkdirSync(config.state.directory, { recursive: true })
  const signer = loadSigner(config.state.directory)
  const bus = await openBus(config, io, (message, detail) => log.warn(detail, message))
  const closers: (() => Promise<void>)[] = [() => bus.close()]
  const stop = async () => {
    for (const close of closers.toReversed()) await close()
    closers.length = 0
  }
  try {
    await requireTopics(bus, options)
    const store = new ModelStore(config.modelStore.directory)
    // What the configuration names can be gone back to, and is given to machines that lack it.
    for (const directory of Object.values(configuredModels(config))) await store.add(directory)
    const outside = outsideOf(config, io)
    const state: ConsoleState = {
      kernel,
      bus,
      log,
      store,
      outside,
      views: new ConsoleViews(config.topology),
      metrics: new Metrics({
        topology: config.topology,
        roles: () => state.service?.figures() ?? [],
        shards: () => state.service?.shards() ?? [],
        rails: () => state.service?.rails() ?? [],
        waiting: () => state.service?.waiting() ?? [],
        intake: () => state.service?.intake() ?? new Map(),
        bus: () => bus.health(),
        guards: () => outside.figures(),
        degraded: () => outside.degraded.modes(outside.figures()),
        config: () => configOf(state.service),
      }),
      service: null,
    }
    const reload = reloadOf(state, options)
    const server = await listenFor(state, options, reload)
    closers.push(() => server.close())
    const { views, metrics } = state
    const serviceOptions = serviceOptionsOf(options, state, { kernel, nodeClasses, signer })
    const service = await startService(serviceOptions)
    state.service = service
    closers.push(() => service.stop())
    if (reload !== null) closers.push(followConfig(reload, state, io))
    const feed = await feedConsole(bus, config.topology, views, metrics)
    closers.push(() => feed.close())
    const pager = await startPaging(state, config)
    if (pager !== null) closers.push(pager)
    const { directory, retentionMs, flushMs } = config.history
    if (directory !== null) {
      const { topology } = config
      const what = { bus, topology, nodeClasses, directory, retentionMs, flushMs, log }
      const { guards, degraded } = outside
      closers.push(startRecording({ ...what, caller: guards.of('history'), degraded }))
    }
    const { url } = server
    return { url, bus, service, serviceOptions, views, publicKey: signer.publicKey, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What the console shows. It listens before the service has started, and is not ready until then. */
interface ConsoleState {
  readonly kernel: WebAssembly.Module
  readonly bus: Bus
  readonly log: pino.Logger
  readonly store: ModelStore
  readonly views: ConsoleViews
  readonly metrics: Metrics
  readonly outside: Outside
  service: Service | null
}

/** All that is called outside of the bus, and what became of it. */
interface Outside {
  readonly guards: Guards
  readonly degraded: DegradedModes
  /** `THREAD/TARGET` → guards of the threads. */
  readonly threadGuards: Map<string, GuardFigures>
  figures(): readonly GuardFigures[]
}

function outsideOf({ resilience, degraded, modelStore }: Config, { nowMs }: Io): Outside {
  const guards = new Guards(resilience, { random: () => Math.random(), nowMs })
  const threadGuards = new Map<string, GuardFigures>()
  const rules = { ...degraded, modelRetryMs: 2 * modelStore.waitMs + MODEL_RETRY_MS }
  return {
    guards,
    degraded: new DegradedModes(rules, nowMs),
    threadGuards,
    figures: () => mergeFigures([...guards.figures(), ...threadGuards.values()]),
  }
}

/** Over what a partition that was given back takes to be taken and restored again. */
const MODEL_RETRY_MS = 30_000
/** A watcher cannot go on for one of these. */
const MODEL_TROUBLES: readonly string[] = ['MODEL_MISSING', 'MODEL_INVALID', 'MODEL_MISMATCH']

function serviceOptionsOf(
  { config, roles, onBug }: ServerOptions,
  { bus, log, metrics, outside }: ConsoleState,
  {
    kernel,
    nodeClasses,
    signer,
  }: Pick<ServiceOptions, 'kernel' | 'nodeClasses'> & {
    readonly signer: Signer
  },
): ServiceOptions {
  return {
    bus,
    topology: config.topology,
    roles,
    kernel,
    nodeClasses,
    models: configuredModels(config),
    modelStore: config.modelStore,
    resilience: config.resilience,
    promotion: config.promotion,
    drift: config.drift,
    defaultClass: config.ingest.defaultClass,
    telemetryFormat: config.ingest.telemetryFormat,
    recordBytesMax: config.ingest.recordBytesMax,
    commitIntervalMs: config.watcher.commitIntervalMs,
    changeGapMs: config.watcher.changeGapMs,
    changeDeviations: config.watcher.changeDeviations,
    nodesMax: config.watcher.nodesMax,
    provider: config.inference.provider,
    policyFor: (pool) => policyFor(config, pool),
    policies: [config.policy, ...config.pools.values()],
    sign: (bytes) => signer.sign(bytes),
    source: `/foreshock/${config.topology.prefix.replace(/\.$/, '')}`,
    nodeSecret: config.state.nodeSecret,
    stateDirectory: config.state.directory,
    host: 'thread',
    watcherThreads: config.watcher.threads ?? Math.max(1, availableParallelism() - 1),
    events: {
      committed: (role, outcome, _outputs, elapsedMs) => {
        metrics.transaction(role, outcome, elapsedMs)
        outside.degraded.committed(elapsedMs)
      },
      trouble: (role, partition, error) => {
        log.error({ role, partition, err: error }, 'trouble')
        if (MODEL_TROUBLES.includes(error.code)) outside.degraded.modelMissing(error.message)
      },
      bug: (_role, _partition, error) => onBug(error),
      restored: (role, partition, records, elapsedMs) =>
        log.info({ role, partition, records, elapsedMs }, 'restored'),
    },
    hostNote: (note, thread) => {
      if (note.kind === 'device-lost') outside.degraded.set('model-fallback-cpu', note.reason)
      else outside.threadGuards.set(`${thread}/${note.guard.target}`, note.guard)
    },
  }
}

/** Null: no receiver is configured, so nobody is paged. */
async function startPaging(
  { bus, log, metrics, outside }: ConsoleState,
  { topology, alerts }: Config,
): Promise<(() => Promise<void>) | null> {
  const { rules, alertmanager: push, webhook: hook } = alerts
  const receivers = [
    ...(push === null ? [] : [alertmanager(push.url, 2 * rules.repeatMs)]),
    ...(hook === null ? [] : [webhook(hook.url, hook.secret)]),
  ]
  if (receivers.length === 0) return null
  const callerOf = (receiver: string) => outside.guards.of(receiver)
  const tried = (receiver: string, outcome: string) => metrics.pageTried(receiver, outcome)
  const delivery = { callerOf, tried }
  const report = (error: unknown) => log.error({ err: error }, 'a page is tried again')
  return startPager({ bus, topology, rules, receivers, delivery, intervalMs: 1_000, report })
}

function configuredModels({ watcher, models }: Config): Config['models'] {
  return watcher.prediction ? models : {}
}

function listenFor(
  state: ConsoleState,
  { config, roles, io, port }: ServerOptions,
  reload: ConfigReload | null,
): Promise<HttpServer> {
  const { bus, log, views, metrics, store, outside } = state
  const app = createApp({
    views,
    topology: config.topology,
    makeRing: () => new Ring(state.kernel),
    produce: (outputs) => produceNow(bus, outputs),
    readiness: () => readiness(state, config, roles),
    metrics: () => metrics.text(),
    about: () => ({
      version: packageVersion(),
      bus: bus.name,
      mode: modeInForce(configOf(state.service), config.policy.mode),
      provider: state.service?.models[0]?.provider ?? null,
      models: state.service?.models.map(({ card }) => card.version) ?? [],
      stopped: state.service?.stopReason() ?? null,
      partitions: state.service?.figures() ?? [],
      shards: state.service?.shards() ?? [],
      degraded: outside.degraded.modes(outside.figures()),
    }),
    config: {
      keys: () => shownKeys(reload?.keys() ?? {}),
      figures: () => configOf(state.service),
      reload: reload && ((by, reason) => reload.reload(by, reason)),
    },
    networks: () => state.service?.networks() ?? [],
    waiting: () => state.service?.waiting() ?? [],
    paths: (...asked) => state.service?.paths(...asked) ?? null,
    models: store,
    page: loadPage(join(packageRoot(), 'dashboard')),
    bodyBytesMax: Math.min(BODY_BYTES_MAX, config.ingest.recordBytesMax),
    startId: io.nowMs().toString(36),
    report: (error) => log.error({ err: error }, 'bug'),
  })
  return listen(app, { host: config.http.host, port: port ?? config.http.port })
}

function configOf(service: Service | null): ConfigFigures {
  return mergeConfig(service?.config() ?? [])
}

function reloadOf(
  state: ConsoleState,
  { config: { topology }, reloads: load }: ServerOptions,
): ConfigReload | null {
  if (load === null) return null
  const said = () => configOf(state.service).said
  const produce = (outputs: readonly Output[]) => produceNow(state.bus, outputs)
  return new ConfigReload({ topology, load, started: load(), said, produce })
}

/** TOPIC_MISSING or TOPIC_MISMATCH for the first topic that is not as it must be. */
async function requireTopics(bus: Bus, options: ServerOptions): Promise<void> {
  const { topology } = options.config
  if (options.ownsTopics) {
    await bus.create(topicSpecs(topology))
    return
  }
  const [finding, ...more] = await runTopicsCheck(bus, topology)
  if (finding === undefined) return
  const others = more.length === 0 ? '' : ` (and ${more.length} more: foreshock topics check)`
  throw new ServiceError(
    finding.problem === 'missing' ? 'TOPIC_MISSING' : 'TOPIC_MISMATCH',
    `topic ${finding.topic}: ${finding.found}, expected ${finding.expected}; ${finding.mend}${others}`,
  )
}

/** The bus waits an outage out; whoever asks over HTTP is told of it instead. */
async function produceNow(bus: Bus, outputs: readonly Output[]): Promise<unknown> {
  const { connected, lastError } = bus.health()
  if (connected) return bus.produce(outputs)
  throw new ServiceError(
    'BUS_UNREACHABLE',
    `the bus is not connected: ${lastError ?? 'no answer yet'}; nothing was taken, send it again later`,
  )
}

function readiness(
  { bus, service, outside }: ConsoleState,
  { topology }: Config,
  roles: readonly RoleName[],
): Readiness {
  const problems: string[] = []
  const degraded = outside.degraded.modes(outside.figures())
  const health = bus.health()
  const lastError = health.lastError === null ? '' : ` (last error: ${health.lastError})`
  if (!health.connected) problems.push(`the bus is not connected${lastError}`)
  if (health.stuckLeaseCount > 0) {
    problems.push(`${health.stuckLeaseCount} partitions make no progress${lastError}`)
  }
  if (service === null) {
    return { ready: false, problems: [...problems, 'the service is starting'], degraded }
  }
  const ready = service.ready()
  for (const role of roles) {
    const log = role === 'coordinator' ? 'pool-log' : 'node-log'
    const wanted = partitionCount(topology, log)
    // Other processes may own the rest; owning none is only a problem when this one is alone.
    if (ready[role] > 0) continue
    problems.push(`${role}: no partition of ${wanted} is restored here yet${lastError}`)
  }
  return { ready: problems.length === 0, problems, degraded }
}
