/** Policies in TOML: `[policy]` for every pool, `[pools.NAME]` for what differs in one. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { DEFAULT_POLICY } from '../core/policy.ts'
import type { ActingPoint, Policy } from '../core/policy.ts'
import { DEFAULT_EMERGENCY, type EmergencyRules } from '../core/emergency.ts'
import { ServiceError } from '../core/errors.ts'
import type { ChooserRules } from '../core/strategy.ts'
import { BOUND_DEFAULT, REPLICAS_MAX } from '../core/ring.ts'
import { networkPartition } from '../detect/network-partition.ts'
import { isEnabled } from '../detect/settings.ts'
import { SHARDS_MAX, type ShardRules } from '../core/shard.ts'
import { DetectorsTable, mergeDetectors } from './detectors.ts'
import { SplitBrainTable, toSplitBrain } from './split-brain.ts'
import { duration } from './toml.ts'
import { toVotes, VotesTable } from './votes.ts'

/** Least and most share of the choices that try something out, unless told otherwise. */
const EXPLORE_MIN = 0.01
const EXPLORE_MAX = 0.1

/** Of a node's capacity: a node may be said to carry more than it has. */
const OVERLOAD_MAX = 16

const ratio = z.number().min(0).max(1)

const actingPoint = z.union(
  [
    z.number().gt(0).lte(1),
    z.literal('card'),
    z.strictObject({ alert_budget: z.number().gt(0) }),
    z.strictObject({ action_cost: z.number().gt(0), failure_cost: z.number().gt(0) }),
  ],
  'expected a probability over 0 and up to 1, "card", { alert_budget = false alarms per 1,000 node-months }, or { action_cost = of one move, failure_cost = of one failure it averts }',
)

/** Every key may be left out: a pool takes those of `[policy]`, and that the built-in ones. */
export const PolicyTable = z.strictObject({
  version: z.string().min(1).optional(),
  mode: z.enum(['observe', 'approve', 'enforce']).optional(),
  acting_point: actingPoint.optional(),
  hysteresis: ratio.optional(),
  persistence: z.int().min(1).max(1_000).optional(),
  cooldown: duration.optional(),
  attempts_max: z.int().min(1).max(100).optional(),
  budget: ratio.optional(),
  shared_cause: ratio.optional(),
  shared_cause_nodes_min: z.int().min(1).optional(),
  emergency_ratio: ratio.optional(),
  emergency_leave_ratio: ratio.optional(),
  emergency_leave_after: duration.optional(),
  emergency_nodes_min: z.int().min(1).optional(),
  command_ttl: duration.optional(),
  target_load_max: ratio.optional(),
  recovery_load_max: ratio.optional(),
  overload: z.number().gt(0).lte(OVERLOAD_MAX).optional(),
  regional_failover: z.boolean().optional(),
  make_room: z.boolean().optional(),
  replicate: z.boolean().optional(),
  dry_run: z.boolean().optional(),
  return_ratio: z.number().gt(0).lte(1).optional(),
  return_watch: duration.optional(),
  chooser: z.enum(['fixed', 'learn']).optional(),
  explore_min: ratio.optional(),
  explore_ratio: ratio.optional(),
  split_brain: SplitBrainTable.optional(),
  votes: VotesTable.optional(),
  detectors: DetectorsTable.optional(),
})

/** Of one pool: a policy, and how its shards are placed. Pools without `shards` have none. */
export const PoolTable = PolicyTable.extend({
  shards: z.int().min(0).max(SHARDS_MAX).optional(),
  replication_factor: z.int().min(1).max(REPLICAS_MAX).optional(),
  load_bound: z.number().min(1).max(64).optional(),
  moves_max: z.int().min(1).max(SHARDS_MAX).optional(),
})

type PolicyTable = z.output<typeof PolicyTable>
type PoolTable = z.output<typeof PoolTable>

/** A policy without a `version` of its own is named by its content, so a changed one never looks the same. */
export function toPolicy(base: PolicyTable, own: PoolTable): Policy {
  const defaults = DEFAULT_POLICY
  const table: PolicyTable = { ...base, ...own }
  const detectors = mergeDetectors(base.detectors, own.detectors)
  const rules: Omit<Policy, 'version' | 'shards'> = {
    mode: table.mode ?? defaults.mode,
    actingPoint: toActingPoint(table.acting_point),
    hysteresisRatio: table.hysteresis ?? defaults.hysteresisRatio,
    persistenceCount: table.persistence ?? defaults.persistenceCount,
    cooldownMs: table.cooldown ?? defaults.cooldownMs,
    attemptsMax: table.attempts_max ?? defaults.attemptsMax,
    budgetRatio: table.budget ?? defaults.budgetRatio,
    sharedCauseRatio: table.shared_cause ?? defaults.sharedCauseRatio,
    sharedCauseNodesMin: table.shared_cause_nodes_min ?? defaults.sharedCauseNodesMin,
    emergency: toEmergencyRules(table),
    commandTtlMs: table.command_ttl ?? defaults.commandTtlMs,
    targetLoadMaxRatio: table.target_load_max ?? defaults.targetLoadMaxRatio,
    recoveryLoadMaxRatio: toRecoveryLoad(table),
    overloadRatio: toOverload(table),
    regionalFailover: table.regional_failover ?? defaults.regionalFailover,
    makesRoom: table.make_room ?? defaults.makesRoom,
    replicates: table.replicate ?? defaults.replicates,
    dryRun: table.dry_run ?? defaults.dryRun,
    returnRatio: table.return_ratio ?? defaults.returnRatio,
    returnWatchMs: table.return_watch ?? defaults.returnWatchMs,
    chooser: toChooserRules(table),
    splitBrain: toSplitBrain(
      base.split_brain,
      own.split_brain,
      isEnabled(networkPartition, detectors),
    ),
    votes: toVotes(base.votes, own.votes),
    detectors,
  }
  return { version: table.version ?? versionOf(rules), ...rules, shards: toShardRules(own) }
}

