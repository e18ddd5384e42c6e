/**
 * Cohort tables: every watcher counts its own nodes, and the sum goes back to all of them through the
 * log, so that peer statistics depend neither on the number of partitions nor on who is faster.
 */
import type { Output } from '../core/bus.ts'
import { logOutput } from '../core/log.ts'
import { partitionCount, topicName, type Topology } from '../core/topics.ts'

/** Windows of one cohort that wait for a slow watcher; the oldest is given up, and stays missing. */
export const WAITING_WINDOWS_MAX = 4
/** Cohorts remembered; the one whose counts came longest ago is forgotten. */
export const COHORTS_MAX = 4_096

/** What the merge needs to know of a `cohort-counts` body; every other field is passed on. */
export interface CohortCountsRecord {
  readonly source: number
  readonly cohort: string
  readonly window: number
  /** Metric → counts per bin. */
  readonly metrics: unknown
}

interface Waiting {
  readonly sources: Set<number>
  sum: unknown
}

export class CohortMerge {
  readonly #topology: Topology
  readonly #cohorts = new Map<string, Map<number, Waiting>>()

  constructor(topology: Topology) {
    this.#topology = topology
  }

  get cohortCount(): number {
    return this.#cohorts.size
  }

  /** The merged table for every node-log partition, once all watchers have reported the window. */
  take(record: CohortCountsRecord): readonly Output[] {
    const windows = this.#windowsOf(record.cohort)
    const waiting = windows.get(record.window) ?? { sources: new Set<number>(), sum: undefined }
    if (waiting.sources.has(record.source)) return []
    waiting.sources.add(record.source)
    waiting.sum = waiting.sum === undefined ? record.metrics : added(waiting.sum, record.metrics)
    windows.set(record.window, waiting)
    if (waiting.sources.size === this.#topology.nodePartitions) {
      for (const window of windows.keys()) if (window <= record.window) windows.delete(window)
      return this.#publish(record, waiting.sum)
    }
    if (windows.size > WAITING_WINDOWS_MAX) windows.delete(Math.min(...windows.keys()))
    return []
  }

  #windowsOf(cohort: string): Map<number, Waiting> {
    const windows = this.#cohorts.get(cohort) ?? new Map<number, Waiting>()
    this.#cohorts.delete(cohort)
    this.#cohorts.set(cohort, windows)
    if (this.#cohorts.size > COHORTS_MAX) {
      const oldest = this.#cohorts.keys().next().value
      if (oldest !== undefined) this.#cohorts.delete(oldest)
    }
    return windows
  }

  #publish(record: CohortCountsRecord, metrics: unknown): readonly Output[] {
    const { source: _source, ...rest } = record
    const topic = topicName(this.#topology, 'node-log')
    const count = partitionCount(this.#topology, 'node-log')
    return Array.from({ length: count }, (_, partition) =>
      logOutput(topic, partition, 'cohort-table', record.cohort, { ...rest, metrics }),
    )
  }
}

/** Sums numbers at the same place, whatever the nesting; the shapes come from the same node class. */
function added(a: unknown, b: unknown): unknown {
  if (typeof a === 'number' && typeof b === 'number') return a + b
  if (Array.isArray(a) && Array.isArray(b)) return a.map((item, i) => added(item, b[i]))
  if (isRecord(a) && isRecord(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)])
    return Object.fromEntries(
      [...keys].map((key) => [key, key in a ? added(a[key], b[key]) : b[key]]),
    )
  }
  return a
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
