/**
 * The life of one node: when its next failure begins and falls, and which troubles pass.
 *
 * It is drawn ahead from the node's own stream and never looks at what the service does: a node
 * fails at the same moment whether its work was moved away or not, so that "foreseen" means foreseen.
 */
import type { FailureKind, FailureSetName } from './kinds.ts'
import { failureKinds, PASSING_KINDS, PASSING_TROUBLES_PER_NODE_HOUR } from './kinds.ts'
import { Random } from './random.ts'
import { drawRepairMs, FAILURES_PER_NODE_HOUR } from './repair.ts'
import type { Drivers, Trouble } from './trouble.ts'
import { addTrouble, drawTrouble, noDrivers } from './trouble.ts'

const HOUR_MS = 3_600_000
/** A repaired node is well for at least so long. */
const QUIET_MS = 120_000

export interface PlannedFailure {
  readonly kind: FailureKind
  readonly trouble: Trouble
  readonly atMs: number
  readonly repairMs: number
}

export interface LifeOptions {
  readonly seed: number
  readonly index: number
  readonly hasGpu: boolean
  readonly failures: FailureSetName
  /** 1 is the fleet's accelerated life (repair.ts). */
  readonly failureRateFactor: number
}

export class NodeLife {
  private readonly options: LifeOptions
  private readonly random: Random
  private readonly passingRandom: Random
  private readonly failureKinds: readonly FailureKind[]
  private passing: Trouble | null = null
  private nextPassingAtMs: number
  private planned: PlannedFailure

  constructor(options: LifeOptions, nowMs: number) {
    this.options = options
    this.random = new Random(options.seed, `node/${options.index}/life`)
    this.passingRandom = new Random(options.seed, `node/${options.index}/passing`)
    this.failureKinds = failureKinds(options.failures).filter(
      ({ needsGpu }) => options.hasGpu || !needsGpu,
    )
    this.nextPassingAtMs = nowMs + this.passingGapMs()
    this.planned = this.plan(nowMs)
  }

  get failure(): PlannedFailure {
    return this.planned
  }

  /** A new life after a repair. */
  restart(nowMs: number): void {
    this.planned = this.plan(nowMs)
    this.passing = null
    this.nextPassingAtMs = nowMs + this.passingGapMs()
  }

  /** Times must not go back. */
  driversAt(nowMs: number): Drivers {
    if (this.passing !== null && nowMs > this.passing.endMs) {
      this.passing = null
      this.nextPassingAtMs = nowMs + this.passingGapMs()
    }
    if (this.passing === null && nowMs >= this.nextPassingAtMs)
      this.passing = this.drawPassing(nowMs)
    const drivers = noDrivers()
    if (this.passing !== null) addTrouble(drivers, this.passing, nowMs)
    addTrouble(drivers, this.planned.trouble, nowMs)
    return drivers
  }

  /** The trouble that is passing now, by name. */
  get passingKind(): string | null {
    return this.passing?.kind.name ?? null
  }

  private plan(nowMs: number): PlannedFailure {
    const { random } = this
    const kind = random.weighted(this.failureKinds)
    const meanMs = HOUR_MS / (FAILURES_PER_NODE_HOUR * this.options.failureRateFactor)
    const durationMs = random.between(kind.durationMs)
    const wellMs = Math.max(QUIET_MS, random.exponential(meanMs) - durationMs)
    const trouble = drawTrouble(random, kind, Math.round(nowMs + wellMs), Math.round(durationMs))
    const repairMs = drawRepairMs(random, kind.repair)
    return { kind, trouble, atMs: trouble.endMs, repairMs }
  }

  private drawPassing(nowMs: number): Trouble {
    const kinds = PASSING_KINDS.filter(({ needsGpu }) => this.options.hasGpu || !needsGpu)
    const kind = this.passingRandom.weighted(kinds)
    const durationMs = this.passingRandom.between(kind.durationMs)
    return drawTrouble(this.passingRandom, kind, nowMs, durationMs)
  }

  private passingGapMs(): number {
    return this.passingRandom.exponential(HOUR_MS / PASSING_TROUBLES_PER_NODE_HOUR)
  }
}
