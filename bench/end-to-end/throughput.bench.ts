/**
 * Telemetry in, commands out, on a real broker: how fast a backlog is drained, exactly once, through
 * the public path (telemetry, ingest, node-log, watcher with inference, pool-log, coordinator) and
 * from producers that write the node-log directly.
 *
 * Rivals: the same two transactional hops with nothing done in between, and what a Python team would
 * run instead, as people write it and tuned. Theirs does less: no second log, no state that outlives
 * the process, no predictions published, 144 features where ours has more. All drains of a round read
 * the same samples, and those of the public path the same records.
 */
import type { NodeClass } from '../../src/core/node.ts'
import { kafkaBrokers } from '../../test/support/kafka.ts'
import { type Bench, type BenchRow, missingRow, ratioRow } from '../bench.ts'
import { type BenchDeployment, createDeployment, serverClass } from './deployment.ts'
import { type Backlog, drainThroughCopiers, drainThroughService, writeBacklog } from './drain.ts'
import { drainThroughPython, preparePython, type PythonRival } from './python.ts'

/** Ten minutes of a fleet. */
const FULL: Backlog = { nodeCount: 100_000, rounds: 60 }
const QUICK: Backlog = { nodeCount: 20_000, rounds: 20 }
/** One message a sample; a share of the samples is enough for a rate. */
const JSON_SHARE = 0.1

const PUBLIC = 'backlog drained, Arrow batches of 1,000, public path'
const DIRECT = 'backlog drained, producers write the node-log directly'
const NOTHING = { what: PUBLIC, ours: 'public', rival: 'nothing', reach: 0.7 }
const AGAINST_NOTHING = 'two transactional hops that do nothing'
/** Rows against Python. */
const PYTHON_ROWS = [
  { what: PUBLIC, ours: 'public', rival: 'usual', reach: 5 },
  { what: PUBLIC, ours: 'public', rival: 'tuned', reach: 1.3 },
  { what: DIRECT, ours: 'direct', rival: 'tuned', reach: 3 },
] as const

export const bench: Bench = {
  name: 'pipeline on Kafka',
  async run({ quick, log }) {
    const brokers = await kafkaBrokers()
    const nodeClass = serverClass()
    const python: PythonRival =
      brokers === null ? { missing: 'no Kafka broker' } : preparePython(nodeClass, log)
    const against = {
      usual: 'Python as people write it: JSON, LightGBM',
      tuned: `Python tuned: Arrow, ${'engine' in python ? python.engine : 'lleaves'}, two processes`,
    }
    const missing = (why: string) =>
      PYTHON_ROWS.map(({ what, rival, reach }) => missingRow(what, against[rival], reach, why))
    if (brokers === null) {
      const why = 'no Kafka broker'
      return [missingRow(PUBLIC, AGAINST_NOTHING, NOTHING.reach, why), ...missing(why)]
    }
    const backlog = quick ? QUICK : FULL
    const times: Record<string, number[]> = {}
    for (let round = 0; round < (quick ? 2 : 3); round++) {
      await drainInTurns({ brokers, nodeClass, backlog, python, round, log }, (name, ms) => {
        ;(times[name] ??= []).push(ms)
        const rate = (backlog.nodeCount * backlog.rounds) / ms
        log(`  ${name}: ${Math.round(rate)} k samples/s`)
      })
    }
    const samples = backlog.nodeCount * backlog.rounds
    const row = (
      rivalName: string,
      { what, ...each }: typeof NOTHING | (typeof PYTHON_ROWS)[number],
    ): BenchRow =>
      ratioRow(what, rivalName, times, each, {
        samples,
        oursSamplesPerSecond: best(samples, times[each.ours]),
        rivalSamplesPerSecond: best(samples, times[each.rival]),
      })
    return [
      row(AGAINST_NOTHING, NOTHING),
      ...('missing' in python
        ? missing(python.missing)
        : PYTHON_ROWS.map((each) => row(against[each.rival], each))),
    ]
  },
}

function best(samples: number, times: readonly number[]): number {
  return Math.round((samples * 1_000) / Math.min(...times))
}

interface Turn {
  readonly brokers: readonly string[]
  readonly nodeClass: NodeClass
  readonly backlog: Backlog
  readonly python: PythonRival
  readonly round: number
  readonly log: (text: string) => void
}

/** Each candidate once, in an order that changes from round to round. */
async function drainInTurns(
  turn: Turn,
  drained: (name: string, elapsedMs: number) => void,
): Promise<void> {
  const { brokers, backlog, python, round, log } = turn
  const samples = backlog.nodeCount * backlog.rounds
  const open = await createDeployment(brokers, 'bench-drain')
  const direct = await createDeployment(brokers, 'bench-direct')
  try {
    await writeBacklog(open, backlog)
    await writeBacklog(direct, { ...backlog, path: 'direct' })
    const candidates: Record<string, () => Promise<number>> = {
      nothing: () => drainThroughCopiers(open, samples),
      public: async () => {
        const { elapsedMs, totals } = await drainThroughService(open, samples)
        log(`  ${totals['predictionCount']} predictions of ${samples} samples`)
        return elapsedMs
      },
      direct: async () => (await drainThroughService(direct, samples, 'direct')).elapsedMs,
    }
    if ('model' in python) {
      const common = { model: python.model, nodeCount: backlog.nodeCount }
      candidates['tuned'] = () =>
        drainThroughPython(open, {
          ...common,
          format: 'arrow',
          way: 'tuned',
          processes: 2,
          samples,
        })
      candidates['usual'] = () => drainUsual(turn, python.model)
    }
    const names = Object.keys(candidates)
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]
      drained(name, await candidates[name]())
    }
  } finally {
    await open.close()
    await direct.close()
  }
}

/** As long as all of the samples would take, from a share of them. */
async function drainUsual({ brokers, backlog }: Turn, model: string): Promise<number> {
  const { nodeCount, rounds } = backlog
  const share = Math.max(1, Math.round(rounds * JSON_SHARE))
  const deployment: BenchDeployment = await createDeployment(brokers, 'bench-json')
  try {
    const samples = await writeBacklog(deployment, { nodeCount, rounds: share, format: 'json' })
    const run = { model, nodeCount, format: 'json', way: 'usual', processes: 1, samples } as const
    return ((await drainThroughPython(deployment, run)) * rounds) / share
  } finally {
    await deployment.close()
  }
}
