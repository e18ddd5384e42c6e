/** `[policy.votes]`, or `[pools.NAME.votes]` for what differs in one pool. Off unless it is asked for. */
import { z } from 'zod'
import type { VoteRules } from '../core/vote.ts'
import { duration } from './toml.ts'

const DEFAULT_VOTES: VoteRules = {
  quorumRatio: 2 / 3,
  deadlineMs: 120_000,
  validMs: 600_000,
  ageMinMs: 3_600_000,
  trustMinRatio: 0.5,
  electorsMin: 3,
  zoneWeightMaxRatio: 1,
  fenceNodesMax: 3,
  zoneFailover: true,
  regionFailover: true,
  emergency: true,
}

export const VotesTable = z.strictObject({
  enabled: z.boolean().optional(),
  quorum: z.number().gt(0.5, 'expected more than half, up to 1').lte(1).optional(),
  deadline: duration.optional(),
  valid_for: duration.optional(),
  age_min: duration.optional(),
  trust_min: z.number().min(0).max(1).optional(),
  electors_min: z.int().min(1).max(10_000).optional(),
  zone_weight_max: z.number().gt(0).lte(1).optional(),
  /** 0: every fence is asked for. */
  fence_nodes: z.int().min(0).max(1_000_000).optional(),
  zone_failover: z.boolean().optional(),
  region_failover: z.boolean().optional(),
  emergency: z.boolean().optional(),
})
export type VotesTable = z.output<typeof VotesTable>

/** `null`: off. */
export function toVotes(base?: VotesTable, own?: VotesTable): VoteRules | null {
  const table = { ...base, ...own }
  if (table.enabled !== true) return null
  const defaults = DEFAULT_VOTES
  return {
    quorumRatio: table.quorum ?? defaults.quorumRatio,
    deadlineMs: table.deadline ?? defaults.deadlineMs,
    validMs: table.valid_for ?? defaults.validMs,
    ageMinMs: table.age_min ?? defaults.ageMinMs,
    trustMinRatio: table.trust_min ?? defaults.trustMinRatio,
    electorsMin: table.electors_min ?? defaults.electorsMin,
    zoneWeightMaxRatio: table.zone_weight_max ?? defaults.zoneWeightMaxRatio,
    fenceNodesMax: table.fence_nodes ?? defaults.fenceNodesMax,
    zoneFailover: table.zone_failover ?? defaults.zoneFailover,
    regionFailover: table.region_failover ?? defaults.regionFailover,
    emergency: table.emergency ?? defaults.emergency,
  }
}