function toRecoveryLoad(table: PolicyTable): number {
  const least = table.target_load_max ?? DEFAULT_POLICY.targetLoadMaxRatio
  const most = table.recovery_load_max ?? DEFAULT_POLICY.recoveryLoadMaxRatio
  if (most >= least) return most
  const mend = `set it to at least target_load_max (${least})`
  throw new ServiceError('CONFIG_INVALID', `recovery_load_max: ${most} is too little; ${mend}`)
}

function toOverload({ overload, target_load_max: bound }: PolicyTable): number | null {
  const least = bound ?? DEFAULT_POLICY.targetLoadMaxRatio
  if (overload === undefined || overload >= least) return overload ?? null
  const mend = `set it to at least target_load_max (${least})`
  throw new ServiceError('CONFIG_INVALID', `overload: ${overload} is too little; ${mend}`)
}

function toChooserRules(table: PolicyTable): ChooserRules | null {
  const { chooser = 'fixed', explore_ratio: most = EXPLORE_MAX, explore_min: least } = table
  if (chooser === 'fixed') return null
  const exploreMinRatio = least ?? Math.min(EXPLORE_MIN, most)
  if (exploreMinRatio > most) {
    const mend = `set it to at most explore_ratio (${most})`
    throw new ServiceError('CONFIG_INVALID', `explore_min: ${exploreMinRatio} is too much; ${mend}`)
  }
  return { exploreMinRatio, exploreMaxRatio: most }
}

function toEmergencyRules(table: PolicyTable): EmergencyRules {
  const enterRatio = table.emergency_ratio ?? DEFAULT_EMERGENCY.enterRatio
  const leaveRatio =
    table.emergency_leave_ratio ?? Math.min(DEFAULT_EMERGENCY.leaveRatio, enterRatio)
  if (leaveRatio > enterRatio) {
    const mend = `set it to at most emergency_ratio (${enterRatio})`
    throw new ServiceError(
      'CONFIG_INVALID',
      `emergency_leave_ratio: ${leaveRatio} is too much; ${mend}`,
    )
  }
  return {
    enterRatio,
    leaveRatio,
    leaveAfterMs: table.emergency_leave_after ?? DEFAULT_EMERGENCY.leaveAfterMs,
    nodesMin: table.emergency_nodes_min ?? DEFAULT_EMERGENCY.nodesMin,
  }
}

function toShardRules(own: PoolTable): ShardRules | null {
  const { shards = 0, replication_factor: replicaCount = 1, load_bound: boundRatio } = own
  if (shards === 0) return null
  return {
    shardCount: shards,
    replicaCount,
    boundRatio: boundRatio ?? BOUND_DEFAULT,
    movesMax: own.moves_max ?? null,
  }
}

function toActingPoint(point: PolicyTable['acting_point']): ActingPoint {
  if (point === undefined) return DEFAULT_POLICY.actingPoint
  if (point === 'card') return { kind: 'card' }
  if (typeof point === 'number') return { kind: 'threshold', probability: point }
  if ('action_cost' in point) {
    return { kind: 'cost', action: point.action_cost, failure: point.failure_cost }
  }
  return { kind: 'alert-budget', falseAlarmsPer1000NodeMonths: point.alert_budget }
}

function versionOf(rules: Omit<Policy, 'version' | 'shards'>): string {
  const { version, shards: _, ...defaults } = DEFAULT_POLICY
  const text = textOf(rules)
  if (text === textOf(defaults)) return version
  return `sha256:${createHash('sha256').update(text).digest('hex').slice(0, 12)}`
}

/** What is as it was before it could be set is left out: policies from then keep their names. */
function textOf(rules: Omit<Policy, 'version' | 'shards'>): string {
  const { chooser, overloadRatio, regionalFailover, emergency, splitBrain, votes, ...others } =
    rules
  const { returnRatio, returnWatchMs, recoveryLoadMaxRatio, makesRoom, replicates, ...old } = others
  return JSON.stringify({
    ...old,
    ...(chooser === null ? {} : { chooser }),
    ...(overloadRatio === null ? {} : { overloadRatio }),
    ...(regionalFailover ? { regionalFailover } : {}),
    ...(makesRoom ? { makesRoom } : {}),
    ...(replicates ? { replicates } : {}),
    ...(isDeepStrictEqual(emergency, DEFAULT_EMERGENCY) ? {} : { emergency }),
    ...(splitBrain === null ? {} : { splitBrain }),
    ...(votes === null ? {} : { votes }),
    ...(recoveryLoadMaxRatio === DEFAULT_POLICY.recoveryLoadMaxRatio
      ? {}
      : { recoveryLoadMaxRatio }),
    ...(returnRatio === DEFAULT_POLICY.returnRatio ? {} : { returnRatio }),
    ...(returnWatchMs === DEFAULT_POLICY.returnWatchMs ? {} : { returnWatchMs }),
  })
}
