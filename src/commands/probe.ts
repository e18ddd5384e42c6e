/** `foreshock probe`: looks at services from a node, again and again, and sends what it sees as evidence. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, Prober } from '../agent/prober.ts'
import { loadChecks } from './checks.ts'
import type { Config } from '../config/config.ts'
import type { Bus, Output } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { isServiceError, ServiceError } from '../core/errors.ts'
import { isFailing, type ServiceCheck } from '../core/evidence.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type Io } from './command.ts'
import { printJson, table } from './output.ts'
import { Progress } from './progress.ts'

const EVERY_MS = 10_000

/** What became of a check; null where nobody looked. */
interface Looked {
  readonly check: Check
  readonly seen: ServiceCheck | null
}

export const command: Command = {
  name: 'probe',
  summary:
    'look at services from this node (TCP, HTTP, containers) and send what is seen as evidence',
  options: {
    ...CONFIG_OPTIONS,
    checks: { kind: 'text', value: 'FILE', summary: 'what to look at, as TOML: [[check]] tables' },
    node: { kind: 'text', value: 'NODE', summary: 'who looks' },
    pool: { kind: 'text', value: 'POOL', summary: 'the pool of that node' },
    every: { kind: 'text', value: 'TIME', summary: 'look this often', fallback: '10s' },
    once: { kind: 'flag', summary: 'look once, say what is seen, and send nothing' },
  },
  async run(args, io) {
    const node = args.required('node') as NodeId
    const pool = args.required('pool') as PoolId
    const checks = loadChecks(args.required('checks'), node)
    const everyMs = args.duration('every') ?? EVERY_MS
    if (everyMs < 1_000) throw new ServiceError('USAGE', '--every: look once a second at most')
    const config = loadedConfig(args, io)
    const prober = new Prober({
      topology: config.topology,
      source: `/agents/${node}`,
      pool,
      node,
      checks,
      rules: config.resilience,
      nowMs: io.nowMs,
      clockMs: () => performance.now(),
    })
    return args.flag('once')
      ? lookOnce(prober, checks, args, io)
      : lookOn(prober, config, everyMs, args, io)
  },
}

async function lookOnce(
  prober: Prober,
  checks: readonly Check[],
  args: Arguments,
  io: Io,
): Promise<0 | 1> {
  const seen = (await prober.round()).map(checkOf)
  const looked = checks.map((check): Looked => {
    const of = seen.find(({ about, service }) => about === check.about && service === check.service)
    return { check, seen: of ?? null }
  })
  if (args.flag('json')) {
    const rows = looked.map(({ check: { about, service, how }, seen: one }) => ({
      about,
      service,
      probe: how.probe,
      state: stateOf(one),
      status: one?.status ?? null,
      latencyMs: one?.latencyMs ?? null,
    }))
    printJson(io, { checks: rows })
  } else {
    const columns = ['node', 'service', 'probe', 'state', 'status', 'latency'].map((title) => ({
      title,
    }))
    const rows = looked.map(({ check: { about, service, how }, seen: one }) => [
      about,
      service,
      how.probe,
      stateOf(one),
      String(one?.status ?? '–'),
      one?.latencyMs == null ? '–' : `${one.latencyMs.toFixed(1)} ms`,
    ])
    io.stdout(table(columns, rows))
  }
  return looked.every(({ seen: one }) => stateOf(one) === 'fine') ? 0 : 1
}

function stateOf(seen: ServiceCheck | null): 'fine' | 'failing' | 'not-seen' {
  if (seen === null) return 'not-seen'
  return isFailing(seen) ? 'failing' : 'fine'
}

/** Rounds overlap where looks hang, so the next one is not late. */
async function lookOn(
  prober: Prober,
  config: Config,
  everyMs: number,
  args: Arguments,
  io: Io,
): Promise<0> {
  const bus = await openBus(config, io)
  const progress = new Progress(io, 'probe')
  const sums = { rounds: 0, looks: 0, failing: 0, unsent: 0 }
  const rounds = new Set<Promise<void>>()
  try {
    while (!io.signal.aborted) {
      const round = lookAndSend(prober, bus, sums, io).finally(() => void rounds.delete(round))
      rounds.add(round)
      await sleep(everyMs, undefined, { signal: io.signal }).catch(() => undefined)
      progress.update(null, textOf(sums))
    }
    await Promise.all(rounds)
  } finally {
    await bus.close()
  }
  progress.done(textOf(sums))
  if (args.flag('json')) printJson(io, sums)
  return 0
}

type Sums = Record<'rounds' | 'looks' | 'failing' | 'unsent', number>

/** What could not be sent is old before it could be sent again: the next round says more. */
async function lookAndSend(prober: Prober, bus: Bus, sums: Sums, io: Io): Promise<void> {
  const outputs = await prober.round()
  sums.rounds++
  sums.looks += outputs.length
  sums.failing += outputs.filter((output) => isFailing(checkOf(output))).length
  try {
    if (outputs.length > 0) await bus.produce(outputs)
  } catch (error) {
    if (!isServiceError(error)) throw error
    sums.unsent += outputs.length
    io.stderr(`foreshock: ${outputs.length} looks were not sent: ${error.message}\n`)
  }
}

function textOf({ rounds, looks, failing, unsent }: Sums): string {
  const lost = unsent === 0 ? '' : `, ${unsent} not sent`
  return `${rounds} rounds, ${looks} looks, ${failing} of them failing${lost}`
}

function checkOf({ value }: Output): ServiceCheck {
  return JSON.parse(typeof value === 'string' ? value : toText(value!)) as ServiceCheck
}
