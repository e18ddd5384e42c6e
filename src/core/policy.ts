/** Policies: what a pool may do. Safe by default: it observes. */
import type { AcknowledgeControl, SilenceControl } from './alert.ts'
import { DEFAULT_EMERGENCY, type EmergencyControl, type EmergencyRules } from './emergency.ts'
import type { IncidentId, ModelId, NodeId, PoolId } from './ids.ts'
import type { MaintenanceControl } from './maintenance.ts'
import type { ConfigControl } from './runtime-config.ts'
import type { ShardRules } from './shard.ts'
import type { SplitBrainRules } from './split-brain.ts'
import type { ChooserRules } from './strategy.ts'
import type { VoteRules } from './vote.ts'

/** `observe`: journal what would be done. `approve`: wait for an operator. `enforce`: act. */
export type Mode = 'observe' | 'approve' | 'enforce'

/** Of one action, and of one failure that it would have averted, in any one unit. */
export interface Costs {
  readonly action: number
  readonly failure: number
}

export type ActingPoint =
  | { readonly kind: 'threshold'; readonly probability: number }
  /** The point that the model's card recommends. */
  | { readonly kind: 'card' }
  | { readonly kind: 'alert-budget'; readonly falseAlarmsPer1000NodeMonths: number }
  | ({ readonly kind: 'cost' } & Costs)

export type DetectorSettings = Readonly<
  Record<string, Readonly<Record<string, number | boolean>> | undefined>
>

export interface Policy {
  readonly version: string
  readonly mode: Mode
  readonly actingPoint: ActingPoint
  /** A node counts as cleared below acting point × this. */
  readonly hysteresisRatio: number
  /** Assessments in a row at or over the acting point before acting. */
  readonly persistenceCount: number
  readonly cooldownMs: number
  readonly attemptsMax: number
  /** Share of a pool's nodes that may be in repair at once, at least 1 node. */
  readonly budgetRatio: number
  /** Share of a zone's nodes alarming at once that makes it one shared cause: preemptive work waits. */
  readonly sharedCauseRatio: number
  /** A zone smaller than this has no shared cause. */
  readonly sharedCauseNodesMin: number
  readonly emergency: EmergencyRules
  /** `null`: while the network is split the side without majority is left alone, and nothing else follows. */
  readonly splitBrain: SplitBrainRules | null
  /** `null`: nothing is voted on. */
  readonly votes: VoteRules | null
  readonly commandTtlMs: number
  /** Highest load a target may reach by a move, of its capacity. */
  readonly targetLoadMaxRatio: number
  /** Where no target stays within that, work that is down may load one up to this. */
  readonly recoveryLoadMaxRatio: number
  /** A node over this load is relieved until targets' bound holds; `null`: nothing moves for its load. */
  readonly overloadRatio: number | null
  /** Where all nodes of a region are down its CRITICAL and HIGH work goes to others, and the rest waits. */
  readonly regionalFailover: boolean
  /** Where failed work finds no room, other work moves to make some, and watches of nodes that return end early. */
  readonly makesRoom: boolean
  /** Data that is wrong is fetched from nodes that have it right, by command. */
  readonly replicates: boolean
  readonly dryRun: boolean
  /** Share of its capacity with which a node that is let back returns first, over 0; at 1 it returns whole. */
  readonly returnRatio: number
  /** So long it is watched before it returns whole. */
  readonly returnWatchMs: number
  /** `null`: strategies are not chosen; the last rung of each ladder is what is done. */
  readonly chooser: ChooserRules | null
  /** By detector, where a setting differs from the detector's own default. */
  readonly detectors: DetectorSettings
  /** `null`: the pool has no shards. Not part of the version, because no command depends on it. */
  readonly shards: ShardRules | null
}

export const DEFAULT_POLICY: Policy = {
  version: 'default',
  mode: 'observe',
  actingPoint: { kind: 'threshold', probability: 0.8 },
  hysteresisRatio: 0.8,
  persistenceCount: 1,
  cooldownMs: 300_000,
  attemptsMax: 3,
  budgetRatio: 0.1,
  sharedCauseRatio: 0.3,
  sharedCauseNodesMin: 5,
  emergency: DEFAULT_EMERGENCY,
  splitBrain: null,
  votes: null,
  commandTtlMs: 600_000,
  targetLoadMaxRatio: 0.9,
  recoveryLoadMaxRatio: 1,
  overloadRatio: null,
  regionalFailover: false,
  makesRoom: false,
  replicates: false,
  dryRun: false,
  returnRatio: 0.25,
  returnWatchMs: 600_000,
  chooser: null,
  detectors: {},
  shards: null,
}

/** What operators send. Each is journaled with its reason. */
export type Control =
  | PoolControl
  | ModelControl
  | MaintenanceControl
  | SilenceControl
  | AcknowledgeControl
  | EmergencyControl
  | ConfigControl

/** Pool `null` means every pool. */
export type PoolControl =
  | {
      readonly kind: 'mode'
      readonly pool: PoolId | null
      readonly mode: Mode
      readonly by: string
      readonly reason: string
    }
  | {
      readonly kind: 'stop'
      readonly pool: PoolId | null
      readonly stopped: boolean
      readonly by: string
      readonly reason: string
    }
  | {
      readonly kind: 'veto'
      readonly pool: PoolId | null
      readonly node: NodeId
      readonly veto: boolean
      readonly by: string
      readonly reason: string
    }
  | ApprovalControl

/** In mode `approve` what an incident asks for is done once it is approved; until it gets graver. */
export interface ApprovalControl {
  readonly kind: 'approval'
  readonly pool: PoolId | null
  readonly incident: IncidentId
  readonly approved: boolean
  readonly by: string
  readonly reason: string
}

/**
 * Which model serves a class of nodes: `activate` puts one in its place, `challenge` has one scored
 * beside it and compared, `canary` has one serve the canary pools first, `promote` puts the challenger in
 * place, `rollback` takes the one before. `model` is null in a rollback; for `canary` and `promote` null is
 * the challenger.
 */
export interface ModelControl {
  readonly kind: 'model'
  readonly pool: null
  readonly action: ModelAction
  readonly nodeClass: string
  readonly model: ModelId | null
  readonly by: string
  readonly reason: string
}

export const MODEL_ACTIONS = ['activate', 'challenge', 'canary', 'promote', 'rollback'] as const
type ModelAction = (typeof MODEL_ACTIONS)[number]

/** Why such a control cannot be; null where it can. */
export function modelControlProblem(control: {
  readonly action: ModelAction
  readonly model: string | null
}): string | null {
  const { action, model } = control
  const isFit =
    action === 'canary' || action === 'promote' || (action === 'rollback') === (model === null)
  return isFit ? null : 'activate and challenge name a model, rollback names none'
}
