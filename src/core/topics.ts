/** The topics of a deployment: names, partition counts and retention. The only place that lists them. */
import type { TopicSpec } from './bus.ts'

/** What producers outside write and ingest reads; all with `nodePartitions` partitions. */
export const INPUT_TOPICS = [
  'telemetry',
  'events',
  'placements',
  'results',
  'votes',
  'evidence',
  'controls',
  'clock',
] as const
export const OUTPUT_TOPICS = [
  'predictions',
  'predictions.batches',
  'commands.migration',
  'commands.recovery',
  'alerts',
  'journal',
  'nodes',
  'assignments',
  'paths',
  'models',
  'resync',
  'dead-letter',
] as const
const INTERNAL_TOPICS = ['node-log', 'pool-log', 'stop'] as const

export type InputTopic = (typeof INPUT_TOPICS)[number]
export type OutputTopic = (typeof OUTPUT_TOPICS)[number]
export type TopicName = InputTopic | OutputTopic | (typeof INTERNAL_TOPICS)[number]

export interface Topology {
  /** Put before every topic name, group and transactional id, e.g. `foreshock.`. */
  readonly prefix: string
  /** P: partitions of the inputs, of node-log and of the outputs. Fixed for a deployment's life. */
  readonly nodePartitions: number
  /** Q: partitions of pool-log. */
  readonly poolPartitions: number
  /** `arrival`: time is the log's append time. `driven`: time is in the ticks of one driver. */
  readonly clock: 'arrival' | 'driven'
  /** Internal logs must outlive the longest time without a checkpoint. */
  readonly retentionMs: number
}

export function topicName(topology: Topology, name: TopicName): string {
  return topology.prefix + name
}

/** Partitions of a topic: node-log, inputs and outputs follow nodes; pool-log follows pools. */
export function partitionCount(topology: Topology, name: TopicName): number {
  if (name === 'pool-log') return topology.poolPartitions
  if (name === 'stop') return 1
  return topology.nodePartitions
}

export function topicSpecs(topology: Topology): readonly TopicSpec[] {
  const compacted: readonly TopicName[] = [
    'nodes',
    'assignments',
    'paths',
    'models',
    'placements',
    'stop',
  ]
  return [...INPUT_TOPICS, ...OUTPUT_TOPICS, ...INTERNAL_TOPICS].map((name) => ({
    name: topicName(topology, name),
    partitions: partitionCount(topology, name),
    ...(compacted.includes(name)
      ? { cleanup: 'compact' as const }
      : { cleanup: 'delete' as const, retentionMs: topology.retentionMs }),
  }))
}
