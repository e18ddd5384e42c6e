/** What an error of kafkajs means for us. It nests the broker's answer under its own retries. */
import { ServiceError } from '../../core/errors.ts'
import type { KafkaBusOptions } from './client.ts'

export interface Failure {
  /** The broker's name for it, e.g. INVALID_PRODUCER_EPOCH; empty where no broker answered. */
  readonly type: string
  readonly message: string
  readonly retriable: boolean
}

interface Nested {
  readonly name?: unknown
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

/** Also where the brokers answer, but not to us: the message then says whom they refuse, and why. */
export function unreachable(
  { brokers, sasl }: Pick<KafkaBusOptions, 'brokers' | 'sasl'>,
  cause: unknown,
): ServiceError {
  const { message } = failureOf(cause)
  const at = brokers.join(', ')
  if (isLoginRefused(cause)) {
    const user = sasl !== undefined && 'username' in sasl ? `user "${sasl.username}"` : 'us'
    return new ServiceError(
      'BUS_UNREACHABLE',
      `Kafka at ${at} refuses ${user} (${message}). Mend kafka.sasl.username, password or ` +
        'mechanism (FORESHOCK_KAFKA_SASL_…), or have the user created.',
      { cause },
    )
  }
  if (/certificate|self.signed/i.test(message)) {
    return new ServiceError(
      'BUS_UNREACHABLE',
      `the certificate of Kafka at ${at} is not trusted (${message}). Name the file of its ` +
        'authority in kafka.ssl_ca.',
      { cause },
    )
  }
  return new ServiceError(
    'BUS_UNREACHABLE',
    `no Kafka broker answers at ${at} (${message}). Start one there ` +
      '(`npm run kafka:up` for a local one) or name the right brokers in the configuration.',
    { cause },
  )
}

/** True when the brokers do not take the user's word for who it is; trying again changes nothing. */
export function isLoginRefused(error: unknown): boolean {
  let current: unknown = error
  for (let depth = 0; depth < DEPTH_MAX && typeof current === 'object' && current; depth++) {
    const { name, cause, originalError } = current as Nested
    if (name === 'KafkaJSSASLAuthenticationError') return true
    current = cause ?? originalError
  }
  return false
}

/** An error of ours where the brokers know the user and do not let it; else undefined. */
export function denied(
  { sasl }: Pick<KafkaBusOptions, 'sasl'>,
  cause: unknown,
): ServiceError | undefined {
  const { type, message } = failureOf(cause)
  if (!type.endsWith('_AUTHORIZATION_FAILED')) return undefined
  const user = sasl !== undefined && 'username' in sasl ? `user "${sasl.username}"` : 'this client'
  return new ServiceError(
    'ACCESS_DENIED',
    `Kafka does not let ${user} do this (${message}): give it the role that may, with ` +
      '`foreshock topics grant ROLE=USER`',
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
