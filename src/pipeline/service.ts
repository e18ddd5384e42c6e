/**
 * The roles of one process, wired together: what `foreshock serve`, `foreshock replay` and the
 * tests of the whole loop all start. It knows no configuration file, no HTTP and no fleet.
 */
import type { Bus } from '../core/bus.ts'
import { TICK_INTERVAL_MS } from '../core/clock.ts'
import { ServiceError } from '../core/errors.ts'
import type { GuardRules } from '../core/guard.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { DriftRules, PromotionRules } from '../core/model-life.ts'
import type { ProviderChoice } from '../core/model.ts'
import type { NetworkFigures } from '../core/network.ts'
import type { RailFigures } from '../core/rail-figures.ts'
import type { NodeClass } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import type { RoutePaths } from '../core/route-paths.ts'
import type { ConfigFigures } from '../core/runtime-config.ts'
import type { ShardFigures } from '../core/shard.ts'
import type { WaitingQueueView } from '../core/waiting.ts'
import type { Topology } from '../core/topics.ts'
import { nodeKey } from '../detect/challenge-response.ts'
import { IngestFold } from '../ingest/route.ts'
import { CoordinatorFold } from './coordinator.ts'
import { type Ingest, startIngest } from './ingest.ts'
import { Intake, type TopicIntake } from './intake.ts'
import type { LeaseFigures } from './lease-gauge.ts'
import { type Role, type RoleEvents, startRole } from './role.ts'
import { StopSwitch } from './stop.ts'
import {
  type HostNote,
  type ServedModel,
  startLocalHost,
  startThreadHost,
  type WatcherHost,
  type WatcherSetup,
} from './watcher-host.ts'

export const ROLES = ['ingest', 'watcher', 'coordinator'] as const
export type RoleName = (typeof ROLES)[number]

const READY_POLL_MS = 20

export interface ServiceOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly roles: readonly RoleName[]
  readonly kernel: WebAssembly.Module
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  readonly models: Readonly<Record<string, string>>
  readonly defaultClass: string
  /** Format of telemetry whose content type says nothing; JSON when absent. */
  readonly telemetryFormat?: 'json' | 'arrow'
  readonly recordBytesMax: number
  readonly commitIntervalMs: number
  readonly changeGapMs: number
  readonly changeDeviations?: number
  readonly nodesMax: number
  readonly policyFor: (pool: PoolId) => Policy
  /** All that `policyFor` may give. */
  readonly policies: readonly Policy[]
  /** Ed25519 over the bytes, base64. */
  readonly sign: (bytes: Uint8Array) => string
  readonly source: string
  /** Keys of nodes are made from it; absent or null, challenges are not verified. */
  readonly nodeSecret?: string | null
  readonly stateDirectory: string
  /** `thread`: watchers in a worker. `local`: in this thread, for tests. */
  readonly host: 'thread' | 'local'
  /** Workers that the watchers of this process are dealt out to; one when absent. */
  readonly watcherThreads?: number
  /** Where models that the log names are found. */
  readonly modelStore?: WatcherSetup['modelStore']
  readonly promotion?: PromotionRules
  readonly drift?: DriftRules
  /** What serves the models; absent: the CPU. */
  readonly provider?: ProviderChoice
  /** How peers are asked for models; the defaults when absent. */
  readonly resilience?: GuardRules
  readonly events?: RoleEvents
  /** What happens to the threads of the watchers beside their folds. */
  readonly hostNote?: (note: HostNote, thread: number) => void
}

export interface FoldFigures extends LeaseFigures {
  readonly role: string
  readonly partition: number
  /** Of its fold; ingest has none. */
  readonly stats: Readonly<Record<string, number>>
}

export interface Service {
  readonly models: readonly ServedModel[]
  /** Each partition that is owned here, with the figures of its fold and its queues. */
  figures(): readonly FoldFigures[]
  /** Of each pool with shards whose coordinator runs here. */
  shards(): readonly ShardFigures[]
  /** How full the rails of the pools are whose coordinator runs here. */
  rails(): readonly RailFigures[]
  /** The configuration in force, of each coordinator that runs here. */
  config(): readonly ConfigFigures[]
  /** State, history and statistics of the networks of pools whose coordinator runs here. */
  networks(): readonly NetworkFigures[]
  /** Work that waits for room, of pools whose coordinator runs here. */
  waiting(): readonly WaitingQueueView[]
  /** Null where the nodes are not both of a pool whose coordinator runs here. */
  paths(pool: string, from: string, to: string): RoutePaths | null
  /** Counters of the folds that run here, added up. */
  totals(): Readonly<Record<string, number>>
  /** Partitions of each role that this process owns with their state restored. */
  ready(): Readonly<Record<RoleName, number>>
  /** What ingest has read here, by topic. */
  intake(): ReadonlyMap<string, TopicIntake>
  /** Dead letters by reason, of this process. */
  deadLetters(): ReadonlyMap<string, number>
  stopReason(): string | null
  /** Hands every partition over and ends. The bus stays open. Safe to call twice. */
  stop(): Promise<void>
}

