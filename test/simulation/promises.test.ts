// Goal: the simulated world keeps every promise, and would notice if one were broken.
// Method: runs of the whole service with fresh seeds; then the same with one rail or mechanism taken
// away, in a world that leans on it, where a run must fail.
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { join } from 'node:path'
import { packageRoot } from '../../src/commands/package.ts'
import { readFaults } from '../../src/commands/simulate.ts'
import type { Output } from '../../src/core/bus.ts'
import type { Rail } from '../../src/core/command.ts'
import { DEFAULT_PROMOTION } from '../../src/core/model-life.ts'
import { DEFAULT_MERGE, type SplitBrainRules } from '../../src/core/split-brain.ts'
import type { VoteRules } from '../../src/core/vote.ts'
import { RAILS } from '../../src/decide/admission.ts'
import type { Faults } from '../../src/simulate/fault-file.ts'
import {
  type Outcome,
  simulate,
  SIMULATED_POLICY,
  type SimulateOptions,
} from '../../src/simulate/outcome.ts'
import { foreshockWasm } from '../support/node-class.ts'
import { textOf } from '../support/output.ts'

const MINUTE_MS = 60_000
const NODES = 30
/** Runs of a world without something before it is said to be missed by nobody. */
const TRIES_MAX = 12
const DEFAULT = readFaults()
const WAVE = join(packageRoot(), 'faults', 'wave.toml')
const kernel = foreshockWasm()

const crashes = {
  ...DEFAULT.crashes!,
  per_node_hour: [2, 2] as [number, number],
  foreseeable: [0.7, 0.7] as [number, number],
}
const wave = {
  per_hour: [30, 30] as [number, number],
  lasts: [MINUTE_MS, 2 * MINUTE_MS] as [number, number],
  nodes: [0.6, 0.6] as [number, number],
}
const often = {
  per_hour: [400, 400] as [number, number],
  lasts: [3 * MINUTE_MS, 6 * MINUTE_MS] as [number, number],
}
const seldom = { ...often, per_hour: [20, 20] as [number, number] }
const executors = DEFAULT.executors!
/** Nothing is heard by a side, or nothing of it, so that the nodes of each say whom they miss. */
const splits = {
  per_hour: [40, 40] as [number, number],
  lasts: [3 * MINUTE_MS, 6 * MINUTE_MS] as [number, number],
  nodes: [0.5, 0.5] as [number, number],
  one_way: 1,
}
/** In a world in which nobody votes. */
const VOTES: VoteRules = {
  quorumRatio: 0.5,
  deadlineMs: MINUTE_MS,
  validMs: 10 * MINUTE_MS,
  ageMinMs: 0,
  trustMinRatio: 0,
  electorsMin: 3,
  zoneWeightMaxRatio: 1,
  fenceNodesMax: 1,
  zoneFailover: false,
  regionFailover: false,
  emergency: false,
}
/** Whatever the sides are, none of them goes on. */
const NO_SIDE: SplitBrainRules = {
  policy: 'down-all',
  stableAfterMs: 5_000,
  quorumNodes: null,
  leaseWaitMs: 10_000,
  minority: 'pause',
  resumeEveryMs: 10_000,
  merge: DEFAULT_MERGE,
}
/** Ingest hangs: watchers lose sight of all nodes, and coordinators go on. */
const stalls = {
  ...DEFAULT.service!,
  kills_per_hour: [0, 0] as [number, number],
  killed_after_command: [0, 0] as [number, number],
  expired_per_hour: [0, 0] as [number, number],
  group_rebalances_per_hour: [0, 0] as [number, number],
  stalls_per_hour: [60, 60] as [number, number],
}

async function run(options: Partial<SimulateOptions> & { readonly seed: number }) {
  const common = { nodeCount: NODES, lengthMs: 12 * MINUTE_MS, faults: DEFAULT, kernel }
  return (await simulate({ ...common, ...options }))!
}

function told({ seed, violations }: Outcome): string {
  return violations.map(({ atMs, what }) => `seed ${seed} at ${atMs} ms: ${what}`).join('\n')
}

test('a fresh seed keeps every promise', { timeout: 240_000 }, async () => {
  for (let i = 0; i < 3; i++) {
    const seed = randomInt(2 ** 31)
    const replay = `foreshock simulate --seed ${seed} --nodes ${NODES} --hours 0.2`
    expect(told(await run({ seed })), replay).toBe('')
  }
})

// Restarts are commands like others: lost, late, repeated and lied about, beside fences and moves.
const WORLDS_MAX = 12

