/**
 * The page to read before trusting: of each pool and of all, what failed, what was foreseen, what was or
 * would have been done, and what it was worth, beside doing nothing and beside a plain threshold.
 */
import type { Rail } from '../../core/command.ts'
import type { NodeId, PoolId } from '../../core/ids.ts'
import type { Mode } from '../../core/policy.ts'
import type { Costs } from '../../core/policy.ts'
import { DAY_MS } from '../../core/time.ts'
import { type Alarm, failureAfter, judgeAlarms, verdictOf } from './alarms.ts'
import type { Deed } from './deeds.ts'
import type { Failure, Lives, Window } from './node-lives.ts'
import { NO_OUTAGE, type Outage } from './outages.ts'
import { type Approach, approachOf, costOf, FAILURES_MIN, sumOf, type Tally } from './tally.ts'

export interface ReportFacts {
  readonly window: Window
  readonly lives: Lives
  readonly deeds: readonly Deed[]
  readonly refusals: ReadonlyMap<PoolId, ReadonlyMap<Rail, number>>
  readonly ruleAlarms: readonly Alarm[]
  readonly outages: ReadonlyMap<Failure, Outage>
  /** How far the predictions of a pool look ahead, ms; absent: there were none. */
  readonly horizonsMs: ReadonlyMap<PoolId, number>
  readonly policyOf: (pool: PoolId) => { readonly mode: Mode; readonly costs: Costs | null }
}

/** Ways of acting. `asItRan`: what was sent. `enforced`: and what the mode held back. */
export type ApproachName = 'nothing' | 'threshold' | 'asItRan' | 'enforced'

export interface RailRefusals {
  readonly rail: Rail
  /** Lines of the journal. */
  readonly refusals: number
  /** Foretold failures that it held back work for, and those of them that came. */
  readonly foretold: number
  readonly failed: number
}

export interface Scope {
  /** Null: all pools. */
  readonly pool: PoolId | null
  /** Null where pools differ. */
  readonly mode: Mode | null
  readonly nodes: number
  readonly nodeDays: number
  readonly failures: number
  /** False: too few failures to judge by; the intervals say how little they mean. */
  readonly isEnough: boolean
  readonly approaches: Readonly<Record<ApproachName, Approach>>
  /** Nodes that commands were sent for, and those that only the mode kept them from. */
  readonly actedNodes: number
  readonly heldNodes: number
  readonly workloads: {
    readonly movedInTime: number
    readonly movedInVain: number
    readonly interrupted: number
    readonly recovered: number
    /** Mean time until an interrupted workload ran again; null where none is known. */
    readonly recoveryMs: number | null
  }
  readonly refusals: readonly RailRefusals[]
}

export interface Report {
  readonly fromMs: number
  readonly toMs: number
  readonly strangerFailures: number
  readonly whole: Scope
  /** By name. */
  readonly pools: readonly Scope[]
}

interface PoolSums extends Omit<Scope, 'nodeDays' | 'isEnough' | 'approaches' | 'workloads'> {
  readonly nodeMs: number
  readonly tallies: Readonly<Record<ApproachName, Tally>>
  readonly movedInTime: number
  readonly movedInVain: number
  readonly outage: Outage
}

export function reportOf(facts: ReportFacts): Report {
  const { window, lives, deeds } = facts
  const failures = [...lives.failures.values()].flat()
  const pools = new Set([
    ...lives.exposure.keys(),
    ...failures.map(({ pool }) => pool),
    ...deeds.map(({ pool }) => pool),
    ...facts.refusals.keys(),
  ])
  const recoveryMs = recoveryOf(sumOutages(failures, facts.outages))
  const sums = [...pools].sort().map((pool) => sumPool(pool, facts, recoveryMs))
  return {
    fromMs: window.fromMs,
    toMs: window.toMs,
    strangerFailures: lives.strangerFailureCount,
    whole: scopeOf(wholeOf(sums)),
    pools: sums.map(scopeOf),
  }
}

