/**
 * What a coordinator knows of one node. A million of them are held, and each object of each is walked
 * at every garbage collection, so numbers lie side by side in one array and equal things are shared.
 */
import type { Contribution, Liveness, ModelRef } from '../core/assessment.ts'
import type { IncidentId, NodeId, PoolId } from '../core/ids.ts'
import type { Capacity, Place } from '../core/node.ts'
import { type Alarm, QUIET } from '../decide/alarm.ts'
import type { Returning } from './coordinator-returns.ts'
import type { Acted, Incident } from './coordinator-state.ts'

/** How a node is counted in its pool and zone. */
export interface Counted {
  readonly pool: PoolId
  readonly zone: string | null
  readonly alarming: boolean
  /** Silent or critical; a confirmed failure is counted apart. */
  readonly failing: boolean
}

const NOTHING: readonly Contribution[] = []
const LAST_SEEN_AT = 0
const SILENT_FOR = 1
const HEALTH = 2
const PROBABILITY = 3
const ACTING_POINT = 4
const MEMBER_SINCE = 5
const REPORTED_AT = 6
const NUMBERS = 7

/** The numbers of all nodes; NaN is null. */
export class NodeNumbers {
  #values: Float64Array
  #count = 0
  readonly #free: number[] = []

  constructor(places = 1_024) {
    this.#values = new Float64Array(places * NUMBERS)
  }

  /** A place for a node's numbers, all of them null. */
  take(): number {
    const slot = this.#free.pop() ?? this.#count++
    if ((slot + 1) * NUMBERS > this.#values.length) {
      const grown = new Float64Array(2 * this.#values.length)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values.fill(Number.NaN, slot * NUMBERS, (slot + 1) * NUMBERS)
    return slot
  }

  /** The place is another's from now on; its numbers live on in a store of their own. */
  give(slot: number): NodeNumbers {
    const own = new NodeNumbers(1)
    own.take()
    own.#values.set(this.#values.subarray(slot * NUMBERS, (slot + 1) * NUMBERS))
    this.#free.push(slot)
    return own
  }

  get(slot: number, which: number): number {
    return this.#values[slot * NUMBERS + which]
  }

  set(slot: number, which: number, value: number): void {
    this.#values[slot * NUMBERS + which] = value
  }
}

export class NodeState {
  readonly id: NodeId
  /** Of its node-log: the watcher that sees it. */
  readonly partition: number
  pool: PoolId
  class = ''
  zone: string | null = null
  /** Shared with the nodes that are at the same place. */
  place: Place | null = null
  capacity: Capacity | null = null
  /** Last certain word; `livenessOf` says whether it still holds. */
  liveness: Liveness = 'unknown'
  /** It reports itself while its telemetry is missing. */
  vouched = false
  model: ModelRef | null = null
  alarm: Alarm = QUIET
  /** When the confirmed failure was folded. */
  failedAtMs: number | null = null
  maintenanceUntilMs: number | null = null
  vetoed: string | null
  /** The incident whose cordon or fence it carries. */
  cordonedBy: IncidentId | null = null
  incident: Incident | null = null
  /** While it takes work with a part of its capacity only. */
  returning: Returning | null = null
  acted: Acted | null = null
  /** How it is counted now. */
  counted: Counted | null = null
  #numbers: NodeNumbers
  #slot: number
  #top = NOTHING

  constructor(numbers: NodeNumbers, node: Pick<NodeState, 'id' | 'partition' | 'pool' | 'vetoed'>) {
    this.id = node.id
    this.partition = node.partition
    this.pool = node.pool
    this.vetoed = node.vetoed
    this.#numbers = numbers
    this.#slot = numbers.take()
    this.lastSeenAtMs = 0
    this.silentForMs = 0
    this.reportedAtMs = 0
  }

  get lastSeenAtMs(): number {
    return this.#numbers.get(this.#slot, LAST_SEEN_AT)
  }
  set lastSeenAtMs(value: number) {
    this.#numbers.set(this.#slot, LAST_SEEN_AT, value)
  }

  /** Of its pool, by the log's time. */
  get memberSinceMs(): number {
    return this.#numbers.get(this.#slot, MEMBER_SINCE)
  }
  set memberSinceMs(value: number) {
    this.#numbers.set(this.#slot, MEMBER_SINCE, value)
  }

  get silentForMs(): number {
    return this.#numbers.get(this.#slot, SILENT_FOR)
  }
  set silentForMs(value: number) {
    this.#numbers.set(this.#slot, SILENT_FOR, value)
  }

  /** The newest evidence of its own, by both clocks. */
  get reportedAtMs(): number {
    return this.#numbers.get(this.#slot, REPORTED_AT)
  }
  set reportedAtMs(value: number) {
    this.#numbers.set(this.#slot, REPORTED_AT, value)
  }

  get health(): number | null {
    return this.#nullable(HEALTH)
  }
  set health(value: number | null) {
    this.#numbers.set(this.#slot, HEALTH, value ?? Number.NaN)
  }

  get probability(): number | null {
    return this.#nullable(PROBABILITY)
  }
  set probability(value: number | null) {
    this.#numbers.set(this.#slot, PROBABILITY, value ?? Number.NaN)
  }

  get actingPoint(): number | null {
    return this.#nullable(ACTING_POINT)
  }
  set actingPoint(value: number | null) {
    this.#numbers.set(this.#slot, ACTING_POINT, value ?? Number.NaN)
  }

  get top(): readonly Contribution[] {
    return this.#top
  }
  set top(value: readonly Contribution[]) {
    this.#top = value.length === 0 ? NOTHING : value
  }

  /** It has left; late results may still name it. */
  release(): void {
    this.#numbers = this.#numbers.give(this.#slot)
    this.#slot = 0
  }

  #nullable(which: number): number | null {
    const value = this.#numbers.get(this.#slot, which)
    return Number.isNaN(value) ? null : value
  }
}
