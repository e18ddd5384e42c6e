/**
 * Telemetry in, commands out, on a real broker: how fast a backlog is drained through the public path
 * (telemetry, ingest, node-log, watcher with inference, pool-log, coordinator), exactly once.
 *
 * Rivals: the same two transactional hops with nothing done in between, and what a Python team would
 * run instead, as people write it and tuned. Theirs does less: no second log, no state that outlives
 * the process, no predictions published. Every drain gets the same samples in topics of its own.
 */
import { packagedNodeClasses } from '../../src/commands/package.ts'
import { loadNodeClasses } from '../../src/config/node-classes.ts'
import { kafkaBrokers } from '../../test/support/kafka.ts'
import { type Bench, type BenchRow, missingRow, ratioRow } from '../bench.ts'
import { type BenchDeployment, createDeployment } from './deployment.ts'
import { type Backlog, drainThroughCopiers, drainThroughService, writeBacklog } from './drain.ts'
import { drainThroughPython, preparePython, type PythonRun } from './python.ts'

const REACH = { nothing: 0.7, usual: 5, tuned: 1.3 }
const WHAT = 'backlog drained, Arrow batches of 1,000, public path'
const AGAINST = {
  nothing: 'two transactional hops that do nothing',
  usual: 'Python as people write it: JSON, LightGBM',
  tuned: 'Python tuned: Arrow, LightGBM, two processes',
}
const FULL: Backlog = { nodeCount: 20_000, rounds: 20 }
const QUICK: Backlog = { nodeCount: 8_000, rounds: 10 }
/** One message a sample; a share of the samples is enough for a rate. */
const JSON_SHARE = 0.1

export const bench: Bench = {
  name: 'pipeline on Kafka',
  async run({ quick, log }) {
    const brokers = await kafkaBrokers()
    if (brokers === null) return missing('no Kafka broker', ['nothing', 'usual', 'tuned'])
    const backlog = quick ? QUICK : FULL
    const metrics = metricNames()
    const python = preparePython(metrics)
    const times: Record<string, number[]> = { ours: [], nothing: [], usual: [], tuned: [] }
    const samples = backlog.nodeCount * backlog.rounds
    for (let round = 0; round < (quick ? 2 : 3); round++) {
      times.nothing.push(await drained(brokers, backlog, drainThroughCopiers))
      times.ours.push(
        await drained(brokers, backlog, async (deployment, count) => {
          const { elapsedMs, totals } = await drainThroughService(deployment, count)
          log(
            `  ${Math.round(count / elapsedMs)} k samples/s, ${totals['predictionCount']} predictions`,
          )
          return elapsedMs
        }),
      )
      if ('missing' in python) continue
      const common = { metrics, nodeCount: backlog.nodeCount }
      const tuned: Pick<PythonRun, 'format' | 'way' | 'processes'> = {
        format: 'arrow',
        way: 'tuned',
        processes: 2,
      }
      times.tuned.push(
        await drained(brokers, backlog, (deployment, count) =>
          drainThroughPython(deployment, python.model, { ...common, ...tuned, samples: count }),
        ),
      )
      const usual: Pick<PythonRun, 'format' | 'way' | 'processes'> = {
        format: 'json',
        way: 'usual',
        processes: 1,
      }
      const share = {
        ...backlog,
        rounds: Math.max(1, backlog.rounds * JSON_SHARE),
        format: 'json' as const,
      }
      const usualMs = await drained(brokers, share, (deployment, count) =>
        drainThroughPython(deployment, python.model, { ...common, ...usual, samples: count }),
      )
      times.usual.push((usualMs * backlog.rounds) / share.rounds)
    }
    const row = (rival: keyof typeof REACH) =>
      ratioRow(
        WHAT,
        AGAINST[rival],
        times,
        { ours: 'ours', rival, reach: REACH[rival] },
        { samples },
      )
    return 'missing' in python
      ? [row('nothing'), ...missing(python.missing, ['usual', 'tuned'])]
      : [row('nothing'), row('usual'), row('tuned')]
  },
}

function metricNames(): readonly string[] {
  return loadNodeClasses(packagedNodeClasses())
    .get('server')!
    .metrics.map(({ name }) => name)
}

function missing(why: string, rivals: readonly (keyof typeof REACH)[]): readonly BenchRow[] {
  return rivals.map((rival) => missingRow(WHAT, AGAINST[rival], REACH[rival], why))
}

async function drained(
  brokers: readonly string[],
  backlog: Backlog,
  drain: (deployment: BenchDeployment, samples: number) => Promise<number>,
): Promise<number> {
  const deployment = await createDeployment(brokers, 'bench-drain')
  try {
    return await drain(deployment, await writeBacklog(deployment, backlog))
  } finally {
    await deployment.close()
  }
}
