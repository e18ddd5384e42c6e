/** What the coordinator keeps of the models of one class. */
import type { ModelId } from '../core/ids.ts'
import type { ClassModels, DriftCounts, PromotionRules } from '../core/model-life.ts'
import { figuresOf, OutcomeSum } from '../decide/promotion.ts'
import { HoldOutSums } from './model-hold-outs.ts'
import { Overrides } from './model-overrides.ts'
import { short, type Trial } from './model-trial.ts'

export interface ClassState {
  readonly nodeClass: string
  champion: ModelId | null
  previous: ModelId | null
  trial: Trial | null
  /** Of the newest assignment. */
  number: number
  /** What served before it, should a watcher refuse it. */
  before: { readonly champion: ModelId | null; readonly previous: ModelId | null } | null
  sinceMs: number
  sum: OutcomeSum
  readonly overrides: Overrides
  readonly holdOuts: HoldOutSums
  readonly drift: { window: number; seen: Map<number, DriftCounts>; told: ClassModels['drift'] }
  publishedAtMs: number
  lastChange: string | null
}

export function createClass(nodeClass: string, sinceMs: number): ClassState {
  return {
    nodeClass,
    champion: null,
    previous: null,
    trial: null,
    number: 0,
    before: null,
    sinceMs,
    sum: new OutcomeSum(),
    overrides: new Overrides(),
    holdOuts: new HoldOutSums(),
    drift: { window: -1, seen: new Map(), told: null },
    publishedAtMs: Number.NEGATIVE_INFINITY,
    lastChange: null,
  }
}

/** Of the model that serves, for sentences. */
export function name({ champion }: ClassState): string {
  return short(champion)
}

/** As the topic `models` says it. */
export function toldOf(state: ClassState, atMs: number, rules: PromotionRules): ClassModels {
  const { nodeClass, champion, previous, trial, sum, sinceMs, lastChange } = state
  const leads = sum.failures.flatMap(({ leadMs }) => (leadMs === null ? [] : [leadMs]))
  return {
    nodeClass,
    atMs,
    champion,
    previous,
    challenger: trial?.challenger ?? null,
    trial: trial?.kind ?? null,
    canaryPools: trial?.canaryPools ?? [],
    sinceMs,
    failureCount: sum.failureCount,
    exposureMs: sum.exposureMs,
    movedRowCount: sum.movedRowCount,
    movedWeight: rules.movedWeight,
    figures: {
      champion: figuresOf(sum, 'champion', rules),
      challenger: trial === null ? null : figuresOf(sum, 'challenger', rules),
    },
    proposals: state.overrides.counts,
    holdOuts: state.holdOuts.figures(),
    overruled: state.overrides.told,
    leadTimeMs: leads.sort((a, b) => a - b)[leads.length >> 1] ?? null,
    drift: state.drift.told,
    lastChange,
  }
}
