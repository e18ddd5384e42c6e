/** `foreshock serve`: all roles and the console in one process, with the demonstration fleet on request. */
import type { Config } from '../config/config.ts'
import { loadKeyedConfig } from '../config/runtime.ts'
import { ServiceError } from '../core/errors.ts'
import { ROLES, type RoleName } from '../pipeline/service.ts'
import { configSource, loadedConfig } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type Io } from './command.ts'
import { demoConfig, FLEET_OPTIONS, runDemo } from './demo.ts'
import { printJson } from './output.ts'
import { startServer } from './server.ts'

export const command: Command = {
  name: 'serve',
  summary: 'run the service: ingest, watcher, coordinator and console',
  options: {
    ...CONFIG_OPTIONS,
    roles: { kind: 'text', value: 'LIST', summary: 'roles to run here', fallback: ROLES.join(',') },
    port: { kind: 'text', value: 'N', summary: 'HTTP port; 0 takes a free one', fallback: '8080' },
    bus: {
      kind: 'text',
      value: 'kafka|embedded',
      summary: 'the bus, whatever is configured',
      fallback: 'as configured; embedded with --fleet',
    },
    for: { kind: 'text', value: 'TIME', summary: 'end by itself after this, e.g. 60s' },
    ...FLEET_OPTIONS,
  },
  async run(args, io) {
    const fleet = args.flag('fleet')
    const config = configOf(args, io)
    const roles = rolesOf(args)
    const ended = endOf(args, io)
    const bugs: unknown[] = []
    const onBug = (error: unknown) => {
      bugs.push(error)
      ended.abort()
    }
    const port = args.number('port')
    const running = await startServer({
      config,
      roles,
      io,
      port,
      onBug,
      ownsTopics: fleet || config.bus.kind === 'embedded',
      reloads: fleet ? null : () => loadKeyedConfig(configSource(args, io)),
    })
    try {
      io.stderr(`foreshock: console at ${running.url}\n`)
      if (fleet) {
        const summary = await runDemo({ args, io, config, running, signal: ended.signal })
        if (args.flag('json')) printJson(io, summary)
      } else {
        await new Promise<void>((resolve) => {
          if (ended.signal.aborted) resolve()
          ended.signal.addEventListener('abort', () => resolve())
        })
        if (args.flag('json')) printJson(io, { ...running.service.totals() })
      }
    } finally {
      await running.stop()
    }
    if (bugs.length > 0) throw bugs[0]
    return 0
  },
}

function configOf(args: Arguments, io: Io): Config {
  const config = loadedConfig(args, io)
  const chosen = args.choice('bus', ['kafka', 'embedded'] as const)
  if (!args.flag('fleet')) {
    return { ...config, bus: { ...config.bus, kind: chosen ?? config.bus.kind } }
  }
  // A demonstration needs no broker, unless one is asked for.
  const bus = { ...config.bus, kind: chosen ?? 'embedded' }
  return demoConfig({ ...config, bus }, io.nowMs().toString(36))
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

/** With a timer of its own: Node 20 may collect a signal joined from others before it fires. */
function endOf(args: Arguments, io: Io): AbortController {
  const ended = new AbortController()
  const forMs = args.duration('for')
  const timer = forMs === undefined ? undefined : setTimeout(() => ended.abort(), forMs)
  ended.signal.addEventListener('abort', () => clearTimeout(timer))
  io.signal.addEventListener('abort', () => ended.abort())
  if (io.signal.aborted) ended.abort()
  return ended
}
