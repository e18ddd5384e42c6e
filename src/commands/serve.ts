/** `foreshock serve`: all roles and the console in one process, with the demonstration fleet on request. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import pino from 'pino'
import { type Config, policyFor } from '../config/config.ts'
import { loadSigner } from '../config/keys.ts'
import { loadNodeClasses } from '../config/node-classes.ts'
import type { Bus } from '../core/bus.ts'
import { ServiceError } from '../core/errors.ts'
import { createApp, type Readiness } from '../http/app.ts'
import { Metrics } from '../http/metrics.ts'
import { loadPage } from '../http/page.ts'
import { listen } from '../http/server.ts'
import { partitionCount, topicSpecs } from '../core/topics.ts'
import {
  ROLES,
  type RoleName,
  type Service,
  type ServiceOptions,
  startService,
} from '../pipeline/service.ts'
import { ConsoleViews } from '../store/views.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type Io } from './command.ts'
import { feedConsole } from './console.ts'
import { demoConfig, FLEET_OPTIONS, runDemo } from './demo.ts'
import { printJson } from './output.ts'
import { loadKernel, packagedNodeClasses, packageRoot, packageVersion } from './package.ts'
import { runTopicsCheck } from './topics.ts'

const BODY_BYTES_MAX = 8 * 1024 * 1024

export const command: Command = {
  name: 'serve',
  summary: 'run the service: ingest, watcher, coordinator and console',
  options: {
    ...CONFIG_OPTIONS,
    roles: { kind: 'text', value: 'LIST', summary: 'roles to run here', fallback: ROLES.join(',') },
    port: { kind: 'text', value: 'N', summary: 'HTTP port; 0 takes a free one', fallback: '8080' },
    for: { kind: 'text', value: 'TIME', summary: 'end by itself after this, e.g. 60s' },
    ...FLEET_OPTIONS,
  },
  async run(args, io) {
    const fleet = args.flag('fleet')
    const config = fleet ? demoConfig(loadedConfig(args, io)) : loadedConfig(args, io)
    const roles = rolesOf(args)
    const ended = endSignal(args, io)
    const running = await startServer({ config, roles, io, port: args.number('port') })
    try {
      io.stderr(`foreshock: console at ${running.url}\n`)
      if (fleet) {
        const summary = await runDemo({ args, io, config, running, signal: ended })
        if (args.flag('json')) printJson(io, summary)
      } else {
        await new Promise<void>((resolve) => {
          if (ended.aborted) resolve()
          ended.addEventListener('abort', () => resolve())
        })
        if (args.flag('json')) printJson(io, { ...running.service.totals() })
      }
      return 0
    } finally {
      await running.stop()
    }
  },
}

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
}

/** Everything that can be wrong is found before the first record is read. */
export async function startServer({ config, roles, io, port }: ServerOptions): Promise<Running> {
  const log = pino({ level: io.env['FORESHOCK_LOG'] ?? 'warn' }, pino.destination(2))
  const kernel = await loadKernel()
  const nodeClasses = loadNodeClasses(config.nodeClasses.directory ?? packagedNodeClasses())
  mkdirSync(config.state.directory, { recursive: true })
  const signer = loadSigner(config.state.directory)
  const bus = await openBus(config)
  const closers: (() => Promise<void>)[] = [() => bus.close()]
  const stop = async () => {
    for (const close of closers.toReversed()) await close()
    closers.length = 0
  }
  try {
    await requireTopics(bus, config)
    const views = new ConsoleViews(config.topology)
    let service: Service | null = null
    const metrics = new Metrics({
      topology: config.topology,
      roles: () => service?.figures() ?? [],
      bus: () => bus.health(),
    })
    const serviceOptions: ServiceOptions = {
      bus,
      topology: config.topology,
      roles,
      kernel,
      nodeClasses,
      models: config.watcher.prediction ? config.models : {},
      defaultClass: config.ingest.defaultClass,
      recordBytesMax: config.ingest.recordBytesMax,
      commitIntervalMs: config.watcher.commitIntervalMs,
      changeGapMs: config.watcher.changeGapMs,
      nodesMax: config.watcher.nodesMax,
      policyFor: (pool) => policyFor(config, pool),
      sign: (bytes) => signer.sign(bytes),
      source: `/foreshock/${config.topology.prefix.replace(/\.$/, '')}`,
      stateDirectory: config.state.directory,
      host: 'thread',
      events: {
        committed: (role, outcome, _outputs, elapsedMs) =>
          metrics.transaction(role, outcome, elapsedMs),
        trouble: (role, partition, error) => log.error({ role, partition, err: error }, 'trouble'),
        restored: (role, partition, records, elapsedMs) =>
          log.info({ role, partition, records, elapsedMs }, 'restored'),
      },
    }
    service = await startService(serviceOptions)
    const started = service
    closers.push(() => started.stop())
    const feed = await feedConsole(bus, config.topology, views, metrics)
    closers.push(() => feed.close())
    const app = createApp({
      views,
      topology: config.topology,
      produce: (outputs) => bus.produce(outputs),
      readiness: () => readiness(bus, started, config, roles),
      metrics: () => metrics.text(),
      about: () => ({
        version: packageVersion(),
        bus: bus.name,
        mode: config.policy.mode,
        provider: started.models[0]?.provider ?? null,
        models: started.models.map(({ card }) => card.version),
        stopped: started.stopReason(),
      }),
      page: loadPage(join(packageRoot(), 'dashboard')),
      bodyBytesMax: BODY_BYTES_MAX,
      startId: io.nowMs().toString(36),
      report: (error) => log.error({ err: error }, 'bug'),
    })
    const server = await listen(app, { host: config.http.host, port: port ?? config.http.port })
    closers.push(() => server.close())
    const { url } = server
    return { url, bus, service, serviceOptions, views, publicKey: signer.publicKey, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The embedded store belongs to us and is set up at once; on Kafka topics are made on purpose. */
async function requireTopics(bus: Bus, { bus: { kind }, topology }: Config): Promise<void> {
  if (kind === 'embedded') {
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

function readiness(
  bus: Bus,
  service: Service,
  { topology }: Config,
  roles: readonly RoleName[],
): Readiness {
  const problems: string[] = []
  const health = bus.health()
  if (!health.connected) problems.push(`the bus is not connected: ${health.lastError ?? 'unknown'}`)
  if (health.stuckLeaseCount > 0)
    problems.push(`${health.stuckLeaseCount} partitions make no progress`)
  const ready = service.ready()
  for (const role of roles) {
    const log = role === 'coordinator' ? 'pool-log' : 'node-log'
    const wanted = partitionCount(topology, log)
    // Other processes may own the rest; owning none is only a problem when this one is alone.
    if (ready[role] === 0) problems.push(`${role}: no partition of ${wanted} is restored here yet`)
  }
  return { ready: problems.length === 0, problems }
}

function rolesOf(args: Arguments): readonly RoleName[] {
  const text = args.text('roles')
  if (text === undefined) return ROLES
  return text.split(',').map((name) => {
    const role = ROLES.find((known) => known === name.trim())
    if (role === undefined) {
      throw new ServiceError('USAGE', `--roles: "${name}" is none of ${ROLES.join(', ')}`)
    }
    return role
  })
}

/** Of its own timer: Node 20 may collect a signal joined from others before it fires. */
function endSignal(args: Arguments, io: Io): AbortSignal {
  const forMs = args.duration('for')
  if (forMs === undefined) return io.signal
  const ended = new AbortController()
  const timer = setTimeout(() => ended.abort(), forMs)
  io.signal.addEventListener('abort', () => {
    clearTimeout(timer)
    ended.abort()
  })
  if (io.signal.aborted) ended.abort()
  return ended.signal
}
