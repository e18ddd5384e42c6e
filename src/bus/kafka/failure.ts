/** What an error of kafkajs means for us. It nests the broker's answer under its own retries. */
import { ServiceError } from '../../core/errors.ts'

export interface Failure {
  /** The broker's name for it, e.g. INVALID_PRODUCER_EPOCH; empty where no broker answered. */
  readonly type: string
  readonly message: string
  readonly retriable: boolean
}

interface Nested {
  readonly type?: unknown
  readonly code?: unknown
  readonly cause?: unknown
  readonly originalError?: unknown
  readonly retriable?: unknown
}

/** Causes nest at most this deep in kafkajs; a cycle must not hang us. */
const DEPTH_MAX = 8
/** PRODUCER_FENCED, which kafkajs 2.2.4 has no name for. */
const PRODUCER_FENCED = 90
const FENCED: ReadonlySet<string> = new Set([
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'PRODUCER_FENCED',
])

export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  let retriable = false
  let current: unknown = error
  for (let depth = 0; depth < DEPTH_MAX && typeof current === 'object' && current; depth++) {
    const { type, code, cause, originalError, retriable: again } = current as Nested
    if (code === PRODUCER_FENCED) return { type: 'PRODUCER_FENCED', message, retriable: false }
    if (typeof type === 'string') return { type, message, retriable: again === true }
    retriable ||= again === true
    current = cause ?? originalError
  }
  return { type: '', message, retriable }
}

/** True when another producer has taken our transactional id: what we had open can only be aborted. */
export function isFenced(failure: Failure): boolean {
  return FENCED.has(failure.type)
}

export function isTopicMissing(failure: Failure): boolean {
  return failure.type === 'UNKNOWN_TOPIC_OR_PARTITION'
}

export function unreachable(brokers: readonly string[], cause: unknown): ServiceError {
  const { message } = failureOf(cause)
  return new ServiceError(
    'BUS_UNREACHABLE',
    `no Kafka broker answers at ${brokers.join(', ')} (${message}). Start one there ` +
      '(`npm run kafka:up` for a local one) or name the right brokers in the configuration.',
    { cause },
  )
}

export function busClosed(): ServiceError {
  return new ServiceError('BUS_CLOSED', 'the bus was closed: open a new one to go on')
}

export function topicMissing(topic: string): ServiceError {
  return new ServiceError(
    'TOPIC_MISSING',
    `there is no topic ${topic}: create it with \`foreshock topics create\``,
  )
}
