/** kafkajs instances with our settings. Each kind of client has an instance, and a log, of its own. */
import type { ISocketFactory, Kafka, RetryOptions, SASLOptions } from 'kafkajs'

import type { ConnectionOptions } from 'node:tls'

import type { Output } from '../../core/bus.ts'
import { kafkajs } from './library.ts'
import { registerCodecs } from './codecs.ts'
import { mendKafkajs } from './mends.ts'

export type BusLog = (message: string, detail: Readonly<Record<string, unknown>>) => void

/** How far a commit is: its transaction begins, then holds the records, then the offsets, then is over. */
export type CommitStep = 'begun' | 'sent' | 'offsets' | 'committed'

export interface KafkaBusOptions {
  readonly brokers: readonly string[]
  readonly clientId: string
  /** Put before every transactional id and reader group. */
  readonly prefix: string
  readonly ssl?: ConnectionOptions | boolean
  readonly sasl?: SASLOptions
  readonly log?: BusLog
  /** How long a dead process keeps its partitions; brokers allow 6 s or more by default. */
  readonly sessionTimeoutMs?: number
  /** How long records stay hidden behind a process that died in the middle of a commit. */
  readonly transactionTimeoutMs?: number
  /** A lease without progress for so long, although records wait, is stuck. */
  readonly watchdogMs?: number
  /** Tries of the first connection; later outages are waited out. */
  readonly connectAttemptsMax?: number
  /** Opens the sockets; for tests that break connections at a chosen byte. */
  readonly socketFactory?: ISocketFactory
  /** Told of each step of each commit as it is reached; for tests that end the process there. */
  readonly onCommitStep?: (
    transactionalId: string,
    step: CommitStep,
    outputs: readonly Output[],
  ) => void
}

export const SESSION_TIMEOUT_MS = 6_000
export const TRANSACTION_TIMEOUT_MS = 2_000
export const WATCHDOG_MS = 30_000
export const CONNECT_ATTEMPTS_MAX = 4

/** kafkajs waits this long before the first retry of anything; its own 300 ms make commits slow. */
export const QUICK_RETRY: RetryOptions = { initialRetryTime: 5, maxRetryTime: 200, retries: 20 }

const CONNECTION_TIMEOUT_MS = 3_000
const REQUEST_TIMEOUT_MS = 15_000

export interface ClientSettings {
  readonly retry: RetryOptions
  readonly requestTimeoutMs?: number
  readonly onLog?: (message: string, content: Readonly<Record<string, unknown>>) => void
}

export function kafkaClient(options: KafkaBusOptions, settings: ClientSettings): Kafka {
  mendKafkajs()
  registerCodecs()
  const { logLevel } = kafkajs
  return new kafkajs.Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: settings.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    retry: settings.retry,
    ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
    ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    ...(options.socketFactory === undefined ? {} : { socketFactory: options.socketFactory }),
    logLevel: logLevel.ERROR,
    logCreator:
      () =>
      ({ log: { message, ...content } }) =>
        settings.onLog?.(message, content),
  })
}
