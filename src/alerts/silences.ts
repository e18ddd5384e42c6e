/** What operators do not want to be told of, and until when. */
import { MATCHED, type Matchers, type SilenceControl } from '../core/alert.ts'

/** Beyond it the one that ends first is forgotten: people are told too much rather than too little. */
export const SILENCES_MAX = 1_000

export interface Silence {
  readonly silence: string
  readonly matchers: Matchers
  readonly untilMs: number
  readonly by: string
  readonly reason: string
}

export type Labels = Readonly<Record<(typeof MATCHED)[number], string | null>>

export class Silences {
  readonly #silences = new Map<string, Silence>()

  take({ silence, withdrawn, matchers, untilMs, by, reason }: SilenceControl): void {
    this.#silences.delete(silence)
    if (withdrawn || untilMs === null) return
    this.#silences.set(silence, { silence, matchers, untilMs, by, reason })
    if (this.#silences.size > SILENCES_MAX) this.#dropFirstToEnd()
  }

  /** Those that hold at this time. */
  standing(nowMs: number): readonly Silence[] {
    return [...this.#silences.values()].filter(({ untilMs }) => nowMs < untilMs)
  }

  /** The name of one that holds and matches, or null. */
  matching(labels: Labels, nowMs: number): string | null {
    for (const { silence, matchers, untilMs } of this.#silences.values()) {
      if (nowMs < untilMs && matches(matchers, labels)) return silence
    }
    return null
  }

  #dropFirstToEnd(): void {
    let first: Silence | null = null
    for (const each of this.#silences.values()) {
      if (first === null || each.untilMs < first.untilMs) first = each
    }
    if (first !== null) this.#silences.delete(first.silence)
  }
}

function matches(matchers: Matchers, labels: Labels): boolean {
  return MATCHED.every((label) => {
    const [wanted, value] = [matchers[label], labels[label]]
    if (wanted === undefined) return true
    if (value === null) return false
    return wanted.endsWith('*') ? value.startsWith(wanted.slice(0, -1)) : value === wanted
  })
}
