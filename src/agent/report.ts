/** What an executor publishes: results keyed by pool, placements keyed by workload. */
import type { Output } from '../core/bus.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import type { Command, Result, ResultState } from '../core/command.ts'
import { partitionOf } from '../core/partition.ts'
import type { Topology } from '../core/topics.ts'
import { partitionCount, topicName } from '../core/topics.ts'
import type { Placement } from '../core/workload.ts'

export interface Reporter {
  readonly topology: Topology
  /** CloudEvents source, e.g. `/agents/n17`. */
  readonly source: string
}

export function resultOutput(
  reporter: Reporter,
  command: Command,
  state: ResultState,
  detail: string | null,
  nowMs: number,
): Output {
  const { commandId, epoch, pool, node } = command
  const body: Result = { commandId, epoch, pool, node, state, atMs: nowMs, detail }
  return cloudEventOutput(
    topicName(reporter.topology, 'results'),
    partitionOf(pool, partitionCount(reporter.topology, 'results')),
    {
      type: `foreshock.result.${state}`,
      source: reporter.source,
      id: `${commandId}/${state}/${nowMs}`,
      subject: pool,
      atMs: nowMs,
    },
    body,
  )
}

/** `id` must be the same when the same placement is published again. */
export function placementOutput(
  reporter: Reporter,
  placement: Placement,
  id: string,
  nowMs: number,
): Output {
  return cloudEventOutput(
    topicName(reporter.topology, 'placements'),
    partitionOf(placement.workload, partitionCount(reporter.topology, 'placements')),
    {
      type: 'foreshock.placement.changed',
      source: reporter.source,
      id,
      subject: placement.workload,
      atMs: nowMs,
    },
    placement,
  )
}