test('a pool that learns keeps every promise, and restarts', { timeout: 240_000 }, async () => {
  const chooser = { exploreMinRatio: 0.5, exploreMaxRatio: 0.5 }
  let restartCount = 0
  // Three worlds at least, and more where chance has drawn nothing that a restart would answer.
  for (let i = 0; i < 3 || (restartCount === 0 && i < WORLDS_MAX); i++) {
    const seed = randomInt(2 ** 31)
    const outcome = await run({ seed, policy: { ...SIMULATED_POLICY, chooser } })
    expect(told(outcome), `seed ${seed}`).toBe('')
    restartCount += outcome.counts['restart commands'] ?? 0
  }
  expect(restartCount).toBeGreaterThan(0)
})

test('one seed gives one journal, byte for byte', { timeout: 240_000 }, async () => {
  const faults = { ...DEFAULT, crashes }
  const [first, second] = [await run({ seed: 11, faults }), await run({ seed: 11, faults })]
  expect(first.counts['fence commands']).toBeGreaterThan(0)
  expect(second).toEqual(first)
  expect((await run({ seed: 12, faults })).journalHash).not.toBe(first.journalHash)
})

/** One row a rail: a world that leans on it, and what is missed in it without the rail. */
interface LeansOn {
  readonly rail: Rail
  readonly faults: Faults
  readonly options?: Partial<SimulateOptions>
  /** What is counted with the rail alone; absent: without it a promise is broken. */
  readonly misses?: string
}

const LEANS_ON: readonly LeansOn[] = [
  { rail: 'stop', faults: { crashes, operators: { stops: seldom } } },
  { rail: 'mode', faults: { crashes, operators: { observes: seldom } } },
  { rail: 'veto', faults: { crashes, operators: { vetoes: often } } },
  { rail: 'maintenance', faults: { crashes, operators: { maintenances: often } } },
  { rail: 'observer', faults: { crashes, service: stalls } },
  {
    // More than a third of a pool is down at times, while others are expected to fail.
    rail: 'emergency',
    faults: {
      crashes: { ...crashes, per_node_hour: [10, 10], foreseeable: [0.9, 0.9], acceleration: 5 },
    },
  },
  { rail: 'shared-cause', faults: { false_wave: wave } },
  { rail: 'attempts', faults: { crashes, executors: { ...executors, failing: [1, 1] } } },
  {
    rail: 'cooldown',
    faults: { false_wave: { ...wave, nodes: [0.15, 0.15], per_hour: [60, 60] } },
  },
  {
    rail: 'budget',
    faults: { zone_loss: { per_hour: [12, 12], lasts: [4 * MINUTE_MS, 5 * MINUTE_MS] } },
  },
  {
    rail: 'capacity',
    faults: { crashes: { ...crashes, per_node_hour: [12, 12], acceleration: 5 } },
  },
  {
    rail: 'in-flight',
    faults: {
      crashes: { ...crashes, per_node_hour: [10, 10], foreseeable: [0.9, 0.9] },
      executors: { ...executors, move: { p50: 100_000, p99: 200_000 } },
    },
  },
  {
    rail: 'hold-out',
    // Few nodes carry no work that is urgent, and only those are held out.
    faults: { false_wave: { ...wave, nodes: [0.1, 0.1], per_hour: [60, 60] } },
    options: {
      nodeCount: 150,
      promotion: { ...DEFAULT_PROMOTION, holdOutRatio: 0.2, holdOutsPerDay: 1_000 },
    },
    misses: 'refused by hold-out',
  },
  {
    rail: 'votes',
    faults: { crashes: { ...crashes, per_node_hour: [6, 6], foreseeable: [0.2, 0.2] } },
    options: { policy: { ...SIMULATED_POLICY, budgetRatio: 0.5, votes: VOTES } },
  },
  {
    rail: 'no-quorum',
    faults: {
      crashes: { ...crashes, per_node_hour: [8, 8], foreseeable: [0.5, 0.5] },
      network_partitions: splits,
      ...(DEFAULT.witnesses === undefined ? {} : { witnesses: DEFAULT.witnesses }),
    },
    options: { policy: { ...SIMULATED_POLICY, budgetRatio: 0.5, splitBrain: NO_SIDE } },
  },
  {
    // Nothing is sent without an alarm: its incident is closed in the moment in which it is cleared. But
    // what is seen for the first time, and why nothing is done yet, is told by this rail alone.
    rail: 'hysteresis',
    faults: { crashes },
    options: { policy: { ...SIMULATED_POLICY, persistenceCount: 3 } },
    misses: 'refused by hysteresis',
  },
]

test.each(LEANS_ON)(
  'without the rail $rail it is missed',
  { timeout: 240_000 },
  async ({ rail: missing, faults, options = {}, misses }) => {
    const rails = RAILS.filter(({ rail }) => rail !== missing)
    const without = { ...options, faults, without: { rails } }
    const whole = await run({ ...options, seed: 1, faults })
    expect(told(whole), 'with the rail every promise is kept').toBe('')
    if (misses === undefined) return expect(await firstBroken(without)).not.toBe('')
    const isThere = ({ counts }: Outcome) => (counts[misses] ?? 0) > 0
    expect(await firstThat(isThere, { ...options, faults }), misses).not.toBeNull()
    expect(await firstThat(isThere, without), `no ${misses}`).toBeNull()
  },
)

