/**
 * `foreshock report`: what the service saw, did and would have done over the last days, beside doing
 * nothing and beside a plain threshold; from the topics of a deployment alone.
 */
import type { Config } from '../config/config.ts'
import { loadNodeClasses } from '../config/node-classes.ts'
import { ServiceError } from '../core/errors.ts'
import type { PoolId } from '../core/ids.ts'
import { DAY_MS } from '../core/time.ts'
import { type Report, reportOf } from '../store/report/report.ts'
import type { Costs } from '../core/policy.ts'
import { RULE_PROBABILITY } from '../store/report/threshold-rule.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Command, CONFIG_OPTIONS, type Io } from './command.ts'
import { costsOf } from './costs.ts'
import { printJson } from './output.ts'
import { packagedNodeClasses } from './package.ts'
import { Progress } from './progress.ts'
import { type ReadFacts, readFacts } from './report-facts.ts'
import { reportText } from './report-text.ts'

const DAYS = 30

/** As `--json` prints it. */
export interface PrintedReport extends Report {
  readonly days: number
  /** How long the topics keep what was said. */
  readonly retentionMs: number
  /** Oldest time in the journal within these days; what came before it is not known. */
  readonly journalFromMs: number | null
  /** Of the baseline `threshold`. */
  readonly ruleProbability: number
}

export const command: Command = {
  name: 'report',
  summary: 'say what was foreseen, done and refused over the last days, and what it was worth',
  options: {
    ...CONFIG_OPTIONS,
    days: { kind: 'text', value: 'N', summary: 'so many days back', fallback: String(DAYS) },
    pool: { kind: 'text', value: 'POOL', summary: 'this pool only' },
    'action-cost': {
      kind: 'text',
      value: 'N',
      summary: 'cost of emptying one node, for pools whose policy names none; with --failure-cost',
    },
    'failure-cost': {
      kind: 'text',
      value: 'N',
      summary: 'cost of a failure that nobody saw coming, in the same unit',
    },
  },
  async run(args, io) {
    const days = args.number('days', 0, true) ?? DAYS
    if (days === 0) throw new ServiceError('USAGE', '--days: write a number over 0, such as 30')
    const pool = (args.text('pool') ?? null) as PoolId | null
    const costs = costsOf(args)
    const config = loadedConfig(args, io)
    const facts = await gather(config, io, { days, pool, costs })
    const report = reportOf(facts)
    if (facts.journalFromMs === null && report.whole.nodes === 0) throw empty(config, days, pool)
    const printed: PrintedReport = {
      days,
      retentionMs: config.topology.retentionMs,
      journalFromMs: facts.journalFromMs,
      ruleProbability: RULE_PROBABILITY,
      ...report,
    }
    if (args.flag('json')) printJson(io, printed)
    else io.stdout(reportText(printed))
    return 0
  },
}

async function gather(
  config: Config,
  io: Io,
  { days, pool, costs }: { days: number; pool: PoolId | null; costs: Costs | null },
): Promise<ReadFacts> {
  const nodeClasses = loadNodeClasses(config.nodeClasses.directory ?? packagedNodeClasses())
  const bus = await openBus(config, io)
  const progress = new Progress(io, 'report')
  try {
    return await readFacts({
      bus,
      config,
      nodeClasses,
      nowMs: io.nowMs(),
      lengthMs: days * DAY_MS,
      pool,
      costs,
      signal: io.signal,
      onProgress: (topic, records) => progress.update(null, `${topic}: ${records} records`),
    })
  } finally {
    progress.done()
    await bus.close()
  }
}

function empty({ topology }: Config, days: number, pool: PoolId | null): ServiceError {
  const of = pool === null ? '' : ` of pool ${pool}`
  const why = `and no node was seen under the prefix ${topology.prefix}`
  const mend = 'start the service, give more --days, or check topology.prefix and --pool'
  return new ServiceError(
    'HISTORY_EMPTY',
    `report: no journal${of} in the last ${days} days, ${why}: ${mend}`,
  )
}
