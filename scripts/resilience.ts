/**
 * `npm run resilience [-- --seeds 1002] [-- --seed FIRST] [-- --json]`: the reach table, measured in simulated
 * worlds, as many of each scenario, each with a seed of its own. Seeds are drawn fresh at every run and printed; a
 * seed that breaks a promise is printed with the command that replays it. A row that cannot be measured yet says so,
 * and is not reached.
 */
import { randomInt } from 'node:crypto'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { Io } from '../src/commands/command.ts'
import { measuredRepairHours } from '../src/commands/measured-times.ts'
import { loadKernel } from '../src/commands/package.ts'
import { Progress } from '../src/commands/progress.ts'
import { atLeast, atMost, figure, printScoreboard } from '../src/commands/scoreboard.ts'
import { readFaults } from '../src/commands/simulate.ts'
import { runWorlds } from '../src/commands/world-pool.ts'
import { HOUR_MS } from '../src/core/time.ts'
import { judgeBallots } from '../src/simulate/ballot-world.ts'
import { judgeChooser } from '../src/simulate/chooser-world.ts'
import { type Measures, sumOf } from '../src/simulate/measures.ts'
import { type Outcome, simulate } from '../src/simulate/outcome.ts'
import { seePartition } from '../src/simulate/partition-world.ts'
import { optionsOf } from './options.ts'

const ROOT = join(import.meta.dirname, '..')
const SCENARIOS = ['default', 'detection', 'heavy', 'wave', 'calm', 'standby'] as const
type Scenario = (typeof SCENARIOS)[number]
const SEEDS_MAX = 2 ** 31
const CHOOSER_WORLDS = 40
const BALLOT_WORLDS = 500
const SPEED_NODES = 5_000
const SPEED_HOURS = 12
const SPEED_HEARTBEAT_MS = 60_000
const PARTITION_NODES = 10_000
/** Of which the median counts. */
const PARTITION_ROUNDS = 3

interface Sum {
  readonly runs: number
  readonly nodeHours: number
  readonly brokenRuns: number
  readonly harmedOfBudget: number
  readonly measures: Measures | null
}

const options = optionsOf({
  seeds: { type: 'string', default: '1002' },
  seed: { type: 'string' },
  nodes: { type: 'string', default: '60' },
  hours: { type: 'string', default: '0.5' },
  json: { type: 'boolean', default: false },
})
const seedCount = wholeNumber('seeds', options.seeds)
const nodeCount = wholeNumber('nodes', options.nodes)
const hours = Number(options.hours)
const first =
  options.seed === undefined
    ? randomInt(SEEDS_MAX - seedCount)
    : wholeNumber('seed', options.seed, 0)
const log = (text: string) => void process.stderr.write(`${text}\n`)
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort())
const { signal } = interrupted
const io: Io = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  isTTY: process.stderr.isTTY,
  env: {},
  signal,
  nowMs: Date.now,
}

const data = process.env['FORESHOCK_DATA']
const repairHours = measuredRepairHours(data)
log(`seeds ${first} to ${first + seedCount - 1}, ${nodeCount} nodes, ${hours} h of faults each`)
log(
  repairHours === null ? 'repair times: those of the faults files' : 'repair times: FORESHOCK_DATA',
)
const kernel = await loadKernel()
const sums = await liveThrough()
process.exitCode = await tell()

function wholeNumber(name: string, text: string, least = 1): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least) return value
  log(`--${name}: "${text}" is no whole number from ${least} on`)
  return process.exit(2)
}

async function liveThrough(): Promise<ReadonlyMap<Scenario, Sum>> {
  const nothing = { runs: 0, nodeHours: 0, brokenRuns: 0, harmedOfBudget: 0, measures: null }
  const totals = new Map<Scenario, Sum>(SCENARIOS.map((scenario) => [scenario, nothing]))
  const scenarioOf = (index: number) => SCENARIOS[index % SCENARIOS.length]
  const faultsOf = new Map(SCENARIOS.map((scenario) => [scenario, faultsNamed(scenario)]))
  const world = {
    nodeCount,
    lengthMs: hours * HOUR_MS,
    ...(repairHours === null ? {} : { repairHours }),
  }
  const jobs = Array.from({ length: seedCount }, (_, i) => {
    return { ...world, seed: first + i, faults: faultsOf.get(scenarioOf(i))! }
  })
  const progress = new Progress(io, 'worlds')
  let [done, broken] = [0, 0]
  const remark = () => `${done} of ${jobs.length}, ${broken} broke a promise`
  await runWorlds(jobs, signal, (index, outcome) => {
    const scenario = scenarioOf(index)
    done++
    if (outcome.violations.length > 0) broken++
    report(scenario, outcome)
    totals.set(scenario, added(totals.get(scenario)!, outcome))
    progress.update(done / jobs.length, remark())
  })
  progress.done(remark())
  return totals
}

function faultsNamed(name: string) {
  return readFaults(join(ROOT, 'faults', `${name}.toml`))
}

