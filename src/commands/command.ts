/** What a command of the command line is, and the arguments and streams it gets. */
import { ServiceError } from '../core/errors.ts'
import { parseDuration } from '../core/time.ts'

export interface OptionSpec {
  /** `flag` takes no value; `list` may be given several times. */
  readonly kind: 'flag' | 'text' | 'list'
  /** Placeholder of the value in the help, e.g. `DIR`. */
  readonly value?: string
  readonly summary: string
  /** Shown in the help; the command applies it. */
  readonly fallback?: string
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>

/** Everything outside that a command may touch. Only main.ts makes a real one. */
export interface Io {
  /** Results: what a pipe should see. */
  readonly stdout: (text: string) => void
  /** Progress and remarks for people. */
  readonly stderr: (text: string) => void
  /** Whether stderr is a terminal that can redraw a line. */
  readonly isTTY: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  /** Calls it at each SIGHUP, which otherwise ends the process. */
  readonly onHangUp?: (listener: () => void) => void
  readonly nowMs: () => number
}

/** 0: fine. 1: a finding or a failure. 2: wrong use. */
export type ExitCode = 0 | 1 | 2

export interface Command {
  readonly name: string
  readonly summary: string
  /** Positional arguments, e.g. `create|check`; absent: none are taken. */
  readonly operands?: string
  readonly options: OptionSpecs
  run(args: Arguments, io: Io): Promise<ExitCode>
}

/** Every command takes these. */
export const COMMON_OPTIONS = {
  json: { kind: 'flag', summary: 'print the result as JSON on standard output' },
  help: { kind: 'flag', summary: 'print this help' },
} satisfies OptionSpecs

/** Commands that read the configuration take these. */
export const CONFIG_OPTIONS = {
  config: {
    kind: 'text',
    value: 'FILE',
    summary: 'configuration file',
    fallback: 'foreshock.toml where it exists',
  },
} satisfies OptionSpecs

/** Parsed options. A text that does not mean what it should is wrong use, and says how to write it. */
export class Arguments {
  readonly operands: readonly string[]
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(values: ReadonlyMap<string, readonly string[]>, operands: readonly string[]) {
    this.#values = values
    this.operands = operands
  }

  flag(name: string): boolean {
    return this.#values.has(name)
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1)
  }

  required(name: string): string {
    const text = this.text(name)
    if (text === undefined) throw new ServiceError('USAGE', `--${name} is required`)
    return text
  }

  /** Milliseconds of a text like `90s` or `30d`. */
  duration(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const ms = parseDuration(text)
    if (ms === undefined) {
      throw new ServiceError(
        'USAGE',
        `--${name}: "${text}" is no length of time; write 60s, 5m, 1h`,
      )
    }
    return ms
  }

  /** A number from `min` on; whole unless `fraction`. */
  number(name: string, min = 0, fraction = false): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (!(value >= min) || !Number.isFinite(value) || (!fraction && !Number.isInteger(value))) {
      const kind = fraction ? 'number' : 'whole number'
      throw new ServiceError('USAGE', `--${name}: "${text}" is no ${kind} from ${min} on`)
    }
    return value
  }

  /** One of a closed set. */
  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const found = choices.find((choice) => choice === text)
    if (found === undefined) {
      throw new ServiceError('USAGE', `--${name}: "${text}" is none of ${choices.join(', ')}`)
    }
    return found
  }
}
