/** What really happened: every failure, and whether anybody had acted before it. For the summary only. */
import type { NodeId, PoolId } from '../core/ids.ts'

/** Failures kept one by one; the oldest are dropped first, the counts go on. */
const FAILURES_MAX = 100_000
/** A node that was acted on and does not fail within this time was a false alarm. */
const FALSE_ALARM_AFTER_MS = 3_600_000
/** An alarm that was taken back still spoke of the time that the model looks ahead. */
const HORIZON_MS = 1_800_000

export interface FailureTruth {
  readonly node: NodeId
  readonly pool: PoolId
  readonly kind: string
  readonly atMs: number
  /** From the first sign to the failure; 0: nobody could foresee it. */
  readonly buildUpMs: number
  /**
   * A cordon or migration of this node began before it failed, and stood until then or began within
   * the half hour before.
   */
  readonly foreseen: boolean
  /** Failure minus that beginning; null when missed. */
  readonly leadTimeMs: number | null
  /** Workloads moved off in time, and those still there when it failed. */
  readonly savedCount: number
  readonly interruptedCount: number
}

export interface TruthCounts {
  failures: number
  /** Of those that built up: somebody acted before, or nobody did. */
  foreseen: number
  missed: number
  /** Crashes without a sign. */
  unforeseeable: number
  /** Acted on, and well for an hour after; half an hour where it was taken back. */
  falseAlarms: number
  wrongfulFences: number
  workloadsSaved: number
  workloadsInterrupted: number
  /** Of those interrupted: started elsewhere by a command, or back with the repaired node. */
  workloadsRecovered: number
  /** Of those recovered: a standby took over. */
  workloadsPromoted: number
  workloadsResumed: number
  migrationsStarted: number
  migrationsSucceeded: number
  actionsFailed: number
}

export interface Truth {
  readonly nodeCount: number
  readonly workloadCount: number
  readonly downNodeCount: number
  readonly failures: readonly FailureTruth[]
  readonly counts: Readonly<TruthCounts>
}

interface Acted {
  readonly atMs: number
  takenBack: boolean
  savedCount: number
}

export interface FailureFacts {
  readonly node: NodeId
  readonly pool: PoolId
  readonly kind: string
  readonly atMs: number
  readonly buildUpMs: number
  readonly interruptedCount: number
}

export class TruthLedger {
  readonly failures: FailureTruth[] = []
  readonly counts: TruthCounts = {
    failures: 0,
    foreseen: 0,
    missed: 0,
    unforeseeable: 0,
    falseAlarms: 0,
    wrongfulFences: 0,
    workloadsSaved: 0,
    workloadsInterrupted: 0,
    workloadsRecovered: 0,
    workloadsPromoted: 0,
    workloadsResumed: 0,
    migrationsStarted: 0,
    migrationsSucceeded: 0,
    actionsFailed: 0,
  }
  private readonly acted = new Map<NodeId, Acted>()

  /** A cordon or a migration begins on a node that is up. */
  act(node: NodeId, atMs: number): void {
    const acted = this.acted.get(node)
    if (acted === undefined) this.acted.set(node, { atMs, takenBack: false, savedCount: 0 })
    else acted.takenBack = false
  }

  takeBack(node: NodeId): void {
    const acted = this.acted.get(node)
    if (acted !== undefined) acted.takenBack = true
  }

  saved(node: NodeId): void {
    this.counts.migrationsSucceeded++
    const acted = this.acted.get(node)
    if (acted !== undefined) acted.savedCount++
  }

  failed(facts: FailureFacts): void {
    const acted = this.acted.get(facts.node)
    this.acted.delete(facts.node)
    const foreseen = acted !== undefined && facts.atMs - acted.atMs < validMs(acted)
    if (acted !== undefined && !foreseen) this.counts.falseAlarms++
    const savedCount = acted?.savedCount ?? 0
    this.failures.push({
      ...facts,
      foreseen,
      leadTimeMs: foreseen ? facts.atMs - acted.atMs : null,
      savedCount,
    })
    if (this.failures.length > FAILURES_MAX) this.failures.shift()
    this.counts.failures++
    this.counts.workloadsSaved += savedCount
    this.counts.workloadsInterrupted += facts.interruptedCount
    if (facts.buildUpMs === 0) this.counts.unforeseeable++
    else if (foreseen) this.counts.foreseen++
    else this.counts.missed++
  }

  /** Ends the waits that lasted too long; after the failures up to `nowMs` are told. */
  expire(nowMs: number): void {
    for (const [node, acted] of this.acted) {
      if (nowMs - acted.atMs < validMs(acted)) continue
      this.acted.delete(node)
      this.counts.falseAlarms++
    }
  }
}

function validMs({ takenBack }: Acted): number {
  return takenBack ? HORIZON_MS : FALSE_ALARM_AFTER_MS
}
