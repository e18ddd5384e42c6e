/**
 * What can happen to a node of the fleet, as data: failures that build up, crashes, and troubles
 * that pass. Each acts on *drivers* (signals.ts turns drivers into metrics), not on metrics, so
 * that the side effects follow: a hot node slows down, a swapping one loads its disk.
 *
 * | kind | first sign to failure | what grows | modelled after |
 * |---|---|---|---|
 * | thermal-runaway | 10–40 min | temperature towards 105 °C, throttling | Intel/AMD critical limits 95–105 °C |
 * | memory-leak | 15–40 min | memory towards full, then pressure and swap | Linux PSI, OOM |
 * | disk-wear | 12–40 min | I/O errors (Poisson), slow I/O in bursts | Backblaze: errors precede drive failure |
 * | nic-flapping | 10–35 min | loss and errors in ever longer bursts | NIC is 20 of 424 faults of the trace |
 * | gpu-memory-errors | 10–40 min | ECC errors (Poisson), GPU heat | GPU is 114 of 424 faults of the trace |
 * | sudden-crash | none | nothing | Unknown Error is 105 of 424 |
 *
 * Lead times and sizes are chosen for the demonstration and measured nowhere; rates and
 * repair times are the trace's (repair.ts). The troubles that pass start like the failures: a leak
 * and a cache that fills up look alike until the cache stops.
 *
 * A restart mends leaks, and half of the crashes without a sign; a full disk and broken parts stay so.
 *
 * The held-out set has kinds that the training set lacks, and known kinds at other speeds and sizes.
 */
import type { Range } from './random.ts'
import type { RepairClass } from './repair.ts'

const MINUTE_MS = 60_000

/**
 * - `load`: CPU demand, share of the node. `heat`, `gpuHeat`: share of the way from the present
 *   temperature to the critical one. `memory`, `diskFill`: share of what is still free.
 * - `diskLatency`, `networkLatency`, `response`: factor minus 1.
 * - `loss`, `requestErrors`: ratio. `diskErrors`, `networkErrors`, `gpuErrors`: per second.
 */
export type Driver =
  | 'load'
  | 'heat'
  | 'memory'
  | 'diskLatency'
  | 'diskFill'
  | 'diskErrors'
  | 'networkLatency'
  | 'loss'
  | 'networkErrors'
  | 'requestErrors'
  | 'response'
  | 'gpuHeat'
  | 'gpuErrors'

export interface Effect {
  readonly driver: Driver
  /** At its height. Drawn evenly over the orders of magnitude. */
  readonly size: Range
  /** It grows as progress^power: 1 is steady, 3 is late and steep. */
  readonly power: Range
  /** `bursts`: on and off, on for a share of the time that grows in the same way. */
  readonly pattern: 'steady' | 'bursts'
}

/** `growing`: highest at its end. `passing`: up, level, down. `released`: grows, then drops. */
export type Course = 'growing' | 'passing' | 'released'

export interface TroubleKind {
  readonly name: string
  readonly weight: number
  readonly course: Course
  readonly durationMs: Range
  readonly needsGpu: boolean
  readonly effects: readonly Effect[]
}

/** A trouble that ends with the node's failure. A duration of zero: nobody can foresee it. */
export interface FailureKind extends TroubleKind {
  readonly course: 'growing'
  readonly repair: RepairClass
  /** Share of them that a restart mends, before or after the failure. */
  readonly restartMendsRatio: number
}

export type FailureSetName = 'training' | 'held-out' | 'all'

function minutes(least: number, most: number): Range {
  return [least * MINUTE_MS, most * MINUTE_MS]
}

function steady(driver: Driver, size: Range, power: Range = [1, 2.5]): Effect {
  return { driver, size, power, pattern: 'steady' }
}

function bursts(driver: Driver, size: Range, power: Range = [0.7, 1.8]): Effect {
  return { driver, size, power, pattern: 'bursts' }
}

interface FailureDraft {
  readonly weight: number
  readonly durationMs: Range
  readonly repair: RepairClass
  readonly effects: readonly Effect[]
  readonly needsGpu?: boolean
  readonly restartMendsRatio?: number
}

function failure(name: string, draft: FailureDraft): FailureKind {
  return { name, course: 'growing', needsGpu: false, restartMendsRatio: 0, ...draft }
}

const SUDDEN_CRASH = failure('sudden-crash', {
  weight: 15,
  durationMs: [0, 0],
  repair: 'unknown',
  effects: [],
  restartMendsRatio: 0.5,
})

const TRAINING_KINDS: readonly FailureKind[] = [
  failure('thermal-runaway', {
    weight: 18,
    durationMs: minutes(10, 40),
    repair: 'fan',
    effects: [steady('heat', [0.75, 1]), steady('response', [0.1, 0.5], [2, 4])],
  }),
  failure('memory-leak', {
    weight: 20,
    durationMs: minutes(15, 40),
    repair: 'software',
    effects: [steady('memory', [0.85, 1], [0.9, 1.6])],
    restartMendsRatio: 1,
  }),
  failure('disk-wear', {
    weight: 18,
    durationMs: minutes(12, 40),
    repair: 'all',
    effects: [
      steady('diskErrors', [0.05, 0.6]),
      bursts('diskLatency', [2, 25]),
      steady('requestErrors', [0.002, 0.02], [2, 4]),
    ],
  }),
  failure('nic-flapping', {
    weight: 16,
    durationMs: minutes(10, 35),
    repair: 'nic',
    effects: [
      bursts('loss', [0.01, 0.15]),
      bursts('networkErrors', [2, 60]),
      bursts('networkLatency', [0.5, 6]),
    ],
  }),
  failure('gpu-memory-errors', {
    weight: 80,
    durationMs: minutes(10, 40),
    repair: 'gpu',
    needsGpu: true,
    effects: [steady('gpuErrors', [0.05, 1]), steady('gpuHeat', [0.1, 0.5], [1.5, 3])],
  }),
  SUDDEN_CRASH,
]

