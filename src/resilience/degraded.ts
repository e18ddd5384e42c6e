/** Which parts of this process work worse than they should, from what they tell; each with since when. */
import { DEGRADED_LOSSES, type DegradedMode, type DegradedName } from '../core/degraded.ts'
import type { GuardFigures } from '../core/guard.ts'

/** Commits that are looked at; of older ones than a minute nothing follows. */
const COMMITS_MAX = 21
const COMMITS_MIN = 5
const COMMIT_AGE_MS = 60_000

export interface DegradedRules {
  /** A median of transactions over it is a slow broker. */
  readonly commitSlowMs: number
  readonly recorderBehindMs: number
  /** A watcher without a model tries again within this. */
  readonly modelRetryMs: number
}

interface Held {
  readonly sinceMs: number
  readonly detail: string
}

export class DegradedModes {
  readonly #rules: DegradedRules
  readonly #nowMs: () => number
  readonly #held = new Map<DegradedName, Held>()
  readonly #commits: { readonly atMs: number; readonly elapsedMs: number }[] = []
  #modelMissing: (Held & { readonly lastAtMs: number }) | null = null

  constructor(rules: DegradedRules, nowMs: () => number) {
    this.#rules = rules
    this.#nowMs = nowMs
  }

  /** From now on it holds, or does not; while it holds its beginning stays. */
  set(mode: DegradedName, detail: string | null, sinceMs = this.#nowMs()): void {
    const held = this.#held.get(mode)
    if (detail === null) this.#held.delete(mode)
    else this.#held.set(mode, { sinceMs: held?.sinceMs ?? sinceMs, detail })
  }

  /** A transaction took so long. */
  committed(elapsedMs: number): void {
    this.#commits.push({ atMs: this.#nowMs(), elapsedMs })
    if (this.#commits.length > COMMITS_MAX) this.#commits.shift()
  }

  /** A watcher could not have its model, and gave its partition back. */
  modelMissing(detail: string): void {
    const lastAtMs = this.#nowMs()
    const { sinceMs } = this.#waitingForModel(lastAtMs) ?? { sinceMs: lastAtMs }
    this.#modelMissing = { sinceMs, lastAtMs, detail }
  }

  /** What has been recorded is so much older than what is in the log. */
  recorded(behindMs: number): void {
    const isBehind = behindMs > this.#rules.recorderBehindMs
    const seconds = Math.round(behindMs / 1_000)
    this.set('recorder-behind', isBehind ? `the recorder is ${seconds} s behind the log` : null)
  }

  /** In the order of their names in `DEGRADED_LOSSES`. */
  modes(guards: readonly GuardFigures[]): readonly DegradedMode[] {
    const nowMs = this.#nowMs()
    const waiting = this.#waitingForModel(nowMs)
    this.set('inference-down', waiting?.detail ?? null, waiting?.sinceMs)
    const slowMs = this.#slowCommitMs(nowMs)
    this.set(
      'broker-slow',
      slowMs === null ? null : `half of the transactions take ${Math.round(slowMs)} ms or more`,
    )
    const failing = {
      'pages-undelivered': failureOf(guards, ['alertmanager', 'webhook']),
      'history-off': this.#held.get('history-off') ?? failureOf(guards, ['history']),
    }
    return (Object.keys(DEGRADED_LOSSES) as DegradedName[]).flatMap((mode) => {
      const held = mode in failing ? failing[mode as keyof typeof failing] : this.#held.get(mode)
      if (held === undefined || held === null) return []
      const { sinceMs, detail } = held
      return [{ mode, sinceMs, lost: DEGRADED_LOSSES[mode], detail }]
    })
  }

  #waitingForModel(nowMs: number): Held | null {
    const missing = this.#modelMissing
    if (missing === null || nowMs - missing.lastAtMs > this.#rules.modelRetryMs) return null
    return missing
  }

  /** The median of what was committed within the last minute, where it is slow. */
  #slowCommitMs(nowMs: number): number | null {
    const recent = this.#commits.filter(({ atMs }) => nowMs - atMs <= COMMIT_AGE_MS)
    if (recent.length < COMMITS_MIN) return null
    const sorted = recent.map(({ elapsedMs }) => elapsedMs).sort((a, b) => a - b)
    const median = sorted[Math.floor(sorted.length / 2)]
    return median > this.#rules.commitSlowMs ? median : null
  }
}

/** Of those of these targets that fail, the one that has failed longest. */
function failureOf(guards: readonly GuardFigures[], targets: readonly string[]): Held | null {
  let worst: Held | null = null
  for (const { target, failingSinceMs: sinceMs, lastError } of guards) {
    if (!targets.includes(target) || sinceMs === null) continue
    if (worst === null || sinceMs < worst.sinceMs) {
      worst = { sinceMs, detail: `${target}: ${lastError ?? 'no answer'}` }
    }
  }
  return worst
}
