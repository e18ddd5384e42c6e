/**
 * `foreshock tune-policy`: thresholds of detectors and the pace of answers, searched in simulated worlds of the
 * whole service. What it finds is adopted only where it saves a fifth of the cost in worlds that it never saw.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadSettings, toConfig } from '../config/config.ts'
import { toPolicy } from '../config/policy.ts'
import { ServiceError } from '../core/errors.ts'
import { HOUR_MS } from '../core/time.ts'
import type { Faults } from '../simulate/fault-file.ts'
import { actingTable, KNOBS, type PolicyTable, withValues } from '../simulate/tuning/knobs.ts'
import { priceOf } from '../simulate/tuning/price.ts'
import { candidatesFor, type Live, type Lived } from '../simulate/tuning/search.ts'
import { SEED_MAX, tunePolicy, WORLDS_MAX } from '../simulate/tuning/tune.ts'
import { configSource } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type Io } from './command.ts'
import { measuredRepairHours } from './measured-times.ts'
import { printJson, writeWhole } from './output.ts'
import { loadKernel, packageRoot } from './package.ts'
import { Progress } from './progress.ts'
import { readFaults } from './simulate.ts'
import { narrowed } from './tuning-bounds.ts'
import { tuningReport, tuningText } from './tuning-text.ts'
import { runWorlds } from './world-pool.ts'

const SCENARIOS = ['default', 'heavy', 'wave', 'calm', 'detection'] as const
const NODES = 20
const NODES_MIN = 3
const NODES_MAX = 1_000
const HOURS = 0.5
const HOURS_MIN = 0.01
const HOURS_MAX = 24
const WORLDS = 300
const JUDGED = 60
/** Fewer say nothing of how far worlds differ. */
const JUDGED_MIN = 5
const FAULTS_MAX = 20

export const command: Command = {
  name: 'tune-policy',
  summary: 'search thresholds and pacing in simulated worlds; adopted where they save a fifth',
  options: {
    ...CONFIG_OPTIONS,
    nodes: { kind: 'text', value: 'N', summary: 'nodes of a world', fallback: String(NODES) },
    hours: { kind: 'text', value: 'H', summary: 'its time with faults', fallback: String(HOURS) },
    faults: {
      kind: 'list',
      value: 'FILE',
      summary: 'what may go wrong; several take turns',
      fallback: `of the package: ${SCENARIOS.join(', ')}`,
    },
    worlds: {
      kind: 'text',
      value: 'N',
      summary: 'worlds that the search runs at most',
      fallback: String(WORLDS),
    },
    seeds: {
      kind: 'text',
      value: 'N',
      summary: 'fresh worlds in which the best is judged',
      fallback: String(JUDGED),
    },
    seed: { kind: 'text', value: 'N', summary: 'the same seed tries the same', fallback: '1' },
    only: { kind: 'list', value: 'KEY', summary: 'tune this key', fallback: 'all that are tuned' },
    bound: { kind: 'list', value: 'KEY=LOW..HIGH', summary: 'narrower bounds of a key' },
    out: { kind: 'text', value: 'FILE', summary: 'write the changed keys there, as TOML' },
  },
  async run(args, io) {
    const out = args.text('out')
    if (out !== undefined && !existsSync(dirname(out))) {
      throw new ServiceError('USAGE', `--out: there is no folder ${dirname(out)}; make it first`)
    }
    const worlds = readWorlds(args, io)
    const asked = readAsked(args, io, [...worlds.faultsOf.keys()])
    // Where the kernels are missing that is told once, and not by each process.
    await loadKernel()
    const live = (part: string) => liveIn(worlds, asked.table, io, part)
    const tuned = await tunePolicy({ ...asked, live })
    const report = tuningReport(tuned, asked, commandLine(args))
    if (report.toml !== null && out !== undefined) await writeWhole(out, report.toml)
    if (args.flag('json')) printJson(io, report)
    else io.stdout(tuningText(report, out))
    return 0
  },
}

