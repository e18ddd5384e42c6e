/**
 * `foreshock config show|check|reload`: what the file says, whether it is sound and what it would change, and
 * having a running service take it.
 */
import { changesBetween, isRuntimeKey, type Keys, loadKeyedConfig } from '../config/runtime.ts'
import { shown, shownKeys } from '../config/runtime.ts'
import { ServiceError } from '../core/errors.ts'
import { type ConfigChange, type UnwatchedKey, unwatchedText } from '../core/runtime-config.ts'
import { ask } from './ask.ts'
import { configSource } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type ExitCode, type Io } from './command.ts'
import { printJson, table } from './output.ts'

const ACTIONS = ['show', 'check', 'reload'] as const

export const command: Command = {
  name: 'config',
  summary: 'show and check the configuration, and have a running service take it',
  operands: ACTIONS.join('|'),
  options: {
    ...CONFIG_OPTIONS,
    url: {
      kind: 'text',
      value: 'URL',
      summary: 'the console; check: say what its service would change',
      fallback: 'reload: http.host and http.port of the file',
    },
    by: { kind: 'text', value: 'NAME', summary: 'who says so', fallback: 'command line' },
    reason: { kind: 'text', value: 'TEXT', summary: 'reload: why; it is written to the journal' },
  },
  async run(args, io) {
    const [named, ...rest] = args.operands
    const action = ACTIONS.find((known) => known === named)
    if (action === undefined || rest.length > 0) {
      const known = ACTIONS.join(', ')
      throw new ServiceError('USAGE', `config: give one of ${known} (foreshock config --help)`)
    }
    if (action === 'reload') return reload(args, io)
    const { keys } = loadKeyedConfig(configSource(args, io))
    return action === 'show' ? show(keys, args, io) : check(keys, args, io)
  },
}

function show(keys: Keys, args: Arguments, io: Io): ExitCode {
  const rows = Object.entries(keys)
    .map(([key, text]) => ({ key, value: shown(key, text), restart: !isRuntimeKey(key) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  if (args.flag('json')) printJson(io, { keys: rows })
  else {
    const lines = rows.map(({ key, value, restart }) => [
      key,
      value,
      restart ? 'restart' : 'reload',
    ])
    io.stdout(table([{ title: 'key' }, { title: 'value' }, { title: 'takes' }], lines))
  }
  return 0
}

/** 1: what differs needs a restart. */
async function check(keys: Keys, args: Arguments, io: Io): Promise<ExitCode> {
  const url = args.text('url')
  const changes = url === undefined ? null : await changesAt(url, keys)
  const fixed = (changes ?? []).filter(({ key }) => !isRuntimeKey(key))
  if (args.flag('json')) {
    const restart = fixed.map(({ key }) => key)
    printJson(io, { valid: true, ...(changes === null ? {} : { changes, restart }) })
  } else {
    io.stdout(`the configuration is valid: ${Object.keys(keys).length} keys\n`)
    for (const change of changes ?? []) io.stdout(`${changeLine(change)}\n`)
    if (changes?.length === 0) io.stdout('it is what is in force\n')
    for (const { key } of fixed) io.stderr(`foreshock: ${key} needs a restart\n`)
  }
  return fixed.length === 0 ? 0 : 1
}

async function reload(args: Arguments, io: Io): Promise<ExitCode> {
  const reason = args.required('reason')
  const url = args.text('url') ?? consoleOf(args, io)
  const by = args.text('by') ?? 'command line'
  const answer = (await (await ask(url, '/v1/config/reload', { by, reason })).json()) as {
    readonly version: string
    readonly changes: readonly ConfigChange[]
    readonly unwatched: readonly UnwatchedKey[]
  }
  if (args.flag('json')) printJson(io, answer)
  else if (answer.changes.length === 0) io.stdout('nothing differs from what is in force\n')
  else {
    io.stdout(
      `configuration ${answer.version} is on its way; the journal (kind config) says when\n`,
    )
    for (const change of answer.changes) io.stdout(`${changeLine(change)}\n`)
    for (const key of answer.unwatched) io.stdout(`${unwatchedText(key)}\n`)
  }
  return 0
}

/** What the file has and the service does not. A hidden value is the same as any other. */
async function changesAt(url: string, keys: Keys): Promise<readonly ConfigChange[]> {
  const { keys: inForce } = (await (await ask(url, '/v1/config')).json()) as { readonly keys: Keys }
  return changesBetween(inForce, shownKeys(keys))
}

function consoleOf(args: Arguments, io: Io): string {
  const { host, port } = loadKeyedConfig(configSource(args, io)).config.http
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function changeLine({ key, from, to }: ConfigChange): string {
  return `${key}: ${from ?? '(default)'} → ${to ?? '(default)'}`
}