function sumPool(pool: PoolId, facts: ReportFacts, meanRecoveryMs: number | null): PoolSums {
  const { lives, window, outages, ruleAlarms } = facts
  const { mode, costs } = facts.policyOf(pool)
  const horizonMs = facts.horizonsMs.get(pool) ?? 0
  const failures = failuresOf(pool, lives.failures)
  const all = [...failures.values()].flat()
  const deeds = facts.deeds.filter((deed) => deed.pool === pool && isWithin(deed, window))
  const moved = movesOf(deeds, failures, horizonMs, window.toMs)
  const outage = sumOutages(all, outages)
  const recoveryMs = recoveryOf(outage) ?? meanRecoveryMs
  const isKnown = recoveryMs !== null
  const lost = (failure: Failure) => outages.get(failure)?.outageMs ?? 0
  const saved = (failure: Failure) => (moved.inTime.get(failure) ?? 0) * (recoveryMs ?? 0)
  const tally = (alarms: readonly Alarm[], lostMs: (failure: Failure, seen: boolean) => number) => {
    const { leadMs, ...judged } = judgeAlarms(alarms, failures, horizonMs, window.toMs)
    const counts = { ...judged, failures: all.length, foreseen: leadMs.size }
    const outageMs = isKnown
      ? all.reduce((sum, failure) => sum + lostMs(failure, leadMs.has(failure)), 0)
      : null
    return { ...counts, leadsMs: [...leadMs.values()], outageMs, cost: costOf(counts, costs) }
  }
  const acted = deeds.flatMap((deed) => alarmOf(deed, deed.actedAtMs))
  const seenByActing = judgeAlarms(acted, failures, horizonMs, window.toMs).leadMs
  const rule = ruleAlarms.filter((alarm) => alarm.pool === pool)
  const tallies: Record<ApproachName, Tally> = {
    nothing: tally([], (failure) => lost(failure) + saved(failure)),
    threshold: tally(rule, (failure, seen) => (seen ? 0 : lost(failure) + saved(failure))),
    asItRan: tally(acted, lost),
    enforced: tally(
      deeds.flatMap((deed) => alarmOf(deed, firstOf(deed))),
      (failure, seen) => (seen && !seenByActing.has(failure) ? 0 : lost(failure)),
    ),
  }
  const { nodes, nodeMs } = lives.exposure.get(pool) ?? { nodes: 0, nodeMs: 0 }
  return {
    pool,
    mode,
    nodes,
    nodeMs,
    failures: all.length,
    tallies,
    actedNodes: acted.length,
    heldNodes: deeds.length - acted.length,
    movedInTime: [...moved.inTime.values()].reduce((sum, count) => sum + count, 0),
    movedInVain: moved.inVain,
    outage,
    refusals: refusalsOf(pool, facts, failures, horizonMs),
  }
}

function failuresOf(
  pool: PoolId,
  failures: ReadonlyMap<NodeId, readonly Failure[]>,
): ReadonlyMap<NodeId, readonly Failure[]> {
  const found = new Map<NodeId, readonly Failure[]>()
  for (const [node, each] of failures) {
    const ours = each.filter((failure) => failure.pool === pool)
    if (ours.length > 0) found.set(node, ours)
  }
  return found
}

/** Workloads that were off the node before it failed, by failure, and those of nodes that did not fail. */
function movesOf(
  deeds: readonly Deed[],
  failures: ReadonlyMap<NodeId, readonly Failure[]>,
  horizonMs: number,
  nowMs: number,
): { readonly inTime: ReadonlyMap<Failure, number>; readonly inVain: number } {
  const inTime = new Map<Failure, number>()
  let inVain = 0
  for (const deed of deeds) {
    for (const alarm of alarmOf(deed, deed.actedAtMs)) {
      const failure = failureAfter(alarm, failures, horizonMs)
      if (failure !== undefined) {
        const count = deed.movedAtMs.filter((atMs) => atMs <= failure.atMs).length
        inTime.set(failure, (inTime.get(failure) ?? 0) + count)
      } else if (verdictOf(alarm, failure, horizonMs, nowMs) === 'false') {
        inVain += deed.movedAtMs.length
      }
    }
  }
  return { inTime, inVain }
}

