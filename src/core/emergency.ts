/** Emergencies: when so much of a pool fails that nothing is moved ahead of a failure any more. */
import type { PoolId } from './ids.ts'

export interface EmergencyRules {
  /** More than this share of a pool's nodes failing is an emergency, 0..1. */
  readonly enterRatio: number
  /** It ends once no more than this share has been failing for `leaveAfterMs`. */
  readonly leaveRatio: number
  readonly leaveAfterMs: number
  /** Fewer failing nodes are no emergency, whatever their share: one of three is an incident. */
  readonly nodesMin: number
}

export const DEFAULT_EMERGENCY: EmergencyRules = {
  enterRatio: 0.33,
  leaveRatio: 0.2,
  leaveAfterMs: 120_000,
  nodesMin: 2,
}

/** A person declares one, or ends one; pool null is every pool. */
export interface EmergencyControl {
  readonly kind: 'emergency'
  readonly pool: PoolId | null
  readonly emergency: boolean
  readonly by: string
  readonly reason: string
}

/** What holds for a whole pool; lines of the journal carry it when it begins, changes or is over. */
export interface PoolCondition {
  readonly name: 'emergency' | 'split-brain' | 'resync'
  readonly state: 'standing' | 'over'
  readonly sinceMs: number
  /** A sentence for people. */
  readonly summary: string
}
