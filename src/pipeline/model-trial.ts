/** A challenger on its trial, and what the journal says of it. */
import { never } from '../core/errors.ts'
import type { Evidence } from '../core/fault.ts'
import type { ModelId, PoolId } from '../core/ids.ts'
import type { TrialKind } from '../core/model-life.ts'
import type { Comparison } from '../decide/promotion.ts'

export interface Trial {
  readonly kind: TrialKind
  readonly challenger: ModelId
  /** Where the challenger serves. */
  readonly canaryPools: readonly PoolId[]
  readonly sinceMs: number
  /** Looks that are over. */
  looks: number
}

export function evidenceOf({ champion, challenger }: Comparison): readonly Evidence[] {
  const line = (what: string, value: number | null): Evidence => {
    return { what, value: value ?? 'unknown', limit: null }
  }
  return [
    line('championRecall', champion.recall),
    line('challengerRecall', challenger.recall),
    line('championBrier', champion.brier),
    line('challengerBrier', challenger.brier),
  ]
}

/** The sentence that a trial ends with where the challenger does not go on. */
export function endOf(
  { kind, challenger, canaryPools }: Trial,
  champion: string,
  because: string,
): string {
  switch (kind) {
    case 'challenge':
      return `Model ${short(challenger)} does not take the place of ${champion}: ${because}.`
    case 'canary':
      return `Model ${short(challenger)} is taken back from ${pools({ canaryPools })} to ${champion}: ${because}.`
    case 'probation':
      return `Model ${champion} stays in the place of ${short(challenger)}, of which is known: ${because}.`
    default:
      return never(kind)
  }
}

export function pools({ canaryPools }: Pick<Trial, 'canaryPools'>): string {
  return `the canary pool${canaryPools.length === 1 ? '' : 's'} ${canaryPools.join(', ')}`
}

export function short(model: ModelId | null): string {
  return model === null ? 'of the configuration' : model.slice(0, 12)
}
