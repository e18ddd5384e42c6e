/**
 * Whether a pool will have room for its work after it has lost as many nodes as its budget lets be in
 * repair, and how many nodes more it would need. Sums are compared, so work that only fits nowhere
 * because it is cut in large pieces is not seen.
 */
import type { NodeId } from '../../core/ids.ts'
import { type Amounts, type PoolSeries, type Resource, RESOURCES } from './pool-books.ts'
import { type Ahead, forecastSeries, type SeriesForecast } from './series-forecast.ts'

/** Times that are looked at, however far ahead. */
const LOOKS_MAX = 2_000
const NODES_MORE_MAX = 100_000

export interface RoomRules {
  /** Share of the nodes that may be in repair at once; at least one node. */
  readonly budgetRatio: number
  readonly targetLoadMaxRatio: number
}

export interface ResourceRoom {
  readonly resource: Resource
  readonly load: number
  readonly capacity: number
  /** What may be used when the budgeted nodes, the largest ones, are gone. */
  readonly usable: number
  /** Null where the history is too short. */
  readonly season: SeriesForecast['season'] | null
  readonly perDay: Ahead | null
  /** The load at the end of the time. */
  readonly ahead: Ahead | null
  /** When the load passes what is usable: as expected, and at the upper end of the interval; null: not in this time. */
  readonly runsOutAtMs: { readonly expected: number | null; readonly earliest: number | null }
  /**
   * Nodes of the pool's mean size for the largest load in this time, as expected and at the upper end; null
   * where no node has any of it.
   */
  readonly nodesNeeded: { readonly expected: number; readonly high: number } | null
}

export interface RoomQuestion {
  readonly series: PoolSeries
  readonly load: Amounts
  readonly nodes: ReadonlyMap<NodeId, Amounts>
  readonly rules: RoomRules
  readonly nowMs: number
  readonly aheadMs: number
}

export function budgetOf({ budgetRatio }: RoomRules, nodeCount: number): number {
  return Math.max(1, Math.floor(budgetRatio * nodeCount))
}

/** Of each resource that is used. */
export function roomsOf(question: RoomQuestion): readonly ResourceRoom[] {
  const { series } = question
  return RESOURCES.filter((resource) => series.loads[resource].some((load) => load > 0)).map(
    (resource) => roomOf(resource, question),
  )
}

function roomOf(resource: Resource, question: RoomQuestion): ResourceRoom {
  const { series, nodes, rules, nowMs, aheadMs } = question
  const sizes = [...nodes.values()].map((capacity) => capacity[resource]).sort((a, b) => b - a)
  const capacity = sizes.reduce((sum, size) => sum + size, 0)
  const usable = usableWith(0, sizes, rules)
  const load = question.load[resource]
  const forecast = forecastSeries(series.loads[resource], series.stepMs)
  const course = forecast === null ? NO_COURSE : courseOf(forecast, usable, question)
  const isOver = load > usable
  return {
    resource,
    load,
    capacity,
    usable,
    season: forecast?.season ?? null,
    perDay: forecast?.perDay ?? null,
    ahead: forecast === null ? null : notNegative(forecast.at(aheadMs)),
    runsOutAtMs: isOver ? { expected: nowMs, earliest: nowMs } : course.runsOutAtMs,
    nodesNeeded:
      capacity === 0
        ? null
        : {
            expected: nodesFor(Math.max(load, course.largest), sizes, rules),
            high: nodesFor(Math.max(load, course.highest), sizes, rules),
          },
  }
}

interface Course {
  readonly largest: number
  readonly highest: number
  readonly runsOutAtMs: ResourceRoom['runsOutAtMs']
}

const NO_COURSE: Course = {
  largest: 0,
  highest: 0,
  runsOutAtMs: { expected: null, earliest: null },
}

/** How large the load gets, and when it first passes what is usable. */
function courseOf(forecast: SeriesForecast, usable: number, question: RoomQuestion): Course {
  const { series, nowMs, aheadMs } = question
  const stepMs = series.stepMs * Math.max(1, Math.ceil(aheadMs / series.stepMs / LOOKS_MAX))
  let [largest, highest] = [0, 0]
  let expected: number | null = null
  let earliest: number | null = null
  for (let afterMs = stepMs; afterMs <= aheadMs; afterMs += stepMs) {
    const { value, high } = forecast.at(afterMs)
    largest = Math.max(largest, value)
    highest = Math.max(highest, high)
    if (value > usable) expected ??= nowMs + afterMs
    if (high > usable) earliest ??= nowMs + afterMs
  }
  return { largest, highest, runsOutAtMs: { expected, earliest } }
}

/** No load is less than none. */
function notNegative({ value, low, high }: Ahead): Ahead {
  return { value: Math.max(0, value), low: Math.max(0, low), high: Math.max(0, high) }
}

/** With so many nodes of mean size more, and the largest ones of the budget gone. */
function usableWith(more: number, sizes: readonly number[], rules: RoomRules): number {
  const capacity = sizes.reduce((sum, size) => sum + size, 0)
  const mean = sizes.length === 0 ? 0 : capacity / sizes.length
  const lost = sizes.slice(0, budgetOf(rules, sizes.length + more))
  const gone = lost.reduce((sum, size) => sum + size, 0)
  return rules.targetLoadMaxRatio * Math.max(0, capacity + more * mean - gone)
}

/** By halving; `NODES_MORE_MAX` where even so many are not enough. */
function nodesFor(load: number, sizes: readonly number[], rules: RoomRules): number {
  let [least, most] = [0, NODES_MORE_MAX]
  while (least < most) {
    const middle = Math.floor((least + most) / 2)
    if (usableWith(middle, sizes, rules) >= load) most = middle
    else least = middle + 1
  }
  return least
}
