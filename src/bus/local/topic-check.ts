/** The checks of topics and outputs that every store makes before it writes. */
import type { Output, TopicSpec } from '../../core/bus.ts'
import { ServiceError } from '../../core/errors.ts'

export function missingTopic(name: string): ServiceError {
  return new ServiceError(
    'TOPIC_MISSING',
    `topic ${name} does not exist: create it with \`foreshock topics create\``,
  )
}

/** True when the topic is there as asked, false when it has to be made; throws TOPIC_MISMATCH. */
export function topicExists(existing: TopicSpec | undefined, wanted: TopicSpec): boolean {
  if (existing === undefined) return false
  if (existing.partitions === wanted.partitions) return true
  throw new ServiceError(
    'TOPIC_MISMATCH',
    `topic ${wanted.name} has ${existing.partitions} partitions, not ${wanted.partitions}: ` +
      'set the configured count to that, or follow the procedure for growing a topic',
  )
}

export function checkOutput(spec: TopicSpec, output: Output): void {
  const { partition } = output
  if (Number.isInteger(partition) && partition >= 0 && partition < spec.partitions) return
  throw new ServiceError(
    'TOPIC_MISMATCH',
    `topic ${spec.name} has no partition ${partition}, its partitions are 0 to ${spec.partitions - 1}`,
  )
}
