/** A failure foretold: the model's probability is at or over the acting point. */
import type { Assessment, Contribution, ModelRef } from '../core/assessment.ts'
import type { Evidence, Fault } from '../core/fault.ts'

/** More features than this explain nothing to a reader. */
const EVIDENCE_FEATURES_MAX = 5

export function detectPredictedFailure(
  assessment: Assessment,
  actingPoint: number,
  model: ModelRef | null,
  atMs: number,
): Fault | null {
  const { node, pool, probability, top } = assessment
  if (probability === null || probability < actingPoint) return null
  const evidence: Evidence[] = [
    { what: 'probability', value: probability, limit: actingPoint },
    ...top.slice(0, EVIDENCE_FEATURES_MAX).map(featureEvidence),
  ]
  if (model !== null) evidence.push({ what: 'model', value: model.version, limit: null })
  return {
    detector: 'predicted-failure',
    kind: 'node-hardware',
    node,
    pool,
    atMs,
    severity: 'error',
    confidenceRatio: probability,
    evidence,
  }
}

/** The limit of a feature is what was expected of it. */
function featureEvidence({ feature, value, expected }: Contribution): Evidence {
  return { what: feature, value: value ?? 'missing', limit: expected }
}
