/** Runs a world from its seed to its end, and says what came of it. */
import type { Policy } from '../core/policy.ts'
import { DEFAULT_POLICY } from '../core/policy.ts'
import { HOUR_MS } from '../core/time.ts'
import { measure, type Measured, type Measures } from './measures.ts'
import { type Violation, World, type WorldOptions } from './world.ts'

const SLICE_MS = 60_000

/** Trust comes back within a run. */
export const TRUST_HALF_LIFE_MS = 600_000
/** Detectors that are off by default. */
const ATTACKS = ['sybil', 'flooding', 'vote-manipulation', 'timing-anomaly', 'challenge-response']

/** The default policy, but acting, with every detector; and commands live for a minute, so that a lost one is soon missed. */
export const SIMULATED_POLICY: Policy = {
  ...DEFAULT_POLICY,
  version: 'simulated',
  mode: 'enforce',
  commandTtlMs: 60_000,
  detectors: {
    ...Object.fromEntries(ATTACKS.map((name) => [name, { enabled: true }])),
    byzantine: { halfLife: TRUST_HALF_LIFE_MS },
  },
  returnWatchMs: 120_000,
  makesRoom: true,
}

export interface SimulateOptions extends Omit<WorldOptions, 'policy'> {
  readonly policy?: Policy
  readonly onProgress?: (doneRatio: number) => void
  readonly signal?: AbortSignal
}

export interface Outcome {
  readonly seed: number
  readonly nodeCount: number
  readonly nodeHours: number
  readonly sampleCount: number
  readonly violations: readonly Violation[]
  /** sha256 of the journal: equal for equal runs. */
  readonly journalHash: string
  readonly measures: Measures
  /** Most healthy nodes of a pool that were kept from work at once, as a share of the pool's budget. */
  readonly harmedOfBudget: number
  /** What happened and what was said, each by its name. */
  readonly counts: Readonly<Record<string, number>>
}

/** Null when it was interrupted. */
export async function simulate(options: SimulateOptions): Promise<Outcome | null> {
  const { policy = SIMULATED_POLICY, lengthMs, signal, onProgress } = options
  const world = new World({ ...options, policy })
  await world.begin()
  const beganAtMs = world.broker.clock.nowMs()
  for (let doneMs = 0; doneMs < lengthMs; doneMs += SLICE_MS) {
    await world.run(Math.min(SLICE_MS, lengthMs - doneMs))
    if (signal?.aborted === true) return null
    onProgress?.(doneMs / lengthMs)
  }
  const endedAtMs = world.broker.clock.nowMs()
  const { harmedNodeMs } = world
  if (world.violations.length === 0) await world.settle()
  return outcomeOf(world, options, { beganAtMs, endedAtMs, harmedNodeMs })
}

function outcomeOf(
  world: World,
  { seed, nodeCount }: SimulateOptions,
  sums: Pick<Measured, 'beganAtMs' | 'endedAtMs' | 'harmedNodeMs'>,
): Outcome {
  const { auditor, machines, troubles, processes, telemetry, violations, workforce, dependsOn } =
    world
  const { works } = workforce
  const { injected } = troubles
  return {
    seed,
    nodeCount,
    nodeHours: (nodeCount * world.nowMs) / HOUR_MS,
    sampleCount: telemetry.sampleCount,
    violations,
    journalHash: auditor.journalHash(),
    measures: measure({ machines, auditor, works, injected, dependsOn, ...sums }),
    harmedOfBudget: world.harmedOfBudget,
    counts: Object.fromEntries([
      ...troubles.counts,
      ['process kills', processes.killCount],
      ['wrongful fences', troubles.wrongfulFenceCount],
      ...[...auditor.counts].sort(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  }
}