const HELD_OUT_KINDS: readonly FailureKind[] = [
  failure('power-supply-droop', {
    weight: 12,
    durationMs: minutes(10, 40),
    repair: 'power-supply',
    effects: [
      bursts('heat', [0.2, 0.5]),
      bursts('response', [0.3, 1.5]),
      steady('diskErrors', [0.02, 0.1], [2, 3]),
    ],
  }),
  failure('pcie-errors', {
    weight: 12,
    durationMs: minutes(10, 40),
    repair: 'all',
    effects: [
      steady('networkErrors', [1, 20]),
      bursts('diskLatency', [0.5, 5]),
      steady('response', [0.2, 1], [1.5, 3]),
    ],
  }),
  failure('connection-leak', {
    weight: 12,
    durationMs: minutes(15, 40),
    repair: 'software',
    effects: [
      steady('requestErrors', [0.03, 0.3], [1.5, 3]),
      steady('response', [1, 6], [1, 2.5]),
      steady('memory', [0.1, 0.3]),
    ],
    restartMendsRatio: 1,
  }),
  failure('disk-filling', {
    weight: 12,
    durationMs: minutes(15, 40),
    repair: 'software',
    effects: [steady('diskFill', [0.92, 1], [0.9, 1.3]), steady('diskLatency', [0.3, 2])],
  }),
  failure('thermal-runaway-fast', {
    weight: 12,
    durationMs: minutes(4, 8),
    repair: 'fan',
    effects: [steady('heat', [0.75, 1], [0.8, 1.5]), steady('load', [0.02, 0.1])],
  }),
  failure('memory-leak-slow', {
    weight: 12,
    durationMs: minutes(45, 90),
    repair: 'software',
    effects: [steady('memory', [0.85, 1], [0.8, 1.2])],
    restartMendsRatio: 1,
  }),
  failure('disk-wear-faint', {
    weight: 12,
    durationMs: minutes(12, 40),
    repair: 'all',
    effects: [steady('diskErrors', [0.01, 0.05]), bursts('diskLatency', [0.5, 2])],
  }),
  SUDDEN_CRASH,
]

const SETS: Readonly<Record<FailureSetName, readonly FailureKind[]>> = {
  training: TRAINING_KINDS,
  'held-out': HELD_OUT_KINDS,
  all: [...TRAINING_KINDS, ...HELD_OUT_KINDS.filter((kind) => kind !== SUDDEN_CRASH)],
}

export function failureKinds(set: FailureSetName): readonly FailureKind[] {
  return SETS[set]
}

/** A node meets one of these every so often; none of them ends in a failure. */
export const PASSING_TROUBLES_PER_NODE_HOUR = 0.35

interface PassingDraft {
  readonly weight: number
  readonly course: 'passing' | 'released'
  readonly durationMs: Range
  readonly effects: readonly Effect[]
  readonly needsGpu?: boolean
}

function passing(name: string, draft: PassingDraft): TroubleKind {
  return { name, needsGpu: false, ...draft }
}

export const PASSING_KINDS: readonly TroubleKind[] = [
  passing('noisy-neighbour', {
    weight: 20,
    course: 'passing',
    durationMs: minutes(4, 30),
    effects: [
      steady('load', [0.15, 0.5], [0.3, 1]),
      steady('response', [0.2, 1.5], [0.3, 1]),
      bursts('diskLatency', [0.3, 3], [0.3, 1]),
    ],
  }),
  passing('load-spike', {
    weight: 20,
    course: 'passing',
    durationMs: minutes(3, 20),
    effects: [
      steady('load', [0.2, 0.6], [0.3, 1]),
      steady('networkLatency', [0.1, 0.6], [0.3, 1]),
      steady('requestErrors', [0.001, 0.01], [1, 2]),
    ],
  }),
  passing('backup-burst', {
    weight: 15,
    course: 'passing',
    durationMs: minutes(5, 40),
    effects: [
      steady('diskLatency', [1, 12], [0.3, 0.6]),
      steady('diskFill', [0.05, 0.3]),
      steady('networkLatency', [0.1, 1], [0.3, 0.6]),
    ],
  }),
  passing('cache-growth', {
    weight: 10,
    course: 'released',
    durationMs: minutes(12, 45),
    effects: [steady('memory', [0.25, 0.55], [0.8, 1.4])],
  }),
  passing('fan-hiccup', {
    weight: 10,
    course: 'released',
    durationMs: minutes(6, 25),
    effects: [steady('heat', [0.2, 0.6], [0.8, 2])],
  }),
  passing('link-retrain', {
    weight: 10,
    course: 'passing',
    durationMs: minutes(1, 8),
    effects: [bursts('loss', [0.003, 0.05]), bursts('networkErrors', [0.5, 15])],
  }),
  passing('bad-sectors-remapped', {
    weight: 6,
    course: 'passing',
    durationMs: minutes(2, 12),
    effects: [steady('diskErrors', [0.01, 0.12]), bursts('diskLatency', [1, 8])],
  }),
  passing('gpu-page-retired', {
    weight: 10,
    course: 'passing',
    durationMs: minutes(2, 12),
    needsGpu: true,
    effects: [steady('gpuErrors', [0.01, 0.2])],
  }),
]
