/** What the fleet says, as records of the public topics. */
import type { Output } from '../core/bus.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import type { ReachabilityReport } from '../core/evidence.ts'
import { partitionOf } from '../core/partition.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { Placement } from '../core/workload.ts'
import type { FleetEvent, Observation } from './fleet.ts'
import { METRICS, type Reading } from './signals.ts'

export const NODE_CLASS = 'server'
const SOURCE = '/fleet'

export class FleetRecords {
  private readonly topology: Topology

  constructor(topology: Topology) {
    this.topology = topology
  }

  event(event: FleetEvent): Output {
    const id = `${event.node}/${event.kind}/${event.atMs}`
    const type = `foreshock.event.${event.kind}`
    return this.output('events', event.node, type, id, event.atMs, publicEvent(event))
  }

  evidence(report: ReachabilityReport): Output {
    const { kind, node, pool, atMs } = report
    const { topology } = this
    const event = { source: SOURCE, id: `${node}/${kind}/${atMs}`, subject: node, atMs }
    return cloudEventOutput(
      topicName(topology, 'evidence'),
      partitionOf(pool, topology.nodePartitions),
      { type: `foreshock.evidence.${kind}`, ...event },
      report,
    )
  }

  placement(placement: Placement, nowMs: number): Output {
    const id = `${placement.workload}/placement/${nowMs}`
    const type = 'foreshock.placement.changed'
    return this.output('placements', placement.workload, type, id, nowMs, placement)
  }

  private output(
    topic: 'events' | 'placements',
    subject: string,
    type: string,
    id: string,
    atMs: number,
    body: unknown,
  ): Output {
    const { topology } = this
    return cloudEventOutput(
      topicName(topology, topic),
      partitionOf(subject, topology.nodePartitions),
      { type, source: SOURCE, id, subject, atMs },
      body,
    )
  }

  /** One JSON array per partition. */
  telemetry(observations: readonly Observation[]): readonly Output[] {
    const { topology } = this
    const samples = new Map<number, unknown[]>()
    for (const { node, atMs, reading } of observations) {
      const { id } = node.spec
      const partition = partitionOf(id, topology.nodePartitions)
      const sample = { node: id, class: NODE_CLASS, at: atMs, metrics: metricsOf(reading) }
      const others = samples.get(partition)
      if (others === undefined) samples.set(partition, [sample])
      else others.push(sample)
    }
    return [...samples].map(([partition, rows]) => ({
      topic: topicName(topology, 'telemetry'),
      partition,
      key: null,
      value: JSON.stringify(rows),
      headers: { 'content-type': 'application/json' },
    }))
  }
}

function metricsOf(reading: Reading): Record<string, number> {
  const metrics: Record<string, number> = {}
  for (const [index, value] of reading.entries()) {
    if (value !== null) metrics[METRICS[index]] = value
  }
  return metrics
}

/** The public shape: times are `at`, and a failure's `kind` is the kind of failure. */
function publicEvent(event: FleetEvent): unknown {
  if (event.kind === 'failure') {
    return { node: event.node, at: event.atMs, kind: event.failureKind }
  }
  const { atMs, ...rest } = event
  return { ...rest, at: atMs }
}
