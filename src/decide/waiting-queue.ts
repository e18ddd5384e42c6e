/**
 * Work that fits nowhere now, in the order in which room is dealt out: the most urgent first, and first
 * come, first served among equals. A workload keeps its place until it has room or needs none any more.
 */
import type { WorkloadId } from '../core/ids.ts'
import type { WaitingWorkload } from '../core/waiting.ts'
import type { Priority } from '../core/workload.ts'

/** Workloads of a pool that may wait; beyond it the least urgent that came last is put off. */
export const WAITING_MAX = 10_000

/** From the most urgent to the least. */
export const PRIORITIES: readonly Priority[] = ['CRITICAL', 'HIGH', 'NORMAL', 'LOW']

interface Place {
  waiting: WaitingWorkload
  /** Rises with each that comes. */
  readonly serial: number
}

export class WaitingQueue {
  readonly #max: number
  readonly #places = new Map<WorkloadId, Place>()
  /** Of each priority, by serial. */
  readonly #lines = new Map<Priority, Place[]>(PRIORITIES.map((priority) => [priority, []]))
  #serial = 0

  constructor(max = WAITING_MAX) {
    this.#max = max
  }

  get size(): number {
    return this.#places.size
  }

  get(workload: WorkloadId): WaitingWorkload | undefined {
    return this.#places.get(workload)?.waiting
  }

  count(priority: Priority): number {
    return this.#line(priority).length
  }

  /** When the first of those that wait came; null where none does. */
  sinceMs(): number | null {
    const firsts = PRIORITIES.flatMap((priority) => this.#line(priority).slice(0, 1))
    const times = firsts.map(({ waiting }) => waiting.sinceMs)
    return times.length === 0 ? null : Math.min(...times)
  }

  /** Most urgent first: the queue as it is now, whatever happens to it later. */
  inOrder(): readonly WaitingWorkload[] {
    return PRIORITIES.flatMap((priority) => this.#line(priority).map(({ waiting }) => waiting))
  }

  /**
   * Lets it wait, and says who has to go for it where the queue is full, which may be itself. One that waits
   * already keeps its time; where its urgency has changed it stands where it would, had it always been so.
   */
  add(waiting: WaitingWorkload): WaitingWorkload | null {
    const known = this.#places.get(waiting.workload)
    if (known !== undefined) {
      this.#take(known)
      this.#put({ waiting: { ...waiting, sinceMs: known.waiting.sinceMs }, serial: known.serial })
      return null
    }
    this.#put({ waiting, serial: this.#serial++ })
    if (this.#places.size <= this.#max) return null
    const last = this.#last()
    this.#take(last)
    return last.waiting
  }

  remove(workload: WorkloadId): boolean {
    const place = this.#places.get(workload)
    if (place !== undefined) this.#take(place)
    return place !== undefined
  }

  #last(): Place {
    const line = PRIORITIES.map((priority) => this.#line(priority)).findLast(({ length }) => length)
    return line!.at(-1)!
  }

  #put(place: Place): void {
    const line = this.#line(place.waiting.priority)
    this.#places.set(place.waiting.workload, place)
    line.splice(placeOf(line, place.serial), 0, place)
  }

  #take(place: Place): void {
    const line = this.#line(place.waiting.priority)
    this.#places.delete(place.waiting.workload)
    line.splice(placeOf(line, place.serial), 1)
  }

  #line(priority: Priority): Place[] {
    return this.#lines.get(priority)!
  }
}

/** Where it is, or would be. */
function placeOf(line: readonly Place[], serial: number): number {
  let [low, high] = [0, line.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (line[middle].serial < serial) low = middle + 1
    else high = middle
  }
  return low
}