/** What all worlds have. */
interface Worlds {
  readonly faultsOf: ReadonlyMap<string, Faults>
  readonly nodeCount: number
  readonly lengthMs: number
  readonly repairHours: readonly number[] | null
}

function readWorlds(args: Arguments, io: Io): Worlds {
  const files = args.list('faults')
  if (files.length > FAULTS_MAX) {
    throw new ServiceError('USAGE', `--faults: at most ${FAULTS_MAX} files are taken`)
  }
  if (new Set(files).size < files.length) {
    throw new ServiceError('USAGE', '--faults: a file is given twice; name each once')
  }
  const folder = join(packageRoot(), 'faults')
  const packaged = SCENARIOS.map((name) => [name, join(folder, `${name}.toml`)] as const)
  // Files of operators keep their paths: two of them may have one name.
  const named = files.length > 0 ? files.map((file) => [file, file] as const) : packaged
  return {
    faultsOf: new Map(named.map(([name, path]) => [name, readFaults(path)])),
    nodeCount: bounded('nodes', args.number('nodes', NODES_MIN) ?? NODES, NODES_MAX),
    lengthMs: HOUR_MS * bounded('hours', args.number('hours', HOURS_MIN, true) ?? HOURS, HOURS_MAX),
    repairHours: measuredRepairHours(io.env['FORESHOCK_DATA']),
  }
}

function readAsked(args: Arguments, io: Io, scenarios: readonly string[]) {
  const settings = loadSettings(configSource(args, io))
  // What contradicts itself is told before the first world.
  toConfig(settings)
  const worldsMax = bounded('worlds', args.number('worlds', 1) ?? WORLDS, WORLDS_MAX)
  candidatesFor(worldsMax, scenarios.length)
  return {
    table: actingTable(settings.policy),
    knobs: narrowed(KNOBS, args.list('only'), args.list('bound')),
    scenarios,
    worldsMax,
    judgedCount: bounded('seeds', args.number('seeds', JUDGED_MIN) ?? JUDGED, WORLDS_MAX),
    seed: bounded('seed', args.number('seed') ?? 1, SEED_MAX),
  }
}

function bounded(name: string, value: number, most: number): number {
  if (value <= most) return value
  throw new ServiceError('USAGE', `--${name}: ${value} is more than ${most}`)
}

/** Worlds in processes of their own; ServiceError INTERRUPTED. */
function liveIn(
  { faultsOf, nodeCount, lengthMs, repairHours }: Worlds,
  policyTable: PolicyTable,
  io: Io,
  part: string,
): Live {
  return async (trials) => {
    const jobs = trials.map(({ candidate, world }) => ({
      seed: world.seed,
      nodeCount,
      lengthMs,
      faults: faultsOf.get(world.scenario)!,
      policy: toPolicy(withValues(policyTable, candidate.values), {}),
      ...(repairHours === null ? {} : { repairHours }),
    }))
    const progress = new Progress(io, part)
    const lived: Lived[] = []
    let [done, broken] = [0, 0]
    const remark = () => `${done} of ${jobs.length} worlds, ${broken} broke a promise`
    await runWorlds(jobs, io.signal, (index, { measures, violations }) => {
      lived[index] = { price: priceOf(measures), broken: violations[0]?.what ?? null }
      done++
      if (violations.length > 0) broken++
      progress.update(done / jobs.length, remark())
    })
    progress.done(remark())
    if (!io.signal.aborted) return lived
    throw new ServiceError('INTERRUPTED', 'tuning was interrupted; nothing was written')
  }
}

/** What finds the same again. */
function commandLine(args: Arguments): string {
  const texts = ['config', 'nodes', 'hours', 'worlds', 'seeds', 'seed'].flatMap((name) => {
    const value = args.text(name)
    return value === undefined ? [] : [`--${name} ${value}`]
  })
  const lists = ['faults', 'only', 'bound'].flatMap((name) =>
    args.list(name).map((value) => `--${name} ${value}`),
  )
  return ['foreshock tune-policy', ...texts, ...lists].join(' ')
}
