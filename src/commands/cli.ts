/** The frame of the command line: finds the command, reads its options, turns failures into exit codes. */
import { parseArgs } from 'node:util'
import { isServiceError, ServiceError } from '../core/errors.ts'
import { Arguments, COMMON_OPTIONS } from './command.ts'
import type { Command, ExitCode, Io, OptionSpecs } from './command.ts'
import { commandHelp, programHelp } from './help.ts'
import { nearest } from './nearest.ts'

/** Name → how to load it, so that `foreshock topics` does not load a model runtime. */
export type Registry = Readonly<Record<string, () => Promise<Command>>>

/** Never throws for a user's mistake: that is one line on stderr. A bug keeps its stack. */
export async function runCli(
  registry: Registry,
  argv: readonly string[],
  io: Io,
): Promise<ExitCode> {
  try {
    return await dispatch(registry, argv, io)
  } catch (error) {
    if (!isServiceError(error)) {
      io.stderr(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
      return 1
    }
    io.stderr(`foreshock: ${error.message}\n`)
    return error.code === 'USAGE' ? 2 : 1
  }
}

async function dispatch(registry: Registry, argv: readonly string[], io: Io): Promise<ExitCode> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const commands = await Promise.all(Object.values(registry).map((load) => load()))
    const text = programHelp(commands)
    if (name === undefined) io.stderr(text)
    else io.stdout(text)
    return name === undefined ? 2 : 0
  }
  if (!Object.hasOwn(registry, name)) {
    const guess = nearest(name, Object.keys(registry))
    const hint = guess === undefined ? '' : `; did you mean ${guess}?`
    throw new ServiceError('USAGE', `unknown command ${name}${hint} (foreshock --help lists them)`)
  }
  const command = await registry[name]()
  if (rest.includes('--help') || rest.includes('-h')) {
    io.stdout(commandHelp(command))
    return 0
  }
  return command.run(parseArguments(command, rest), io)
}

/** ServiceError USAGE for an unknown option (with the nearest known one) or a missing value. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const specs: OptionSpecs = { ...command.options, ...COMMON_OPTIONS }
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(specs).map(([name, { kind }]) => [
        name,
        { type: kind === 'flag' ? ('boolean' as const) : ('string' as const) },
      ]),
    ),
  })
  const values = new Map<string, string[]>()
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'option') readOption(command, specs, token, values)
    else if (token.kind === 'positional') operands.push(token.value)
  }
  if (command.operands === undefined && operands.length > 0) {
    throw new ServiceError(
      'USAGE',
      `${command.name}: unexpected "${operands[0]}"${seeHelp(command)}`,
    )
  }
  return new Arguments(values, operands)
}

function readOption(
  command: Command,
  specs: OptionSpecs,
  token: { readonly name: string; readonly rawName: string; readonly value?: string | undefined },
  values: Map<string, string[]>,
): void {
  const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined
  if (spec === undefined) {
    const guess = nearest(token.name, Object.keys(specs))
    const hint = guess === undefined ? '' : `; did you mean --${guess}?`
    throw new ServiceError(
      'USAGE',
      `${command.name}: unknown option ${token.rawName}${hint}${seeHelp(command)}`,
    )
  }
  if (spec.kind === 'flag') {
    if (token.value !== undefined) {
      throw new ServiceError('USAGE', `${command.name}: ${token.rawName} takes no value`)
    }
    values.set(token.name, [])
    return
  }
  if (token.value === undefined || token.value.startsWith('--')) {
    throw new ServiceError(
      'USAGE',
      `${command.name}: ${token.rawName} needs a value (${spec.value ?? 'TEXT'})`,
    )
  }
  const given = values.get(token.name) ?? []
  if (spec.kind === 'text' && given.length > 0) {
    throw new ServiceError('USAGE', `${command.name}: ${token.rawName} is given twice`)
  }
  values.set(token.name, [...given, token.value])
}

function seeHelp(command: Command): string {
  return ` (foreshock ${command.name} --help)`
}
