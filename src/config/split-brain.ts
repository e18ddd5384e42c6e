/** `[policy.split_brain]`, or `[pools.NAME.split_brain]` for what differs in one pool. */
import { z } from 'zod'
import {
  DEFAULT_MERGE,
  MERGE_POLICIES,
  SPLIT_BRAIN_POLICIES,
  type SplitBrainRules,
} from '../core/split-brain.ts'
import { duration, invalid } from './toml.ts'

const STABLE_AFTER_MS = 20_000
const LEASE_WAIT_MS = 10_000
const RESUME_EVERY_MS = 10_000

export const SplitBrainTable = z.strictObject({
  /** `off`: only the side without majority is left alone. */
  policy: z.enum(['off', ...SPLIT_BRAIN_POLICIES]).optional(),
  stable_after: duration.optional(),
  quorum: z.int().min(1).max(65_536).optional(),
  lease_wait: duration.optional(),
  minority: z.enum(['pause', 'fence']).optional(),
  resume_every: duration.optional(),
  merge: z.enum(MERGE_POLICIES).optional(),
})
export type SplitBrainTable = z.output<typeof SplitBrainTable>

/** `null`: off. `isWatched`: whether a detector says where the network is split. */
export function toSplitBrain(
  base: SplitBrainTable | undefined,
  own: SplitBrainTable | undefined,
  isWatched: boolean,
): SplitBrainRules | null {
  const table = { ...base, ...own }
  const { policy = 'off' } = table
  // Another policy of a pool's own leaves the quorum of `[policy]` behind.
  const isBase = own?.policy === undefined || own.policy === base?.policy
  const quorum = own?.quorum ?? (isBase ? base?.quorum : undefined)
  if (policy === 'off') return null
  if (policy === 'static-quorum' && quorum === undefined) {
    throw invalid('split_brain.quorum: static-quorum needs it; set more than half of the nodes')
  }
  if (policy !== 'static-quorum' && quorum !== undefined) {
    throw invalid(`split_brain.quorum: ${policy} has none; leave it out`)
  }
  if (!isWatched) {
    const mend = 'leave detectors.network_partition.enabled out, or set the policy to "off"'
    throw invalid(`split_brain.policy: nothing says where the network is split; ${mend}`)
  }
  return {
    policy,
    stableAfterMs: table.stable_after ?? STABLE_AFTER_MS,
    quorumNodes: quorum ?? null,
    leaseWaitMs: table.lease_wait ?? LEASE_WAIT_MS,
    minority: table.minority ?? 'pause',
    resumeEveryMs: table.resume_every ?? RESUME_EVERY_MS,
    merge: table.merge ?? DEFAULT_MERGE,
  }
}
