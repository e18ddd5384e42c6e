/**
 * A guard for each target that is called outside: a bulkhead, retries, a breaker and a timeout, in this order
 * from the outside, on cockatiel's policies.
 *
 * cockatiel closes a half-open breaker after one success, lets every other call wait for that one, and then
 * lets them all through at once. So the breaker is told by `ProvenBreaker` to stay on probation for the
 * probes that are left, in which one failure opens it, and calls beyond the probes are refused here.
 */
import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  DelegateBackoff,
  handleAll,
  handleWhen,
  type IBreaker,
  retry,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
} from 'cockatiel'
import {
  type BreakerState,
  CallFailure,
  type CallOutcome,
  CallRefused,
  type GuardFigures,
  type GuardRules,
  type Priority,
} from '../core/guard.ts'
import type { Caller } from './caller.ts'
import { reasonOf } from './reason.ts'
import { RetryPace } from './retry-pace.ts'

/** Targets come from the configuration; beyond it is a bug. */
const TARGETS_MAX = 256

export interface GuardPorts {
  /** 0 to 1. */
  readonly random: () => number
  readonly nowMs: () => number
  /** After every call; absent: nobody asks. */
  readonly changed?: (figures: GuardFigures) => void
}

export class Guards {
  readonly #rules: GuardRules
  readonly #ports: GuardPorts
  readonly #guards = new Map<string, Guard>()

  constructor(rules: GuardRules, ports: GuardPorts) {
    this.#rules = rules
    this.#ports = ports
  }

  of(target: string): Guard {
    let guard = this.#guards.get(target)
    if (guard === undefined) {
      if (this.#guards.size >= TARGETS_MAX) throw new Error(`bug: over ${TARGETS_MAX} targets`)
      guard = new Guard(target, this.#rules, this.#ports)
      this.#guards.set(target, guard)
    }
    return guard
  }

  figures(): readonly GuardFigures[] {
    return [...this.#guards.values()].map((guard) => guard.figures())
  }
}

export class Guard implements Caller {
  readonly #target: string
  readonly #rules: GuardRules
  readonly #ports: GuardPorts
  readonly #pace: RetryPace
  readonly #proven: ProvenBreaker
  readonly #breaker: CircuitBreakerPolicy
  readonly #bulkhead
  readonly #retry
  readonly #calls: Partial<Record<CallOutcome, number>> = {}
  #running = 0
  #failingSinceMs: number | null = null
  #lastError: string | null = null

  constructor(target: string, rules: GuardRules, ports: GuardPorts) {
    this.#target = target
    this.#rules = rules
    this.#ports = ports
    this.#pace = new RetryPace(ports.random)
    this.#proven = new ProvenBreaker(rules)
    this.#breaker = circuitBreaker(handleAll, {
      halfOpenAfter: rules.openMs,
      breaker: this.#proven,
    })
    this.#bulkhead = bulkhead(rules.concurrencyMax, rules.queueMax)
    this.#retry = retry(
      handleWhen((error) => isPassing(error) && this.#pace.mayRetry()),
      {
        maxAttempts: rules.attemptsMax - 1,
        backoff: new DelegateBackoff(({ attempt, result }) =>
          this.#pace.pauseMs(attempt, 'error' in result ? result.error : null),
        ),
      },
    )
    this.#retry.onRetry(() => this.#count('retried'))
  }

  get state(): BreakerState {
    if (this.#breaker.state === CircuitState.Open) return 'open'
    if (this.#breaker.state === CircuitState.HalfOpen) return 'half-open'
    return this.#proven.isOnProbation ? 'half-open' : 'closed'
  }

  async call<Value>(
    priority: Priority,
    work: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    try {
      const value = await this.#bulkhead.execute(() =>
        this.#retry.execute(() => this.#try(priority, work)),
      )
      this.#failingSinceMs = null
      this.#count('succeeded')
      return value
    } catch (error) {
      throw this.#fail(error)
    }
  }

  figures(): GuardFigures {
    return {
      target: this.#target,
      state: this.state,
      failingSinceMs: this.#failingSinceMs,
      lastError: this.#lastError,
      calls: { ...this.#calls },
    }
  }

  async #try<Value>(
    priority: Priority,
    work: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    if (this.state === 'half-open' && this.#running >= this.#rules.probes) {
      throw new BrokenCircuitError()
    }
    const limit = timeout(this.#rules.timeoutMs[priority], TimeoutStrategy.Aggressive)
    const beganAtMs = this.#ports.nowMs()
    this.#running++
    try {
      const value = await this.#breaker.execute(() => limit.execute(({ signal }) => work(signal)))
      this.#pace.succeeded(this.#ports.nowMs() - beganAtMs)
      return value
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) this.#pace.failed()
      throw error
    } finally {
      this.#running--
    }
  }

  /** What the caller is told. */
  #fail(error: unknown): Error {
    const { openMs, concurrencyMax, queueMax, failuresMax } = this.#rules
    if (error instanceof BrokenCircuitError) {
      this.#count('refused')
      return new CallRefused(
        `${this.#target} is not asked within ${openMs} ms of ${failuresMax} failures in a row (${this.#lastError})`,
      )
    }
    if (error instanceof BulkheadRejectedError) {
      this.#count('refused')
      return new CallRefused(
        `${this.#target} has ${concurrencyMax} calls at work and ${queueMax} waiting`,
      )
    }
    const late = error instanceof TaskCancelledError
    const said = error instanceof Error ? error : new Error(String(error))
    const told = late ? new CallFailure('it did not answer in time', true) : said
    this.#failingSinceMs ??= this.#ports.nowMs()
    this.#lastError = reasonOf(told)
    this.#count(late ? 'timed-out' : 'failed')
    return told
  }

  #count(outcome: CallOutcome): void {
    this.#calls[outcome] = (this.#calls[outcome] ?? 0) + 1
    this.#ports.changed?.(this.figures())
  }
}

/** Opens after failures in a row; after it was open, so many successes in a row must prove it first. */
class ProvenBreaker implements IBreaker {
  state: unknown = null
  readonly #rules: GuardRules
  #failures = 0
  #proofsDue = 0

  constructor(rules: GuardRules) {
    this.#rules = rules
  }

  get isOnProbation(): boolean {
    return this.#proofsDue > 0
  }

  success(state: CircuitState): void {
    this.#failures = 0
    if (state === CircuitState.HalfOpen) this.#proofsDue = this.#rules.probes - 1
    else if (this.#proofsDue > 0) this.#proofsDue--
  }

  failure(): boolean {
    const opens = this.#proofsDue > 0 || ++this.#failures >= this.#rules.failuresMax
    if (opens) {
      this.#failures = 0
      this.#proofsDue = 0
    }
    return opens
  }
}

/** What is refused by its answer is refused again; anything else may pass. */
function isPassing(error: Error): boolean {
  if (error instanceof BrokenCircuitError) return false
  return error instanceof CallFailure ? error.passing : true
}
