/** Help texts, made from the commands themselves, so that they cannot differ from what is parsed. */
import { COMMON_OPTIONS } from './command.ts'
import type { Command, OptionSpec, OptionSpecs } from './command.ts'

export function programHelp(commands: readonly Command[]): string {
  const rows = commands.map((command): [string, string] => [command.name, command.summary])
  return [
    'foreshock: predicts node failures from telemetry and moves work before they happen',
    '',
    'usage: foreshock COMMAND [options]',
    '',
    'commands:',
    ...columns(rows),
    '',
    'foreshock COMMAND --help explains one command.',
    'Exit code 0: fine. 1: a finding or a failure. 2: wrong use.',
    '',
  ].join('\n')
}

export function commandHelp(command: Command): string {
  const specs: OptionSpecs = { ...command.options, ...COMMON_OPTIONS }
  const rows = Object.entries(specs).map(([name, spec]): [string, string] => [
    `--${name}${valueName(spec)}`,
    spec.fallback === undefined ? spec.summary : `${spec.summary} (${spec.fallback})`,
  ])
  const operands = command.operands === undefined ? '' : ` ${command.operands}`
  return [
    `foreshock ${command.name}: ${command.summary}`,
    '',
    `usage: foreshock ${command.name}${operands} [options]`,
    '',
    'options:',
    ...columns(rows),
    '',
  ].join('\n')
}

function valueName(spec: OptionSpec): string {
  return spec.kind === 'flag' ? '' : ` ${spec.value ?? 'TEXT'}`
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