/** Starts the roles; when one cannot start, those before it are stopped again. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { bus, topology, roles } = options
  const stopSwitch = new StopSwitch(topology, options.stateDirectory)
  const routers = new Map<number, IngestFold>()
  const intake = new Intake()
  const coordinators = new Map<number, CoordinatorFold>()
  const running = new Map<RoleName, Role>()
  let host: WatcherHost | null = null
  let ingest: Ingest | null = null
  const stopAll = async () => {
    await ingest?.stop()
    for (const role of [running.get('watcher'), running.get('coordinator')]) await role?.stop()
    await stopSwitch.close()
    await host?.close()
  }
  let stopped: Promise<void> | null = null
  const stop = () => (stopped ??= stopAll())
  try {
    // The host first: a model that does not fit is found before anything joins a group.
    if (roles.includes('watcher')) host = await startHost(options)
    if (roles.includes('coordinator')) {
      await stopSwitch.start(bus)
      running.set('coordinator', await startCoordinator(options, stopSwitch, coordinators))
    }
    if (host !== null) running.set('watcher', await startWatcher(options, host))
    if (roles.includes('ingest')) ingest = await startIngestRole(options, routers, intake)
  } catch (error) {
    await stop()
    throw error
  }
  const owned = () =>
    (running.get('coordinator')?.readyPartitions() ?? []).flatMap(
      (partition) => coordinators.get(partition) ?? [],
    )
  return {
    models: host?.models ?? [],
    figures: () => figures(running, ingest),
    intake: () => intake.topics(),
    shards: () => owned().flatMap((coordinator) => coordinator.shardFigures()),
    rails: () => owned().flatMap((coordinator) => coordinator.railFigures()),
    config: () => owned().map((coordinator) => coordinator.configFigures()),
    networks: () => owned().flatMap((coordinator) => coordinator.networkFigures()),
    waiting: () => owned().flatMap((coordinator) => coordinator.waiting()),
    paths: (...asked) => {
      for (const coordinator of owned()) {
        const paths = coordinator.paths(...asked)
        if (paths !== null) return paths
      }
      return null
    },
    totals: () => totals(running, routers),
    ready: () => ({
      ingest: ingest?.readyPartitions().length ?? 0,
      watcher: running.get('watcher')?.readyPartitions().length ?? 0,
      coordinator: running.get('coordinator')?.readyPartitions().length ?? 0,
    }),
    deadLetters: () => deadLetters(routers),
    stopReason: () => stopSwitch.reason(),
    stop,
  }
}

function startHost(options: ServiceOptions): Promise<WatcherHost> {
  const setup = { ...options, nodeClasses: [...options.nodeClasses.values()] }
  const note = options.hostNote ?? (() => undefined)
  if (options.host === 'local') return startLocalHost(setup, (said) => note(said, 0))
  const threads = Math.min(options.watcherThreads ?? 1, options.topology.nodePartitions)
  return startThreadHost(threadSetup(setup), threads, note)
}

function figures(
  running: ReadonlyMap<RoleName, Role>,
  ingest: Ingest | null,
): readonly FoldFigures[] {
  const folds = [...running].flatMap(([name, role]) => {
    const stats = role.stats()
    return [...role.leases()].map(([partition, lease]) => {
      return { role: name, partition, stats: stats.get(partition) ?? {}, ...lease }
    })
  })
  const inputs = [...(ingest?.leases() ?? [])].map(([partition, lease]) => {
    return { role: 'ingest', partition, stats: {}, ...lease }
  })
  return [...inputs, ...folds]
}

/** Waits until this process owns every partition of its roles, restored. False when `signal` ended it. */
export async function untilReady(
  service: Service,
  options: Pick<ServiceOptions, 'topology' | 'roles'>,
  signal: AbortSignal,
): Promise<boolean> {
  const { topology, roles } = options
  const wanted = {
    ingest: topology.nodePartitions,
    watcher: topology.nodePartitions,
    coordinator: topology.poolPartitions,
  }
  while (!signal.aborted) {
    const ready = service.ready()
    if (roles.every((role) => ready[role] >= wanted[role])) return true
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS))
  }
  return false
}

