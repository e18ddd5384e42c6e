/** The checks of topics and outputs that every store makes before it writes. */
import type { Output, TopicSpec } from '../../core/bus.ts'
import { ServiceError } from '../../core/errors.ts'

/** As with the broker that this project sets up, so that a record fits one bus as well as another. */
const RECORD_BYTES_MAX = 8 * 1024 * 1024

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
  const bytes = byteLength(output.key) + byteLength(output.value)
  if (bytes > RECORD_BYTES_MAX) throw tooLarge(spec.name, bytes)
  if (Number.isInteger(partition) && partition >= 0 && partition < spec.partitions) return
  throw new ServiceError(
    'TOPIC_MISMATCH',
    `topic ${spec.name} has no partition ${partition}, its partitions are 0 to ${spec.partitions - 1}`,
  )
}

function byteLength(bytes: string | Uint8Array | null): number {
  return bytes === null ? 0 : Buffer.byteLength(bytes)
}

function tooLarge(topic: string, bytes: number): ServiceError {
  return new ServiceError(
    'RECORD_TOO_LARGE',
    `a record of ${bytes} bytes for topic ${topic} exceeds the ${RECORD_BYTES_MAX} bytes of one ` +
      'record: split it',
  )
}
