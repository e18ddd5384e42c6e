/**
 * A configuration for the log, made by a process from its file. Its shape is checked here and the bounds of
 * detectors where it is folded; keys that this version does not know are kept.
 */
import { z } from 'zod'
import { SEVERITIES } from '../core/fault.ts'
import { MERGE_POLICIES, SPLIT_BRAIN_POLICIES } from '../core/split-brain.ts'
import { CONFIG_POOLS_MAX, type ConfigControl } from '../core/runtime-config.ts'

const ratio = z.number().min(0).max(1)
const ms = z.number().min(0)
const said = z
  .string()
  .trim()
  .min(1, 'expected who and why: it is written to the journal')
  .max(1_024)

const emergency = z
  .looseObject({
    enterRatio: ratio,
    leaveRatio: ratio,
    leaveAfterMs: ms,
    nodesMin: z.int().min(1),
  })
  .refine(({ enterRatio, leaveRatio }) => leaveRatio <= enterRatio, {
    error: '`leaveRatio` is over `enterRatio`; expected at most that',
  })

const splitBrain = z
  .looseObject({
    policy: z.enum(SPLIT_BRAIN_POLICIES),
    stableAfterMs: ms,
    quorumNodes: z.int().min(1).nullable(),
    leaseWaitMs: ms,
    minority: z.enum(['pause', 'fence']),
    resumeEveryMs: ms,
    merge: z.enum(MERGE_POLICIES),
  })
  .refine(({ policy, quorumNodes }) => (policy === 'static-quorum') === (quorumNodes !== null), {
    error: '`quorumNodes` is for static-quorum, and null for the others',
  })

const votes = z.looseObject({
  quorumRatio: z.number().gt(0.5).max(1),
  deadlineMs: ms,
  validMs: ms,
  ageMinMs: ms,
  trustMinRatio: ratio,
  electorsMin: z.int().min(1),
  zoneWeightMaxRatio: z.number().gt(0).max(1),
  fenceNodesMax: z.int().min(0),
  zoneFailover: z.boolean(),
  // A configuration from before it could be set has none.
  regionFailover: z.boolean().default(false),
  emergency: z.boolean(),
})

const policy = z.looseObject({
  version: z.string().min(1),
  mode: z.enum(['observe', 'approve', 'enforce']),
  actingPoint: z.looseObject({ kind: z.enum(['threshold', 'card', 'alert-budget', 'cost']) }),
  hysteresisRatio: ratio,
  persistenceCount: z.int().min(1),
  cooldownMs: ms,
  attemptsMax: z.int().min(1),
  budgetRatio: ratio,
  sharedCauseRatio: ratio,
  sharedCauseNodesMin: z.int().min(1),
  commandTtlMs: ms,
  targetLoadMaxRatio: ratio,
  recoveryLoadMaxRatio: ratio.default(1),
  // A configuration from before they could be set has neither.
  overloadRatio: z.number().gt(0).nullable().default(null),
  regionalFailover: z.boolean().default(false),
  makesRoom: z.boolean().default(false),
  replicates: z.boolean().default(false),
  dryRun: z.boolean(),
  emergency: emergency.exactOptional(),
  splitBrain: splitBrain.nullable().exactOptional(),
  votes: votes.nullable().exactOptional(),
  detectors: z.record(z.string(), z.record(z.string(), z.union([z.number(), z.boolean()]))),
})

const change = z.object({
  key: z.string().min(1),
  from: z.string().nullable(),
  to: z.string().nullable(),
})

export const configControl = z
  .object({
    kind: z.literal('config'),
    version: z.string().min(1).max(128),
    settings: z.looseObject({
      policy,
      pools: z
        .record(z.string(), policy)
        .refine((pools) => Object.keys(pools).length <= CONFIG_POOLS_MAX, {
          error: `at most ${CONFIG_POOLS_MAX} pools`,
        }),
      promotion: z.looseObject({}),
      drift: z.looseObject({}),
      alerts: z.object({
        severityMin: z.enum(SEVERITIES),
        repeatMs: ms,
        escalateMs: ms,
        pagesPerMinute: z.int().min(1),
      }),
      watch: z.object({ watchMs: ms, worseRatio: z.number().min(1), worseMin: z.int().min(1) }),
    }),
    keys: z.record(z.string(), z.string()),
    changes: z.array(change),
    by: said,
    reason: said,
    pool: z.null().default(null),
  })
  .transform((control) => control as unknown as ConfigControl)
