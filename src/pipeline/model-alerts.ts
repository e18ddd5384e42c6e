/** What people are told of a model that no longer fits its world. */
import { FLEET_POOL } from '../core/ids.ts'
import type { ClassModels, DriftRules } from '../core/model-life.ts'
import type { Outbox } from './coordinator-outbox.ts'

interface ModelAlert {
  readonly cause: string
  readonly message: string
  readonly over: boolean
}

/** The alert and its end are one by their cause. */
export function alertModel(outbox: Outbox, { cause, message, over }: ModelAlert): void {
  outbox.alert({
    kind: 'drift',
    pool: FLEET_POOL,
    node: null,
    cause,
    severity: over ? 'info' : 'warning',
    message,
    incidentId: null,
    ...(over ? { resolved: true } : {}),
  })
}

/** The sentence for a drift that has begun or ended; `model` is its short name. */
export function driftSentence(
  told: NonNullable<ClassModels['drift']>,
  { nodeClass, model }: { readonly nodeClass: string; readonly model: string },
  { stabilityMax }: DriftRules,
): string {
  const shown = told.features.slice(0, 3).map((f) => `${f.name} ${f.stability.toFixed(2)}`)
  const figures = `stability index of the score ${told.score.toFixed(2)}, of ${Math.round(100 * told.featureShare)} % of the features over ${stabilityMax} (${shown.join(', ')})`
  return told.drifted
    ? `What model ${model} of class ${nodeClass} sees is not what it was trained on: ${figures}.`
    : `What model ${model} of class ${nodeClass} sees is again as in training: ${figures}.`
}