/** Only what can be sent to a thread. */
function threadSetup(
  setup: Parameters<typeof startThreadHost>[0],
): Parameters<typeof startThreadHost>[0] {
  const { topology, kernel, nodeClasses, models, changeGapMs, policies, nodesMax, source } = setup
  const own = { topology, kernel, nodeClasses, models, changeGapMs, policies, nodesMax, source }
  const { changeDeviations, modelStore, drift, promotion, provider, resilience } = setup
  return {
    ...own,
    ...(changeDeviations === undefined ? {} : { changeDeviations }),
    ...(modelStore === undefined ? {} : { modelStore }),
    ...(resilience === undefined ? {} : { resilience }),
    ...(drift === undefined ? {} : { drift }),
    ...(promotion === undefined ? {} : { promotion }),
    ...(provider === undefined ? {} : { provider }),
  }
}

function startCoordinator(
  options: ServiceOptions,
  stopSwitch: StopSwitch,
  coordinators: Map<number, CoordinatorFold>,
): Promise<Role> {
  const { topology, kernel, policyFor, sign, source, promotion, drift } = options
  const { nodeSecret = null } = options
  const keyOf = (node: NodeId) => (nodeSecret === null ? null : nodeKey(nodeSecret, node))
  const shared = {
    topology,
    kernel,
    policyFor,
    sign,
    source,
    keyOf,
    ...(promotion === undefined ? {} : { promotion }),
    ...(drift === undefined ? {} : { drift }),
  }
  return startRole({
    ...roleOptions(options),
    role: 'coordinator',
    topic: 'pool-log',
    createFold: async (partition) => {
      const fold = new CoordinatorFold({ partition, ...shared })
      coordinators.set(partition, fold)
      return fold
    },
    guard: (partition, outputs) => stopSwitch.guard(partition, outputs),
  })
}

function startWatcher(options: ServiceOptions, host: WatcherHost): Promise<Role> {
  return startRole({
    ...roleOptions(options),
    role: 'watcher',
    topic: 'node-log',
    createFold: (partition) => host.createFold(partition),
  })
}

function roleOptions({ bus, topology, commitIntervalMs, events }: ServiceOptions) {
  return {
    bus,
    topology,
    commitIntervalMs,
    tickIntervalMs: TICK_INTERVAL_MS,
    ...(events === undefined ? {} : { events }),
  }
}

function startIngestRole(
  options: ServiceOptions,
  routers: Map<number, IngestFold>,
  intake: Intake,
): Promise<Ingest> {
  const { bus, topology, nodeClasses, defaultClass, recordBytesMax, commitIntervalMs } = options
  const { telemetryFormat, kernel } = options
  if (!nodeClasses.has(defaultClass)) {
    throw new ServiceError(
      'NODE_CLASS_UNKNOWN',
      `ingest.default_class: there is no node class \`${defaultClass}\`; known: ${[...nodeClasses.keys()].join(', ')}`,
    )
  }
  return startIngest({
    bus,
    topology,
    commitIntervalMs,
    intake,
    createRouter: (partition) => {
      const router = new IngestFold({
        topology,
        nodeClasses,
        defaultClass,
        recordBytesMax,
        kernel,
        source: partition,
        ...(telemetryFormat === undefined ? {} : { telemetryFormat }),
      })
      routers.set(partition, router)
      return router
    },
    ...(options.events === undefined ? {} : { events: options.events }),
  })
}

function totals(
  running: ReadonlyMap<RoleName, Role>,
  routers: ReadonlyMap<number, IngestFold>,
): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {}
  const folds = [...running.values()].flatMap((role) => [...role.stats().values()])
  for (const stats of folds) {
    for (const [name, value] of Object.entries(stats)) sums[name] = (sums[name] ?? 0) + value
  }
  sums['deadLetterCount'] = [...deadLetters(routers).values()].reduce((a, b) => a + b, 0)
  return sums
}

function deadLetters(routers: ReadonlyMap<number, IngestFold>): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const router of routers.values()) {
    for (const [reason, count] of router.deadLetters()) {
      sums.set(reason, (sums.get(reason) ?? 0) + count)
    }
  }
  return sums
}