test('each rail has a world that leans on it', () => {
  const known = LEANS_ON.map(({ rail }) => rail)
  expect(RAILS.map(({ rail }) => rail).filter((rail) => !known.includes(rail))).toEqual([])
})

test('half of the nodes slandered: no more are kept from work than the budget allows', async () => {
  // In some worlds the shared cause holds everything back: several are looked at.
  let cordons = 0
  for (let i = 0; i < 8; i++) {
    const outcome = await run({ seed: randomInt(2 ** 31), faults: readFaults(WAVE) })
    expect(told(outcome)).toBe('')
    expect(outcome.harmedOfBudget, `seed ${outcome.seed}`).toBeLessThanOrEqual(1)
    cordons += outcome.counts['cordon commands'] ?? 0
  }
  expect(cordons).toBeGreaterThan(0)
}, 240_000)

test('a node that no command reaches for ten minutes is let back when one does', async () => {
  const faults: Faults = {
    crashes,
    network_partitions: {
      per_hour: [6, 6],
      lasts: [8 * MINUTE_MS, 10 * MINUTE_MS],
      nodes: [0.4, 0.4],
      one_way: 0.9,
    },
  }
  // Seed 1 had left a node cordoned for good.
  expect(told(await run({ seed: 1, faults, lengthMs: 20 * MINUTE_MS }))).toBe('')
}, 240_000)

test('without preconditions a fence that was a lie gives a workload two copies', async () => {
  const cuts = { per_hour: seldom.per_hour, lasts: often.lasts, nodes: wave.nodes, one_way: 0 }
  const faults: Faults = {
    network_partitions: cuts,
    executors: { ...executors, lying: [0.5, 0.5], dying_per_hour: [0, 0] },
  }
  const broken = await firstBroken({ faults, without: { preconditions: false } })
  expect(broken).toContain('runs twice')
}, 240_000)

test('without fencing by the broker an owner that was replaced still acts', async () => {
  const service = { ...DEFAULT.service!, expired_per_hour: [200, 200] as [number, number] }
  const broken = await firstBroken({ faults: { crashes, service }, without: { fencing: false } })
  expect(broken).toMatch(/said again|repeats|a minority acts|came after epoch/)
}, 240_000)

test.each([
  {
    what: 'decisions are not journaled',
    says: 'is not explained',
    keep: ({ headers }: Output) => headers?.['ce_type'] !== 'foreshock.journal.decision',
  },
  {
    what: 'nodes are not released',
    says: 'not let back',
    keep: ({ headers }: Output) => headers?.['ce_type'] !== 'foreshock.command.uncordon',
  },
  {
    what: 'the end of plans is not told',
    says: /the plan of incident .* does not end/,
    keep: ({ headers, value }: Output) =>
      headers?.['ce_type'] !== 'foreshock.journal.plan' || !textOf(value).includes('"ended"'),
  },
  {
    what: 'the end of incidents is not told',
    says: 'does not end',
    keep: ({ headers }: Output) => headers?.['ce_type'] !== 'foreshock.journal.incident-closed',
  },
])('where $what, it is noticed', { timeout: 240_000 }, async ({ says, keep }) => {
  const tamper = (outputs: readonly Output[]) => outputs.filter(keep)
  expect(await firstBroken({ faults: { crashes }, without: { tamper } })).toMatch(says)
})

test('a workload that is started before what it depends on is noticed', async () => {
  const broken = await firstBroken({ faults: { crashes }, without: { dependencies: false } })
  expect(broken).toContain('which it depends on, is under way')
}, 240_000)

test('a command that is sent twice is noticed', { timeout: 240_000 }, async () => {
  const isCommand = ({ topic }: Output) => topic.includes('commands.')
  const tamper = (outputs: readonly Output[]) =>
    outputs.flatMap((output) => (isCommand(output) ? [output, output] : [output]))
  expect(await firstBroken({ faults: { crashes }, without: { tamper } })).toContain('repeats')
})

function isBroken({ violations }: Outcome): boolean {
  return violations.length > 0
}

/** What the first of a few seeds finds broken; empty when none does. */
async function firstBroken(options: Partial<SimulateOptions>): Promise<string> {
  const broken = await firstThat(isBroken, options)
  return broken === null ? '' : told(broken)
}

/** The first of a few seeds of which it is so; null when there is none. */
async function firstThat(
  isSo: (outcome: Outcome) => boolean,
  options: Partial<SimulateOptions>,
): Promise<Outcome | null> {
  for (let seed = 1; seed <= TRIES_MAX; seed++) {
    const outcome = await run({ ...options, seed })
    if (isSo(outcome)) return outcome
  }
  return null
}
