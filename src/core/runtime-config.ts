/** What of the configuration may change while the service runs, and the control that changes it. */
import type { PageRules } from './alert.ts'
import type { DriftRules, PromotionRules } from './model-life.ts'
import type { Policy } from './policy.ts'

/** When a change is taken back: a rate per node and day that is clearly over that before. */
export interface WatchRules {
  /** A changed pool is watched for so long. */
  readonly watchMs: number
  /** The least that the rate must be, with 95 % certainty, of the most that it was before. */
  readonly worseRatio: number
  /** Fewer events than this are never worse. */
  readonly worseMin: number
}

export const DEFAULT_WATCH: WatchRules = { watchMs: 3_600_000, worseRatio: 2, worseMin: 10 }

export interface RuntimeSettings {
  /** Of every pool without one of its own. */
  readonly policy: Policy
  readonly pools: Readonly<Record<string, Policy>>
  readonly promotion: PromotionRules
  readonly drift: DriftRules
  readonly alerts: PageRules
  readonly watch: WatchRules
}

/** A key of the TOML file, as it was and as it is; null where the file does not say. */
export interface ConfigChange {
  readonly key: string
  readonly from: string | null
  readonly to: string | null
}

/** A changed key that nothing is held against, so that it stays until people change it, and why. */
export interface UnwatchedKey {
  readonly key: string
  readonly because: string
}

/**
 * Pools are watched by what their policies cause. What is not of a pool has, by its beginning, another
 * guard or no effect on what is done to nodes.
 */
const UNWATCHED: readonly (readonly [beginning: string, because: string])[] = [
  [
    'promotion.hold_out',
    'it says which nodes are left alone to measure by, and no rate speaks of them',
  ],
  ['promotion.', 'a model that does worse goes back by its own trial'],
  ['drift.', 'it says when people are told of drift, and moves nothing'],
  ['alerts.', 'it says when people are paged, and moves nothing'],
  ['reload.', 'it is what changes are watched by'],
]

/** Those of the changes that no rate of a pool judges. */
export function unwatchedOf(changes: readonly ConfigChange[]): readonly UnwatchedKey[] {
  return changes.flatMap(({ key }) => {
    const because = UNWATCHED.find(([beginning]) => key.startsWith(beginning))?.[1]
    return because === undefined ? [] : [{ key, because }]
  })
}

/** As people read it. */
export function unwatchedText({ key, because }: UnwatchedKey): string {
  return `${key} is not taken back by itself: ${because}`
}

/** More of either is refused: a record in the log is read again by every owner. */
export const CONFIG_POOLS_MAX = 1_000
export const CONFIG_BYTES_MAX = 262_144

export interface ConfigControl {
  readonly kind: 'config'
  readonly pool: null
  /** Of the settings: the same settings have the same. */
  readonly version: string
  readonly settings: RuntimeSettings
  /** Every key that is set, as text, to tell the next change from. */
  readonly keys: Readonly<Record<string, string>>
  readonly changes: readonly ConfigChange[]
  readonly by: string
  readonly reason: string
}

export type ConfigState = 'in-force' | 'refused' | 'kept' | 'taken-back'

/** What the journal says of a configuration. */
export interface ConfigNote {
  readonly version: string
  readonly state: ConfigState
  readonly changes: readonly ConfigChange[]
  /** In force for who pages people. */
  readonly alerts?: PageRules
}

export interface ConfigFigures {
  /** What the log has in force; null: each process has its own file's. */
  readonly said: Pick<ConfigControl, 'version' | 'keys' | 'by' | 'reason'> | null
  /** Pools that are watched, or went back to what they had before. */
  readonly pools: readonly {
    readonly pool: string
    readonly state: 'watched' | 'taken-back'
    readonly sinceMs: number
  }[]
  readonly takenBackCount: number
}
