/**
 * Group commit: while one write is being synced, further ones gather, and go to disk together. Each
 * caller is answered only when its own write is on disk.
 */
export interface Grouped<Draft> {
  /** Puts the change into the draft; throws, before it changed anything, to refuse it. */
  readonly apply: (draft: Draft) => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

export interface GroupSink<Draft> {
  begin(): Draft
  /** Resolves when the draft is on disk; rejects when nothing of it is. */
  flush(draft: Draft): Promise<void>
}

/** Changes in one group at most; the rest goes with the next. */
const GROUP_MAX = 1_024

export class GroupWriter<Draft> {
  readonly #sink: GroupSink<Draft>
  #waiting: Grouped<Draft>[] = []
  #running: Promise<void> | undefined

  constructor(sink: GroupSink<Draft>) {
    this.#sink = sink
  }

  async submit<Value>(apply: (draft: Draft) => Value): Promise<Value> {
    return await new Promise<Value>((resolve, reject) => {
      // What comes out is what this change's own `apply` gave.
      this.#waiting.push({ apply, resolve: resolve as (value: unknown) => void, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    // Callers of the same turn of the event loop share the first group.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#writeGroup(this.#waiting.splice(0, GROUP_MAX))
    this.#running = undefined
  }

  async #writeGroup(group: readonly Grouped<Draft>[]): Promise<void> {
    const draft = this.#sink.begin()
    const answers: (() => void)[] = []
    const accepted: Grouped<Draft>[] = []
    for (const change of group) {
      try {
        const value = change.apply(draft)
        answers.push(() => change.resolve(value))
        accepted.push(change)
      } catch (error) {
        change.reject(error)
      }
    }
    if (accepted.length === 0) return
    try {
      await this.#sink.flush(draft)
    } catch (error) {
      for (const change of accepted) change.reject(error)
      return
    }
    for (const answer of answers) answer()
  }
}
