/**
 * How long it takes from a sample to the command that follows from it, on a real broker: nodes send
 * one sample each ten seconds, a few fall ill, and the time from just before the ill sample is
 * produced until the command can be read is taken by the same reader for us and for the rival.
 *
 * The service shares its process with fleet and reader, so their load is in our figures; the rival,
 * the tuned Python pipeline, has a process of its own.
 */
import { BENCH_POLICY } from '../../src/commands/bench.ts'
import { type LatencyFound, measureLatency } from '../../src/commands/bench-latency.ts'
import { type LoadPath, SAMPLE_INTERVAL_MS } from '../../src/commands/bench-load.ts'
import { assert } from '../../src/core/errors.ts'
import { untilReady } from '../../src/pipeline/service.ts'
import { kafkaBrokers } from '../../test/support/kafka.ts'
import { median } from '../../training/alerts.ts'
import { type Bench, type BenchRow, missingRow } from '../bench.ts'
import { type BenchDeployment, createDeployment, PARTITIONS, serverClass } from './deployment.ts'
import { preparePython, type PythonRival, startPython } from './python.ts'

const FOR_MS = { full: 60_000, quick: 10_000 }
/** At a million nodes; the p99 of smaller fleets is told and not judged. */
const P99_MS_MAX = 500
const HUNDRED_THOUSAND = 100_000
const MILLION = 1_000_000
const MILLION_PARTITIONS = 8

interface Fleet {
  readonly nodeCount: number
  readonly path: LoadPath
  readonly partitions: number
}

const FLEETS: readonly Fleet[] = [
  { nodeCount: 1_000, path: 'public', partitions: PARTITIONS },
  { nodeCount: HUNDRED_THOUSAND, path: 'public', partitions: PARTITIONS },
  { nodeCount: MILLION, path: 'public', partitions: MILLION_PARTITIONS },
]
/** What is compared: one hop against one hop. */
const DIRECT: Fleet = { nodeCount: HUNDRED_THOUSAND, path: 'direct', partitions: PARTITIONS }
const WHAT = 'p99 from sample to command, 100,000 nodes, direct path'
const RIVAL = 'Python tuned, one process'

export const bench: Bench = {
  name: 'detection latency',
  async run({ quick, log }) {
    const brokers = await kafkaBrokers()
    if (brokers === null) return [missingRow(WHAT, RIVAL, 1, 'no Kafka broker')]
    const forMs = quick ? FOR_MS.quick : FOR_MS.full
    const measured = async (fleet: Fleet, start: (deployment: BenchDeployment) => Promise<End>) => {
      const found = await measuredFleet(brokers, fleet, forMs, start)
      const delays = `p50 ${told(found, 0.5)}, p99 ${told(found, 0.99)} ms`
      log(`  ${fleet.nodeCount} nodes, ${fleet.path} path: ${delays}`)
      return found
    }
    const rows: BenchRow[] = []
    for (const fleet of FLEETS) {
      if (quick && fleet.nodeCount === MILLION) continue
      try {
        rows.push(...figures(fleet, await measured(fleet, startService)))
      } catch (error) {
        // One fleet that is too large for the machine must not hide what the others gave.
        log(error instanceof Error ? (error.stack ?? error.message) : String(error))
        rows.push(failed(fleet))
      }
    }
    const python = preparePython(serverClass(), log)
    if ('missing' in python) {
      rows.push(...figures(DIRECT, await measured(DIRECT, startService)))
      return [...rows, missingRow(WHAT, RIVAL, 1, python.missing)]
    }
    const [ours, theirs]: [LatencyFound[], LatencyFound[]] = [[], []]
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      ours.push(await measured(DIRECT, startService))
      theirs.push(
        await measured({ ...DIRECT, path: 'public' }, (deployment) =>
          startRival(deployment, python),
        ),
      )
    }
    return [...rows, ...figures(DIRECT, pooled(ours)), ratio(ours, theirs)]
  },
}

/** Ends what was started. */
type End = () => Promise<unknown>