function report(scenario: Scenario, { seed, violations }: Outcome): void {
  if (violations.length === 0) return
  const [{ atMs, what }] = violations
  log(`seed ${seed} (${scenario}) at ${atMs} ms: ${what}`)
  const file = `faults/${scenario}.toml`
  const env = repairHours === null ? '' : `FORESHOCK_DATA=${data} `
  const size = `--nodes ${nodeCount} --hours ${hours}`
  log(`  ${env}foreshock simulate --seed ${seed} ${size} --faults ${file}`)
}

function added(sum: Sum, { nodeHours, violations, harmedOfBudget, measures }: Outcome): Sum {
  return {
    runs: sum.runs + 1,
    nodeHours: sum.nodeHours + nodeHours,
    brokenRuns: sum.brokenRuns + (violations.length > 0 ? 1 : 0),
    harmedOfBudget: Math.max(sum.harmedOfBudget, harmedOfBudget),
    measures: sum.measures === null ? measures : sumOf(sum.measures, measures),
  }
}

async function tell(): Promise<number> {
  const worlds = [
    ...detectionRows(of('detection')),
    ...recoveryRows(of('heavy')),
    ...availabilityRows(of('heavy')),
    ...harmRows(),
    ...promiseRows(),
    ...classificationRows(of('detection')),
    ...standbyRows(of('standby')),
  ]
  // What was asked for is not whole, but what there is is told.
  if (signal.aborted) return Math.max(1, printScoreboard(io, worlds, options.json))
  const rows = [
    ...worlds,
    ...chooserRows(),
    await partitionRow(),
    ...ballotRows(),
    await speedRow(),
  ]
  return printScoreboard(io, rows, options.json)
}

function of(scenario: Scenario): Measures {
  const { measures } = sums.get(scenario)!
  if (measures !== null) return measures
  log(`${scenario}: no run was finished`)
  return process.exit(1)
}

function detectionRows({ faults, incidentCount, trueIncidentCount }: Measures) {
  const kinds = Object.entries(faults)
  const total = (pick: 'injected' | 'detected' | 'detectable') =>
    kinds.reduce((sum, [, counts]) => sum + counts[pick], 0)
  const recall = ratio(total('detected'), total('injected'))
  const oracle = ratio(total('detectable'), total('injected'))
  return [
    atLeast('detection: precision', ratio(trueIncidentCount, incidentCount), 0.95, 'incidents'),
    atLeast('detection: recall', recall, 0.95, `oracle ${oracle?.toFixed(3) ?? 'none'}`),
    atLeast('detection: recall of the oracle', ratio(recall ?? 0, oracle ?? 0), 0.97),
    ...kinds.map(([kind, { injected, detected, detectable }]) =>
      figure(
        `detection: recall of ${kind}`,
        ratio(detected, injected),
        `${injected} faults, oracle ${ratio(detectable, injected)?.toFixed(3) ?? 'none'}`,
      ),
    ),
  ]
}

/** Of faults whose cause nothing in the world shows, a silence is all that can be told. */
function classificationRows({ faults, kindCount, trueKindCount }: Measures) {
  const kinds = Object.values(faults)
  const total = (pick: 'detected' | 'classified' | 'shown' | 'shownClassified') =>
    kinds.reduce((sum, counts) => sum + counts[pick], 0)
  const shown = `${total('shown')} faults whose cause shows`
  const all = `${total('detected')} faults: silences of no known cause are told as such`
  return [
    atLeast('classification of kind', ratio(total('shownClassified'), total('shown')), 0.95, shown),
    figure(
      'classification of kind, all that was detected',
      ratio(total('classified'), total('detected')),
      all,
    ),
    atLeast(
      'classification: kinds told that were true',
      ratio(trueKindCount, kindCount),
      0.95,
      `${kindCount} kinds`,
    ),
  ]
}

/** Through the coordinator's fold, on this machine. */
async function partitionRow() {
  const times: number[] = []
  let lasted = ''
  for (let round = 0; round < PARTITION_ROUNDS; round++) {
    const seen = await seePartition(kernel, PARTITION_NODES, () => performance.now())
    times.push(seen.seenMs / 1_000)
    lasted = `${seen.stableForMs / 1_000} s of log time`
  }
  times.sort((a, b) => a - b)
  const what = 'network partition of 10,000 nodes seen, s'
  const against = `last report in, incident out; beside it must last ${lasted} (${machine()})`
  return atMost(what, times[(PARTITION_ROUNDS - 1) / 2], 1, against)
}

/**
 * A large fleet in a life as it was measured, all of it in one partition of each log; processor time, because
 * others may use the machine.
 */
