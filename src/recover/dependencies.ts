/**
 * In which order workloads that depend on each other are started: each after those it depends on, and
 * the most urgent first among those that wait for nothing (Kahn 1962).
 *
 * Where workloads depend on each other in a circle there is no such order. The circle is opened at its
 * lowest priority: what depends there on the least urgent workload does not wait for it.
 */
import type { WorkloadId } from '../core/ids.ts'

export interface Dependent {
  readonly workload: WorkloadId
  /** 0 is the most urgent. */
  readonly rank: number
  readonly dependsOn: readonly WorkloadId[]
}

/** A dependency that is not waited for. */
export interface Dropped {
  readonly workload: WorkloadId
  readonly dependency: WorkloadId
  /** The circle, from the workload on and back to it. */
  readonly circle: readonly WorkloadId[]
}

export interface Ordered {
  readonly order: readonly WorkloadId[]
  /** Of each workload those given that it waits for; none of it is circular. */
  readonly waitsFor: ReadonlyMap<WorkloadId, ReadonlySet<WorkloadId>>
  readonly dropped: readonly Dropped[]
}

/** Dependencies on workloads that are not given order nothing. The same for any order of what is given. */
export function orderByDependency(given: readonly Dependent[]): Ordered {
  const graph = new Graph(given)
  const order: WorkloadId[] = []
  const dropped: Dropped[] = []
  while (order.length < given.length) {
    const next = graph.takeFree()
    if (next !== null) order.push(next)
    else dropped.push(graph.openCircle())
  }
  return { order, waitsFor: graph.waitsFor, dropped }
}

class Graph {
  readonly waitsFor = new Map<WorkloadId, Set<WorkloadId>>()
  readonly #byUrgency: readonly Dependent[]
  /** Place by urgency: the smallest is the most urgent. */
  readonly #place = new Map<WorkloadId, number>()
  /** Who waits for it and is not taken. */
  readonly #awaitedBy = new Map<WorkloadId, Set<WorkloadId>>()
  /** What it still waits for. */
  readonly #pending = new Map<WorkloadId, Set<WorkloadId>>()
  /** Places of those that wait for nothing, as a binary heap. */
  readonly #free = new PlaceHeap()
  /** Where the search for what is not taken goes on. */
  #cursor = 0

  constructor(given: readonly Dependent[]) {
    this.#byUrgency = [...given].sort(
      (a, b) => a.rank - b.rank || (a.workload < b.workload ? -1 : 1),
    )
    for (const [place, { workload }] of this.#byUrgency.entries()) this.#place.set(workload, place)
    for (const [place, { workload, dependsOn }] of this.#byUrgency.entries()) {
      const known = dependsOn.filter((other) => other !== workload && this.#place.has(other))
      this.waitsFor.set(workload, new Set(known))
      this.#pending.set(workload, new Set(known))
      for (const other of known) {
        const awaiting = this.#awaitedBy.get(other)
        if (awaiting === undefined) this.#awaitedBy.set(other, new Set([workload]))
        else awaiting.add(workload)
      }
      if (known.length === 0) this.#free.add(place)
    }
  }

  /** Null where all that is left waits for each other. */
  takeFree(): WorkloadId | null {
    const place = this.#free.take()
    if (place === undefined) return null
    const { workload } = this.#byUrgency[place]
    this.#pending.delete(workload)
    for (const other of this.#awaitedBy.get(workload) ?? []) this.#release(other, workload)
    return workload
  }

  /** Nothing is free, so following dependencies comes round again, wherever it begins. */
  openCircle(): Dropped {
    while (!this.#pending.has(this.#byUrgency[this.#cursor].workload)) this.#cursor++
    const circle = this.#circleFrom(this.#byUrgency[this.#cursor].workload)
    const places = circle.map((workload) => this.#place.get(workload)!)
    const least = places.indexOf(Math.max(...places))
    const dependency = circle[least]
    const at = (least + circle.length - 1) % circle.length
    const workload = circle[at]
    this.waitsFor.get(workload)!.delete(dependency)
    this.#awaitedBy.get(dependency)!.delete(workload)
    this.#release(workload, dependency)
    return { workload, dependency, circle: [...circle.slice(at), ...circle.slice(0, at), workload] }
  }

  #release(workload: WorkloadId, from: WorkloadId): void {
    const pending = this.#pending.get(workload)!
    pending.delete(from)
    if (pending.size === 0) this.#free.add(this.#place.get(workload)!)
  }

  #circleFrom(start: WorkloadId): readonly WorkloadId[] {
    const path: WorkloadId[] = []
    const seenAt = new Map<WorkloadId, number>()
    for (let at = start; ; at = this.#mostUrgent(this.#pending.get(at)!)) {
      const seen = seenAt.get(at)
      if (seen !== undefined) return path.slice(seen)
      seenAt.set(at, path.length)
      path.push(at)
    }
  }

  #mostUrgent(workloads: ReadonlySet<WorkloadId>): WorkloadId {
    let best = this.#byUrgency.length
    for (const workload of workloads) best = Math.min(best, this.#place.get(workload)!)
    return this.#byUrgency[best].workload
  }
}

/** The smallest first. */
class PlaceHeap {
  readonly #places: number[] = []

  add(place: number): void {
    const places = this.#places
    let at = places.push(place) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (places[parent] <= place) break
      places[at] = places[parent]
      at = parent
    }
    places[at] = place
  }

  take(): number | undefined {
    const places = this.#places
    const [first] = places
    const last = places.pop()
    if (last === undefined || places.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= places.length) break
      if (places[child + 1] < places[child]) child++
      if (places[child] >= last) break
      places[at] = places[child]
      at = child
    }
    places[at] = last
    return first
  }
}