async function measuredFleet(
  brokers: readonly string[],
  { nodeCount, path, partitions }: Fleet,
  forMs: number,
  start: (deployment: BenchDeployment) => Promise<End>,
): Promise<LatencyFound> {
  const deployment = await createDeployment(brokers, 'bench-latency', partitions)
  try {
    const end = await start(deployment)
    const { bus, topology, nodeClass } = deployment
    const found = await measureLatency({
      bus,
      topology,
      nodeClass,
      nodeCount,
      path,
      rate: (nodeCount * 1_000) / SAMPLE_INTERVAL_MS,
      forMs,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    })
    await end()
    assert(found.latenciesMs.length > 0, `no command came for any of ${found.illCount} ill nodes`)
    return found
  } finally {
    await deployment.close()
  }
}

async function startService(deployment: BenchDeployment): Promise<End> {
  const troubles: unknown[] = []
  const trouble = (_role: string, _partition: number, error: unknown) => void troubles.push(error)
  const { service, options } = await deployment.start(
    { trouble, bug: trouble },
    { policy: BENCH_POLICY },
  )
  await untilReady(service, options, new AbortController().signal)
  return async () => {
    if (troubles.length > 0) throw troubles[0]
    await service.stop()
  }
}

async function startRival(
  deployment: BenchDeployment,
  python: Extract<PythonRival, { readonly model: string }>,
): Promise<End> {
  const processes = await startPython(deployment, {
    model: python.model,
    format: 'arrow',
    way: 'tuned',
    processes: 1,
    samples: 0,
    nodeCount: HUNDRED_THOUSAND,
  })
  return async () => {
    try {
      await processes.ended()
    } finally {
      processes.kill()
    }
  }
}

function titleOf({ nodeCount, path }: Fleet): string {
  return `from sample to command, ms, ${nodeCount.toLocaleString('en-US')} nodes, ${path} path`
}

function failed(fleet: Fleet): BenchRow {
  return { what: `p99 ${titleOf(fleet)}`, against: null, value: 'failed', reach: null, ok: false }
}

function figures(fleet: Fleet, found: LatencyFound): readonly BenchRow[] {
  const { nodeCount } = fleet
  const { illCount, latenciesMs, otherCount, lateMsMax } = found
  const details = {
    illCount,
    unansweredCount: illCount - latenciesMs.length,
    otherCount,
    fleetLateMsMax: Math.round(lateMsMax),
    worstMs: Math.round(latenciesMs.at(-1) ?? 0),
  }
  const row = (name: string, value: number): BenchRow => {
    return {
      what: `${name} ${titleOf(fleet)}`,
      against: null,
      value,
      reach: null,
      ok: true,
      figures: details,
    }
  }
  const p99 = row('p99', told(found, 0.99))
  if (nodeCount < MILLION) return [row('p50', told(found, 0.5)), p99]
  const ok = told(found, 0.99) < P99_MS_MAX
  return [row('p50', told(found, 0.5)), { ...p99, reach: `< ${P99_MS_MAX}`, ok }]
}

/** How many times longer the rival takes; all that it measured of each round is in the figures. */
function ratio(ours: readonly LatencyFound[], theirs: readonly LatencyFound[]): BenchRow {
  const ratios = ours.map((found, round) => told(theirs[round], 0.99) / told(found, 0.99))
  const value = median(ratios)
  const [all, rival] = [pooled(ours), pooled(theirs)]
  return {
    what: WHAT,
    against: RIVAL,
    value,
    reach: 1,
    ok: value !== null && value >= 1,
    spread: [Math.min(...ratios), Math.max(...ratios)],
    figures: {
      oursMsP50: told(all, 0.5),
      oursMsP99: told(all, 0.99),
      rivalMsP50: told(rival, 0.5),
      rivalMsP99: told(rival, 0.99),
      rivalUnansweredCount: rival.illCount - rival.latenciesMs.length,
      rivalOtherCount: rival.otherCount,
    },
  }
}

function pooled(rounds: readonly LatencyFound[]): LatencyFound {
  const sum = (pick: (found: LatencyFound) => number) =>
    rounds.reduce((total, found) => total + pick(found), 0)
  return {
    samples: sum(({ samples }) => samples),
    illCount: sum(({ illCount }) => illCount),
    otherCount: sum(({ otherCount }) => otherCount),
    latenciesMs: rounds.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b),
    lateMsMax: Math.max(...rounds.map(({ lateMsMax }) => lateMsMax)),
  }
}

/** A quantile of the delays in whole ms; what was never answered took for ever. */
function told({ illCount, latenciesMs }: LatencyFound, quantile: number): number {
  return Math.round(latenciesMs[Math.floor(quantile * illCount)] ?? Infinity)
}
