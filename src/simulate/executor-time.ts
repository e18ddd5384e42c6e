/** How much of a recovery executors took: what it had to wait for, each moment once. */
import type { IncidentId, WorkloadId } from '../core/ids.ts'
import type { Work } from './hands.ts'

/**
 * Work of executors by incident. A recovery waits for the fence of its node, for what its workload depends on,
 * by way of others too, and for tries of its own that came to nothing; other workloads go beside it.
 */
export class ExecutorTime {
  readonly #worksOf = new Map<IncidentId, Work[]>()
  readonly #dependsOn: ReadonlyMap<WorkloadId, readonly WorkloadId[]>

  constructor(works: readonly Work[], dependsOn: ReadonlyMap<WorkloadId, readonly WorkloadId[]>) {
    this.#dependsOn = dependsOn
    for (const work of works) {
      const { incidentId } = work.command
      const known = this.#worksOf.get(incidentId)
      if (known === undefined) this.#worksOf.set(incidentId, [work])
      else known.push(work)
    }
  }

  /** Milliseconds from `fromMs` to the end of `work` in which an executor was at work on what it waits for. */
  of(work: Work, fromMs: number): number {
    const { incidentId, workload } = work.command
    const untilMs = work.endedAtMs ?? fromMs
    const awaited = this.#closure(workload!)
    const spans: (readonly [number, number])[] = []
    for (const other of this.#worksOf.get(incidentId) ?? []) {
      const { action, workload: whose } = other.command
      const isFence = action === 'fence'
      if (!isFence && (whose === null || !awaited.has(whose))) continue
      // What comes after a fence begins before it is verified.
      const endMs = isFence ? other.doneAtMs : other.endedAtMs
      if (endMs !== null) spans.push([other.beganAtMs, endMs])
    }
    return covered(spans, fromMs, untilMs)
  }

  /** The workload and all that it depends on. */
  #closure(workload: WorkloadId): ReadonlySet<WorkloadId> {
    const closure = new Set([workload])
    for (const one of closure)
      for (const other of this.#dependsOn.get(one) ?? []) closure.add(other)
    return closure
  }
}

/** Length of the union of the spans within the bounds. */
function covered(
  spans: readonly (readonly [number, number])[],
  fromMs: number,
  untilMs: number,
): number {
  let [sum, nextMs] = [0, fromMs]
  for (const [beganAtMs, endedAtMs] of [...spans].sort(([a], [b]) => a - b)) {
    const [from, until] = [Math.max(beganAtMs, nextMs), Math.min(endedAtMs, untilMs)]
    if (until <= from) continue
    sum += until - from
    nextMs = until
  }
  return sum
}
