/** How all that is outside of the bus is called: pages, models of peers, files of history. */

/**
 * How long an answer is waited for: a critical call fails soon, so that it is tried again or told of; a
 * low one may take its time.
 */
export const PRIORITIES = ['critical', 'normal', 'low'] as const
export type Priority = (typeof PRIORITIES)[number]

export interface GuardRules {
  /** So many failures in a row open the breaker. */
  readonly failuresMax: number
  /** An open breaker refuses for so long. */
  readonly openMs: number
  /** So many calls in a row must succeed before it is closed; no more run at once meanwhile. */
  readonly probes: number
  /** Calls of one target at once. */
  readonly concurrencyMax: number
  /** Calls that wait for their turn; more are refused. */
  readonly queueMax: number
  /** Of one call, the first try among them. */
  readonly attemptsMax: number
  readonly timeoutMs: Readonly<Record<Priority, number>>
}

export const DEFAULT_GUARD: GuardRules = {
  failuresMax: 5,
  openMs: 60_000,
  probes: 3,
  concurrencyMax: 8,
  queueMax: 64,
  attemptsMax: 4,
  timeoutMs: { critical: 5_000, normal: 15_000, low: 60_000 },
}

/**
 * For calls that are evidence themselves: a breaker would answer in place of who is asked, and a second try would
 * hide that the first one failed. What is left is the bulkhead and the time that an answer may take.
 */
export function lookRules(rules: GuardRules): GuardRules {
  return { ...rules, failuresMax: Number.POSITIVE_INFINITY, attemptsMax: 1 }
}

/** The other side answered, and what it said tells whether asking again helps. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure'
  readonly passing: boolean
  /** As the other side asks for; null where it does not. */
  readonly retryAfterMs: number | null

  constructor(message: string, passing: boolean, retryAfterMs: number | null = null) {
    super(message)
    this.passing = passing
    this.retryAfterMs = retryAfterMs
  }
}

/** The other side was not asked: it failed too often a moment ago, or too many wait for it. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused'
}

export type BreakerState = 'closed' | 'half-open' | 'open'
export type CallOutcome = 'succeeded' | 'failed' | 'retried' | 'timed-out' | 'refused'

export interface GuardFigures {
  readonly target: string
  readonly state: BreakerState
  /** Of the first failure since the last success; null while it works. */
  readonly failingSinceMs: number | null
  readonly lastError: string | null
  readonly calls: Readonly<Partial<Record<CallOutcome, number>>>
}
