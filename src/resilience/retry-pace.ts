/**
 * How often and how soon a failed call is tried again, from what the target did lately.
 *
 * Retries are paid for: a failure takes one token, a success gives a tenth of one, and below half of the
 * tokens nothing is tried again. So a target that fails now and then gets its retries, and one that is down
 * gets one try a call instead of several. Pauses start at what an answer takes (a mean with weight 0.2 for
 * the newest), double with each try, and are spread by half to one and a half of themselves.
 */
import { CallFailure } from '../core/guard.ts'

const TOKENS_MAX = 20
const TOKENS_OF_SUCCESS = 0.1
const NEWEST_WEIGHT = 0.2
export const PAUSE_MIN_MS = 100
export const PAUSE_MAX_MS = 5_000

export class RetryPace {
  readonly #random: () => number
  #tokens = TOKENS_MAX
  #answerMs = 0

  /** @param random 0 to 1. */
  constructor(random: () => number) {
    this.#random = random
  }

  succeeded(elapsedMs: number): void {
    this.#tokens = Math.min(TOKENS_MAX, this.#tokens + TOKENS_OF_SUCCESS)
    this.#answerMs += NEWEST_WEIGHT * (elapsedMs - this.#answerMs)
  }

  failed(): void {
    this.#tokens = Math.max(0, this.#tokens - 1)
  }

  mayRetry(): boolean {
    return this.#tokens > TOKENS_MAX / 2
  }

  /** Before try `attempt` + 1, from 1; what the other side asked for is kept to within `PAUSE_MAX_MS`. */
  pauseMs(attempt: number, error: Error | null): number {
    const asked = error instanceof CallFailure ? (error.retryAfterMs ?? 0) : 0
    const base = Math.max(PAUSE_MIN_MS, this.#answerMs)
    const grown = Math.min(PAUSE_MAX_MS, base * 2 ** (attempt - 1))
    return Math.min(PAUSE_MAX_MS, Math.max(asked, grown * (0.5 + this.#random())))
  }
}
