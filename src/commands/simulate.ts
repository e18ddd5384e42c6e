/** `foreshock simulate`: the real service in a simulated world, where everything goes wrong, from one seed. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseToml } from '../config/toml.ts'
import { ServiceError } from '../core/errors.ts'
import { HOUR_MS } from '../core/time.ts'
import { type Faults, parseFaults } from '../simulate/fault-file.ts'
import { type Outcome, simulate } from '../simulate/outcome.ts'
import type { Arguments, Command, ExitCode, Io } from './command.ts'
import { formatNumber, printJson, table } from './output.ts'
import { loadKernel, packageRoot } from './package.ts'
import { measuredRepairHours } from './measured-times.ts'
import { Progress } from './progress.ts'

export const command: Command = {
  name: 'simulate',
  summary: 'run the whole service in a simulated world of faults, and hold it to its promises',
  options: {
    seed: { kind: 'text', value: 'N', summary: 'the same seed gives the same run', fallback: '1' },
    nodes: { kind: 'text', value: 'N', summary: 'nodes of the fleet', fallback: '60' },
    hours: { kind: 'text', value: 'H', summary: 'simulated time with faults', fallback: '1' },
    faults: {
      kind: 'text',
      value: 'FILE',
      summary: 'what may go wrong, and how often',
      fallback: 'faults/default.toml of the package',
    },
    heartbeat: {
      kind: 'text',
      value: 'TIME',
      summary: 'between samples of a node',
      fallback: '5s',
    },
  },
  run,
}

async function run(args: Arguments, io: Io): Promise<ExitCode> {
  const seed = args.number('seed') ?? 1
  const nodeCount = args.number('nodes', 1) ?? 60
  const hours = args.number('hours', 0, true) ?? 1
  const heartbeatIntervalMs = args.duration('heartbeat') ?? 5_000
  if (heartbeatIntervalMs < 1_000) {
    throw new ServiceError('USAGE', '--heartbeat: a node sends at most one sample a second')
  }
  const data = io.env['FORESHOCK_DATA']
  const repairHours = measuredRepairHours(data)
  const progress = new Progress(io, 'simulate')
  const beganAtMs = io.nowMs()
  const outcome = await simulate({
    seed,
    nodeCount,
    lengthMs: hours * HOUR_MS,
    heartbeatIntervalMs,
    faults: readFaults(args.text('faults')),
    kernel: await loadKernel(),
    ...(repairHours === null ? {} : { repairHours }),
    onProgress: (doneRatio) => progress.update(doneRatio),
    signal: io.signal,
  })
  progress.done()
  if (outcome === null) throw new ServiceError('INTERRUPTED', 'the simulation was interrupted')
  const seconds = (io.nowMs() - beganAtMs) / 1_000
  const replay = replayCommand(args, repairHours === null ? undefined : data)
  if (args.flag('json')) printJson(io, { ...outcome, elapsedSeconds: seconds, replay })
  else print(io, outcome, seconds)
  if (outcome.violations.length === 0) return 0
  io.stderr(`foreshock: a promise was broken with seed ${seed}; replay it with\n  ${replay}\n`)
  return 1
}

/** ServiceError CONFIG_INVALID where the file is missing or wrong. */
export function readFaults(file = join(packageRoot(), 'faults', 'default.toml')): Faults {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ServiceError('CONFIG_INVALID', `${file}: cannot be read; name a faults file`, {
      cause,
    })
  }
  return parseFaults(parseToml(text, file), file)
}

/** Repair times of measured data are part of a run, so their directory is part of its command. */
function replayCommand(args: Arguments, data: string | undefined): string {
  const given = ['seed', 'nodes', 'hours', 'faults', 'heartbeat'].flatMap((name) => {
    const value = args.text(name)
    return value === undefined ? [] : [`--${name}`, value]
  })
  const env = data === undefined ? [] : [`FORESHOCK_DATA=${data}`]
  return [...env, 'foreshock simulate', ...given].join(' ')
}

function print(io: Io, outcome: Outcome, seconds: number): void {
  const { violations, counts, ...figures } = outcome
  const rows = [...Object.entries(figures), ...Object.entries(counts)].flatMap(([name, value]) => {
    if (typeof value === 'object') return []
    return [[name, typeof value === 'number' ? formatNumber(value) : value]]
  })
  rows.push(['simulated node-hours per second', (outcome.nodeHours / seconds).toFixed(0)])
  io.stdout(table([{ title: 'what' }, { title: 'value', align: 'right' }], rows))
  for (const { atMs, what } of violations) io.stdout(`BROKEN at ${atMs} ms: ${what}\n`)
}
