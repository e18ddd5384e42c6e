/**
 * Cohort tables: every watcher counts its own nodes, and the sum goes back to all of them through the
 * log, so that peer statistics depend neither on the number of partitions nor on who is faster.
 */
import type { Output } from '../core/bus.ts'
import { logOutput } from '../core/log.ts'
import { partitionCount, topicName, type Topology } from '../core/topics.ts'
import type { CohortTable, CohortWindow } from '../state/cohorts.ts'

/** Windows of one node class that wait for a slow watcher; the oldest is given up and stays missing. */
export const WAITING_WINDOWS_MAX = 4

interface Waiting {
  readonly sources: Set<number>
  readonly tables: Map<string, CohortTable>
}

export class CohortMerge {
  readonly #topology: Topology
  /** Node class → window → what was reported so far. */
  readonly #classes = new Map<string, Map<number, Waiting>>()
  #mergedCount = 0

  constructor(topology: Topology) {
    this.#topology = topology
  }

  /** Windows merged since the log began. */
  get mergedCount(): number {
    return this.#mergedCount
  }

  /** The merged tables for every node-log partition, once all watchers have reported the window. */
  take(record: CohortWindow): readonly Output[] {
    const { source, nodeClass, window, cohorts } = record
    const windows = this.#classes.get(nodeClass) ?? new Map<number, Waiting>()
    this.#classes.set(nodeClass, windows)
    const waiting = windows.get(window) ?? { sources: new Set(), tables: new Map() }
    if (waiting.sources.has(source)) return []
    windows.set(window, waiting)
    waiting.sources.add(source)
    for (const table of cohorts) {
      const known = waiting.tables.get(table.cohort)
      waiting.tables.set(table.cohort, known === undefined ? table : sumOf(known, table))
    }
    if (waiting.sources.size === this.#topology.nodePartitions) {
      for (const older of windows.keys()) if (older <= window) windows.delete(older)
      return this.#publish(record, waiting.tables)
    }
    if (windows.size > WAITING_WINDOWS_MAX) windows.delete(Math.min(...windows.keys()))
    return []
  }

  #publish(
    { source, nodeClass, window }: CohortWindow,
    tables: ReadonlyMap<string, CohortTable>,
  ): readonly Output[] {
    if (tables.size === 0) return []
    this.#mergedCount++
    const cohorts = [...tables.values()].sort((a, b) => (a.cohort < b.cohort ? -1 : 1))
    const body: CohortWindow = { source, nodeClass, window, cohorts }
    const topic = topicName(this.#topology, 'node-log')
    const count = partitionCount(this.#topology, 'node-log')
    return Array.from({ length: count }, (_, partition) =>
      logOutput(topic, partition, 'cohort-table', nodeClass, body),
    )
  }
}

/** Bins are the same for both: they come from the bounds of the node class. */
function sumOf(a: CohortTable, b: CohortTable): CohortTable {
  const metrics: Record<string, readonly number[]> = { ...a.metrics }
  for (const [name, counts] of Object.entries(b.metrics)) {
    const known = a.metrics[name]
    metrics[name] = known === undefined ? counts : counts.map((n, bin) => n + (known[bin] ?? 0))
  }
  return { ...a, metrics }
}