function refusalsOf(
  pool: PoolId,
  { deeds, refusals }: ReportFacts,
  failures: ReadonlyMap<NodeId, readonly Failure[]>,
  horizonMs: number,
): readonly RailRefusals[] {
  const ofPool = [...(refusals.get(pool) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  return ofPool.map(([rail, count]) => {
    const held = deeds.filter((deed) => deed.pool === pool && deed.rails.has(rail))
    const failed = held.filter((deed) =>
      alarmOf(deed, deed.openedAtMs).some(
        (alarm) => failureAfter(alarm, failures, horizonMs) !== undefined,
      ),
    )
    return { rail, refusals: count, foretold: held.length, failed: failed.length }
  })
}

function alarmOf({ node, pool, closedAtMs }: Deed, beganAtMs: number | null): readonly Alarm[] {
  return beganAtMs === null ? [] : [{ node, pool, beganAtMs, endedAtMs: closedAtMs }]
}

/** When something was done, or would have been in mode `enforce`. */
function firstOf({ actedAtMs, heldAtMs }: Deed): number | null {
  if (actedAtMs === null || heldAtMs === null) return actedAtMs ?? heldAtMs
  return Math.min(actedAtMs, heldAtMs)
}

function isWithin(deed: Deed, { fromMs, toMs }: Window): boolean {
  const atMs = firstOf(deed)
  return atMs !== null && atMs >= fromMs && atMs <= toMs
}

function sumOutages(failures: readonly Failure[], outages: ReadonlyMap<Failure, Outage>): Outage {
  let sum = NO_OUTAGE
  for (const failure of failures) {
    const { interrupted, recovered, outageMs } = outages.get(failure) ?? NO_OUTAGE
    sum = {
      interrupted: sum.interrupted + interrupted,
      recovered: sum.recovered + recovered,
      outageMs: sum.outageMs + outageMs,
    }
  }
  return sum
}

function recoveryOf({ recovered, outageMs }: Outage): number | null {
  return recovered === 0 ? null : outageMs / recovered
}

function wholeOf(pools: readonly PoolSums[]): PoolSums {
  const sum = (value: (pool: PoolSums) => number) =>
    pools.reduce((all, each) => all + value(each), 0)
  const modes = new Set(pools.map(({ mode }) => mode))
  const tallyOf = (name: ApproachName) => sumOf(pools.map(({ tallies }) => tallies[name]))
  const rails = new Map<Rail, RailRefusals>()
  for (const each of pools.flatMap(({ refusals }) => refusals)) {
    const { rail, refusals, foretold, failed } = each
    const known = rails.get(rail) ?? { refusals: 0, foretold: 0, failed: 0 }
    rails.set(rail, {
      rail,
      refusals: known.refusals + refusals,
      foretold: known.foretold + foretold,
      failed: known.failed + failed,
    })
  }
  return {
    pool: null,
    mode: modes.size === 1 ? pools[0].mode : null,
    nodes: sum(({ nodes }) => nodes),
    nodeMs: sum(({ nodeMs }) => nodeMs),
    failures: sum(({ failures }) => failures),
    tallies: {
      nothing: tallyOf('nothing'),
      threshold: tallyOf('threshold'),
      asItRan: tallyOf('asItRan'),
      enforced: tallyOf('enforced'),
    },
    actedNodes: sum(({ actedNodes }) => actedNodes),
    heldNodes: sum(({ heldNodes }) => heldNodes),
    movedInTime: sum(({ movedInTime }) => movedInTime),
    movedInVain: sum(({ movedInVain }) => movedInVain),
    outage: {
      interrupted: sum(({ outage }) => outage.interrupted),
      recovered: sum(({ outage }) => outage.recovered),
      outageMs: sum(({ outage }) => outage.outageMs),
    },
    refusals: [...rails.values()].sort((a, b) => (a.rail < b.rail ? -1 : 1)),
  }
}

function scopeOf({ nodeMs, tallies, outage, movedInTime, movedInVain, ...sums }: PoolSums): Scope {
  const approach = (name: ApproachName) => approachOf(tallies[name], nodeMs, tallies.nothing)
  return {
    ...sums,
    nodeDays: nodeMs / DAY_MS,
    isEnough: sums.failures >= FAILURES_MIN,
    approaches: {
      nothing: approach('nothing'),
      threshold: approach('threshold'),
      asItRan: approach('asItRan'),
      enforced: approach('enforced'),
    },
    workloads: {
      movedInTime,
      movedInVain,
      interrupted: outage.interrupted,
      recovered: outage.recovered,
      recoveryMs: recoveryOf(outage),
    },
  }
}
