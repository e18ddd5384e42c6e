/**
 * What a run is judged by, as sums that add up over runs: detections against what was injected,
 * recoveries, times to them, and downtime, each beside what an oracle would have reached.
 */
import type { IncidentId, NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import type { Auditor } from './auditor.ts'
import { DetectionTime } from './detection-time.ts'
import { type Detections, detections, sumOfFaults } from './detections.ts'
import { ExecutorTime } from './executor-time.ts'
import type { Work } from './hands.ts'
import type { Machines, Outage } from './machines.ts'
import { type Toll, toll } from './toll.ts'
import type { Injected } from './troubles.ts'

/** A workload that runs elsewhere within this was recovered. */
export const RECOVERED_MS_MAX = 300_000
/** A node that fails within this after its work was moved away was rightly emptied. */
const HORIZON_MS = 1_800_000
/** A standby goes on within this. */
const STANDBY_MS_MAX = 5_000
const RECOVERING: ReadonlySet<string> = new Set(['recover', 'promote'])

export interface Measures extends Detections, Toll {
  readonly outageCount: number
  readonly recoveredCount: number
  /** Of the others: no pool had room for them meanwhile, wherever its work had been. */
  readonly roomlessCount: number
  /** Of the recoveries that a command brought about: sums, ms. */
  readonly timedCount: number
  readonly recoveryMs: number
  /** Until the incident was opened, or an older one got graver by it. */
  readonly detectionMs: number
  /** Of it executors were at work, on it or on what it had to wait for. */
  readonly executorMs: number
  /** Workloads that went on from their standby: from detection to verified, sums, ms. */
  readonly standbyCount: number
  readonly standbyMs: number
  readonly standbyExecutorMs: number
  readonly standbyInTimeCount: number
  /** Workload-milliseconds: all, those without a running copy, and those that nobody could have kept. */
  readonly workloadMs: number
  readonly downMs: number
  readonly oracleDownMs: number
  readonly migrationCount: number
  readonly falseMigrationCount: number
}

export interface Measured {
  readonly machines: Machines
  readonly auditor: Auditor
  readonly works: readonly Work[]
  readonly dependsOn: ReadonlyMap<WorkloadId, readonly WorkloadId[]>
  readonly injected: readonly Injected[]
  readonly harmedNodeMs: number
  /** Of the world's clock: the faults began and ended. */
  readonly beganAtMs: number
  readonly endedAtMs: number
}

export function measure(world: Measured): Measures {
  const faultsOf = grouped(world.injected, ({ node }) => node)
  return {
    ...detections(world, [...world.auditor.incidents.values()], faultsOf),
    ...recoveries(world),
    ...standbys(world),
    ...availability(world),
    ...migrations(world, faultsOf),
    ...toll(world),
  }
}

function recoveries({ machines, auditor, works, dependsOn, endedAtMs }: Measured) {
  const sums = {
    outageCount: 0,
    recoveredCount: 0,
    roomlessCount: 0,
    timedCount: 0,
    recoveryMs: 0,
    detectionMs: 0,
    executorMs: 0,
  }
  const recoverOf = grouped(
    works.filter(({ command, done }) => done && RECOVERING.has(command.action)),
    ({ command }) => command.workload!,
  )
  const executors = new ExecutorTime(works, dependsOn)
  const detection = new DetectionTime(works)
  for (const outage of machines.outages) {
    const work = recoverOf.get(outage.workload)?.find((each) => brought(each, outage))
    const lastedMs = (outage.untilMs ?? endedAtMs) - outage.atMs
    // A node that came back by itself in time left nothing to recover.
    if (work === undefined && lastedMs <= RECOVERED_MS_MAX) continue
    sums.outageCount++
    if (lastedMs > RECOVERED_MS_MAX && !outage.hadRoom) sums.roomlessCount++
    if (work === undefined) continue
    if (lastedMs <= RECOVERED_MS_MAX) sums.recoveredCount++
    const incident = auditor.incidents.get(work.command.incidentId)
    if (incident === undefined || work.endedAtMs === null) continue
    sums.timedCount++
    sums.recoveryMs += work.endedAtMs - outage.atMs
    sums.detectionMs += detection.of(work, incident.turnsAtMs, outage.atMs)
    sums.executorMs += executors.of(work, outage.atMs)
  }
  return sums
}

function standbys({ works, auditor }: Measured) {
  const sums = { standbyCount: 0, standbyMs: 0, standbyExecutorMs: 0, standbyInTimeCount: 0 }
  const fences = new Map<IncidentId, Work>()
  for (const work of works) {
    const { action, incidentId } = work.command
    if (action === 'fence' && work.done && !fences.has(incidentId)) fences.set(incidentId, work)
  }
  for (const { command, done, beganAtMs, endedAtMs } of works) {
    const incident = auditor.incidents.get(command.incidentId)
    const fence = fences.get(command.incidentId)
    if (command.action !== 'promote' || !done || endedAtMs === null) continue
    const detectedAtMs = incident?.turnsAtMs.findLast((atMs) => atMs <= (fence?.beganAtMs ?? 0))
    if (detectedAtMs === undefined || fence === undefined) continue
    const tookMs = endedAtMs - detectedAtMs
    sums.standbyCount++
    sums.standbyMs += tookMs
    // Both are begun side by side.
    sums.standbyExecutorMs += endedAtMs - Math.min(beganAtMs, fence.beganAtMs)
    if (tookMs < STANDBY_MS_MAX) sums.standbyInTimeCount++
  }
  return sums
}

function brought({ command, beganAtMs, endedAtMs }: Work, outage: Outage): boolean {
  if (command.node !== outage.node || outage.untilMs === null) return false
  return beganAtMs <= outage.untilMs && (endedAtMs ?? Infinity) >= outage.untilMs
}

function availability(world: Measured) {
  const { machines, beganAtMs, endedAtMs } = world
  let downMs = 0
  for (const { atMs, untilMs } of machines.outages) {
    downMs += Math.max(0, Math.min(untilMs ?? endedAtMs, endedAtMs) - Math.max(atMs, beganAtMs))
  }
  const workloadMs = machines.cluster.workloadCount * (endedAtMs - beganAtMs)
  return { workloadMs, downMs, oracleDownMs: oracleDownMs(world) }
}

/**
 * Perfect foresight moves every workload in time, at once and for nothing: it loses only what the pools'
 * processors that are still up cannot hold. That is more than any real plan could reach.
 */
function oracleDownMs({ machines, injected, beganAtMs, endedAtMs }: Measured): number {
  const pools = new Map<PoolId, { cpu: number; needs: number; workloads: number }>()
  const poolOf = (id: PoolId) => {
    const pool = pools.get(id) ?? { cpu: 0, needs: 0, workloads: 0 }
    pools.set(id, pool)
    return pool
  }
  for (const { node } of machines.all) poolOf(node.spec.pool).cpu += node.spec.capacity.cpu
  for (const { pool, needs } of machines.cluster.allPlacements()) {
    poolOf(pool).needs += needs.cpu
    poolOf(pool).workloads++
  }
  const changes = injected
    .filter(({ kind }) => kind === 'crash' || kind === 'zone-loss')
    .flatMap(({ node, atMs, untilMs }) => {
      const { pool, capacity } = machines.get(node)!.node.spec
      return [
        { atMs, pool, cpu: -capacity.cpu },
        { atMs: Math.min(untilMs, endedAtMs), pool, cpu: capacity.cpu },
      ]
    })
    .sort((a, b) => a.atMs - b.atMs)
  let [sumMs, nowMs] = [0, beganAtMs]
  for (const change of [...changes, { atMs: endedAtMs, pool: null, cpu: 0 }]) {
    for (const { cpu, needs, workloads } of pools.values()) {
      if (cpu < needs) sumMs += (change.atMs - nowMs) * workloads * (1 - cpu / needs)
    }
    nowMs = change.atMs
    if (change.pool !== null) poolOf(change.pool).cpu += change.cpu
  }
  return sumMs
}

function migrations(
  { works, auditor, beganAtMs, endedAtMs }: Measured,
  faultsOf: ReadonlyMap<NodeId, readonly Injected[]>,
) {
  // What makes room answers a failure that has come.
  const done = works.filter(({ command, done: isDone, beganAtMs: atMs }) => {
    if (auditor.roomIncidents.has(command.incidentId)) return false
    return command.action === 'migrate' && isDone && atMs >= beganAtMs && atMs <= endedAtMs
  })
  const isFalse = ({ command, beganAtMs: atMs }: Work) =>
    !(faultsOf.get(command.node) ?? []).some(({ atMs: faultAtMs, untilMs }) => {
      return faultAtMs <= atMs + HORIZON_MS && untilMs >= atMs
    })
  return { migrationCount: done.length, falseMigrationCount: done.filter(isFalse).length }
}

/** Adds up what several runs gave. */
export function sumOf(a: Measures, b: Measures): Measures {
  const faults = sumOfFaults(a.faults, b.faults)
  const sums = Object.entries(a).map(([name, value]) => {
    const other = b[name as keyof Measures]
    return [name, typeof value === 'number' && typeof other === 'number' ? value + other : value]
  })
  return { ...(Object.fromEntries(sums) as Measures), faults }
}

function grouped<Key, Item>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): ReadonlyMap<Key, readonly Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
