/**
 * How often people reject or veto what a model asked for. It is a sign of drift that needs no label: whoever
 * looks at the node knows sooner than a horizon tells.
 */
import type { Evidence } from '../core/fault.ts'
import type { ProposalRecord, PromotionRules, ProposalCounts } from '../core/model-life.ts'
import type { Trial } from './model-trial.ts'

export type Side = 'champion' | 'challenger'

export interface OverrideFinding {
  readonly side: Side
  readonly because: string
  readonly evidence: readonly Evidence[]
}

/** Of one class, since its newest assignment. */
export class Overrides {
  #counts = emptyCounts()
  /** People were told, and not yet that it is over. */
  told = false

  /** Another pair of models. */
  reset(): void {
    this.#counts = emptyCounts()
    this.told = false
  }

  get counts(): Readonly<Record<Side, ProposalCounts>> {
    return this.#counts
  }

  /** A finding where people overrule the model that asked more often than the limit says. */
  take(
    { pool, overridden }: ProposalRecord,
    trial: Trial | null,
    { overrideMax, overrideProposalsMin }: PromotionRules,
  ): OverrideFinding | null {
    const side = trial?.canaryPools.includes(pool) === true ? 'challenger' : 'champion'
    const counts = this.#counts[side]
    if (overridden) counts.overriddenCount++
    else counts.proposalCount++
    const { proposalCount, overriddenCount } = counts
    const ratio = overriddenCount / Math.max(1, proposalCount)
    if (proposalCount < overrideProposalsMin || ratio <= overrideMax) return null
    const because = `people overruled ${overriddenCount} of the ${proposalCount} things that it asked for, over promotion.override_max = ${overrideMax}`
    return {
      side,
      because,
      evidence: [{ what: 'overrideRatio', value: ratio, limit: overrideMax }],
    }
  }
}

function emptyCounts(): Record<Side, { proposalCount: number; overriddenCount: number }> {
  return {
    champion: { proposalCount: 0, overriddenCount: 0 },
    challenger: { proposalCount: 0, overriddenCount: 0 },
  }
}
