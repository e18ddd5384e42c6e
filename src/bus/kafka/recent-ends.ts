/**
 * Where topics end, asked once for all leases of a membership: each asks for itself, about once a
 * second, and the answer is the same for all.
 */

/** A watermark's delay is longer than this, so that nothing that came since is vouched for. */
const AGE_MS_MAX = 100

interface Answer {
  readonly askedAtMs: number
  readonly ends: Promise<readonly number[]>
}

export class RecentEnds {
  readonly #ask: (topic: string) => Promise<readonly number[]>
  readonly #nowMs: () => number
  /** By topic; as many as the membership has. */
  readonly #answers = new Map<string, Answer>()

  constructor(ask: (topic: string) => Promise<readonly number[]>, nowMs: () => number) {
    this.#ask = ask
    this.#nowMs = nowMs
  }

  /** Per partition the offset after the last committed record, as of at most 100 ms before the call. */
  of(topic: string): Promise<readonly number[]> {
    const known = this.#answers.get(topic)
    const nowMs = this.#nowMs()
    if (known !== undefined && nowMs - known.askedAtMs <= AGE_MS_MAX) return known.ends
    const answer: Answer = { askedAtMs: nowMs, ends: this.#ask(topic) }
    this.#answers.set(topic, answer)
    // A failure is nobody's answer but of those who wait for it.
    answer.ends.catch(() => {
      if (this.#answers.get(topic) === answer) this.#answers.delete(topic)
    })
    return answer.ends
  }
}
