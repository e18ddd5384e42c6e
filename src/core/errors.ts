/** The two ways to fail on purpose: an expected failure that a caller can act on, and a bug. */

export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'CONFIG_FIXED'
  | 'USAGE'
  | 'BUS_UNREACHABLE'
  | 'BUS_CLOSED'
  | 'ACCESS_DENIED'
  | 'STORE_LOCKED'
  | 'STORE_FULL'
  | 'TOPIC_MISSING'
  | 'TOPIC_MISMATCH'
  | 'RECORD_TOO_LARGE'
  | 'OFFSET_OUT_OF_RANGE'
  | 'INPUT_INVALID'
  | 'NODE_CLASS_UNKNOWN'
  | 'TABLE_FULL'
  | 'MODEL_INVALID'
  | 'MODEL_MISMATCH'
  | 'MODEL_MISSING'
  | 'PROVIDER_UNAVAILABLE'
  | 'HISTORY_INVALID'
  | 'HISTORY_EMPTY'
  | 'PORT_IN_USE'
  | 'KEY_INVALID'
  | 'INTERRUPTED'

/** An expected failure that a caller can act on; its message names the field or file and the mend. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof ServiceError
}

/** A bug: the process ends. Never used for input from outside. */
export function assert(condition: boolean, because = 'assertion failed'): asserts condition {
  if (!condition) throw new Error(`bug: ${because}`)
}

/** The end of a `switch` over a closed union. */
export function never(value: never): never {
  throw new Error(`bug: unexpected ${String(value)}`)
}
