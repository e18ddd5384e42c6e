/** `[model_store]`, `[promotion]`, `[drift]` and `[history]`: the life of a model, in TOML. */
import { z } from 'zod'
import {
  DEFAULT_DRIFT,
  DEFAULT_PROMOTION,
  type DriftRules,
  type PromotionRules,
} from '../core/model-life.ts'
import { ID_BYTES_MAX, type PoolId } from '../core/ids.ts'
import { duration } from './toml.ts'

const ratio = z.number().min(0).max(1)

export const ModelStoreTable = z.strictObject({
  directory: z.string().min(1).optional(),
  /** Consoles that have models which this machine may lack. */
  peers: z.array(z.url({ protocol: /^https?$/ })).default([]),
  /** A partition waits so long for a model that its log names, and is then given back. */
  wait: duration.prefault('60s'),
})

/** More would be no service any more. */
const HOLD_OUT_RATIO_MAX = 0.2
const CANARY_POOLS_MAX = 64
const poolId = z.string().min(1).max(ID_BYTES_MAX)

export const PromotionTable = z
  .strictObject({
    automatic: z.boolean().default(DEFAULT_PROMOTION.automatic),
    failures_min: z.int().min(1).max(10_000).default(DEFAULT_PROMOTION.failuresMin),
    margin: ratio.default(DEFAULT_PROMOTION.margin),
    alert_budget: z.number().gt(0).default(DEFAULT_PROMOTION.falseAlarmsPer1000NodeMonths),
    trial_max: duration.prefault('30d'),
    canary_pools: z.array(poolId).max(CANARY_POOLS_MAX).default([]),
    canary_time: duration.prefault('24h'),
    moved_labels: z.enum(['exclude', 'down-weight']).default('exclude'),
    moved_labels_weight: z.number().gt(0).max(1).default(0.25),
    hold_out_ratio: ratio.max(HOLD_OUT_RATIO_MAX).default(DEFAULT_PROMOTION.holdOutRatio),
    hold_outs_per_day: z.int().min(1).max(100).default(DEFAULT_PROMOTION.holdOutsPerDay),
    override_max: ratio.default(DEFAULT_PROMOTION.overrideMax),
    override_proposals_min: z
      .int()
      .min(1)
      .max(10_000)
      .default(DEFAULT_PROMOTION.overrideProposalsMin),
    canary_failures_min: z.int().min(1).max(10_000).default(DEFAULT_PROMOTION.canaryFailuresMin),
  })
  .refine(({ canary_time: time, trial_max: most }) => time <= most, {
    message: 'longer than promotion.trial_max: give less, or raise that',
    path: ['canary_time'],
  })

export const DriftTable = z.strictObject({
  window: duration.prefault('24h'),
  stability_max: z.number().gt(0).default(DEFAULT_DRIFT.stabilityMax),
  feature_share_max: ratio.default(DEFAULT_DRIFT.featureShareMax),
})

export const HistoryTable = z.strictObject({
  /** Absent: nothing is recorded by the service. */
  directory: z.string().min(1).optional(),
  retention: duration.prefault('90d'),
  /** Files appear this often, at the latest. */
  flush: duration.prefault('5m'),
})

export function toPromotion(table: z.output<typeof PromotionTable>): PromotionRules {
  return {
    automatic: table.automatic,
    failuresMin: table.failures_min,
    margin: table.margin,
    falseAlarmsPer1000NodeMonths: table.alert_budget,
    trialMaxMs: table.trial_max,
    canaryPools: [...new Set(table.canary_pools)].map((pool) => pool as PoolId),
    canaryMs: table.canary_time,
    canaryFailuresMin: table.canary_failures_min,
    overrideMax: table.override_max,
    holdOutRatio: table.hold_out_ratio,
    holdOutsPerDay: table.hold_outs_per_day,
    overrideProposalsMin: table.override_proposals_min,
    movedWeight: table.moved_labels === 'exclude' ? 0 : table.moved_labels_weight,
  }
}

export function toDrift(table: z.output<typeof DriftTable>): DriftRules {
  return {
    windowMs: table.window,
    stabilityMax: table.stability_max,
    featureShareMax: table.feature_share_max,
  }
}