async function speedRow() {
  const began = process.cpuUsage()
  const outcome = await simulate({
    seed: first,
    nodeCount: SPEED_NODES,
    lengthMs: SPEED_HOURS * HOUR_MS,
    heartbeatIntervalMs: SPEED_HEARTBEAT_MS,
    partitions: 1,
    faults: faultsNamed('measured'),
    kernel,
  })
  const { user, system } = process.cpuUsage(began)
  const rate = ((outcome?.nodeHours ?? 0) * 1e6) / (user + system)
  const fleet = `${SPEED_NODES} nodes, ${SPEED_HOURS} h, one partition, a sample each in ${SPEED_HEARTBEAT_MS / 1_000} s, ${machine()}`
  return atLeast('simulated node-hours a second of one core', rate, 1_000, fleet)
}

function machine(): string {
  return cpus()[0]?.model.trim() ?? 'unknown'
}

function recoveryRows(measures: Measures) {
  const { outageCount, recoveredCount, roomlessCount, timedCount } = measures
  const { recoveryMs, detectionMs, executorMs } = measures
  const mean = (ms: number) => (timedCount === 0 ? null : ms / timedCount / 1_000)
  const ownMs = recoveryMs - executorMs
  return [
    atLeast('recovery success', ratio(recoveredCount, outageCount), 0.98, `${outageCount} outages`),
    figure(
      'of those that had room',
      ratio(recoveredCount, outageCount - roomlessCount),
      `${roomlessCount} of ${outageCount - recoveredCount} others fitted nowhere, wherever other work had been`,
    ),
    atMost('mean time to recovery, s', mean(recoveryMs), 30, 'fault to verified'),
    atMost('own overhead, s', mean(ownMs), 2, 'all but executors, detection included'),
    figure(
      'of it detection, s',
      mean(detectionMs),
      'three heartbeats of 5 s are missed; of a foretold failure too, until the silence is told',
    ),
    atMost('of it after detection, s', mean(ownMs - detectionMs), 2),
    figure('executors, s', mean(executorMs), 'fence, move, verify, also of what it depends on'),
  ]
}

function standbyRows(measures: Measures) {
  const { standbyCount, standbyMs, standbyExecutorMs, standbyInTimeCount } = measures
  const mean = (ms: number) => (standbyCount === 0 ? null : ms / standbyCount / 1_000)
  const of = `detection to verified, ${standbyCount} promotions`
  return [
    atMost('hot standby, s', mean(standbyMs), 5, of),
    figure('of it executors, s', mean(standbyExecutorMs), 'fence, promote, verify'),
    figure('hot standbys within 5 s', ratio(standbyInTimeCount, standbyCount)),
  ]
}

function availabilityRows({ workloadMs, downMs, oracleDownMs }: Measures) {
  const kept = ratio(workloadMs - downMs, workloadMs)
  const oracle = ratio(workloadMs - oracleDownMs, workloadMs)
  const of = `oracle keeps ${oracle?.toFixed(6) ?? 'none'}`
  return [
    atLeast('availability of what an oracle keeps', ratio(kept ?? 0, oracle ?? 0), 0.9999, of),
  ]
}

function harmRows() {
  const { falseMigrationCount } = of('calm')
  const nodeDays = sums.get('calm')!.nodeHours / 24
  const rate = (1_000 * falseMigrationCount) / nodeDays
  const days = `${nodeDays.toFixed(0)} node-days of noise, the model's own mistakes apart`
  const { harmedOfBudget } = sums.get('wave')!
  return [
    atMost('false migrations per 1,000 node-days', rate, 1, days),
    atMost(
      'healthy nodes harmed in a wave of 50 %, of the budget',
      harmedOfBudget,
      1,
      'worst pool',
    ),
  ]
}

function promiseRows() {
  return SCENARIOS.map((scenario) => {
    const { runs, brokenRuns } = sums.get(scenario)!
    return atMost(`runs of ${scenario} that broke a promise`, brokenRuns, 0, `${runs} seeds`)
  })
}

/** The chooser alone, in worlds that are drawn for it. */
function chooserRows() {
  const seeds = Array.from({ length: CHOOSER_WORLDS }, (_, i) => first + i)
  const figures = judgeChooser(seeds, 1_000)
  const worlds = `1,000 incidents in each of ${CHOOSER_WORLDS} worlds`
  const of = 'from 50 incidents on, worst world'
  return [
    atLeast('chooser: less cost than the best fixed strategy', figures.savedRatio, 0.2, worlds),
    figure('of it by one who knows every true cost', figures.savedMostRatio),
    figure('of it in the world that gained least', figures.savedLeastRatio),
    atMost('chooser: more cost on the way', figures.worseInOneRatio, 0.05, of),
    figure('of it in all worlds together', figures.worseRatio),
  ]
}

/** Votes alone: every world has an adversary of a third, or the largest number of nodes under it. */
function ballotRows() {
  const seeds = Array.from({ length: BALLOT_WORLDS }, (_, i) => first + i)
  const { brokenCount, first: broken, forgedCount } = judgeBallots(seeds, { kernel })
  if (broken !== '') log(`votes, ${broken}`)
  const of = `${BALLOT_WORLDS} worlds, ${forgedCount} forged votes, beside repeated, late and minted ones`
  return [atMost('byzantine ≤ 1/3, forged votes: promises broken', brokenCount, 0, of)]
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}
