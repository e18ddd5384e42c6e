/** A failure foretold: the model's probability is at or over the acting point. */
import type { Assessment, Contribution, ModelRef } from '../core/assessment.ts'
import type { Evidence, Fault } from '../core/fault.ts'
import type { NodeId } from '../core/ids.ts'
import { detector, type DetectorFold, found, NOTHING_FOUND, well } from './detector.ts'

/** More features than this explain nothing to a reader. */
const EVIDENCE_FEATURES_MAX = 5

export const predictedFailure = detector({
  name: 'predicted-failure',
  inputs: ['assessment', 'departure'],
  enabled: true,
  settings: {},
  create(): DetectorFold {
    const foretold = new Set<NodeId>()
    return {
      take(input, nowMs) {
        if (input.kind === 'departure') foretold.delete(input.node)
        if (input.kind !== 'assessment') return NOTHING_FOUND
        const { row, alarmRaised, probability, actingPoint, top, model } = input
        if (!alarmRaised) {
          return foretold.delete(row.node) ? well(row.node, 'the alarm is cleared') : NOTHING_FOUND
        }
        if (probability === null) return NOTHING_FOUND
        // A raised alarm stands until hysteresis clears it, also somewhat below the point.
        const point = Math.min(actingPoint ?? 1, probability)
        const fault = detectPredictedFailure({ ...row, probability, top }, point, model, nowMs)
        if (fault === null) return NOTHING_FOUND
        foretold.add(row.node)
        return found(fault)
      },
    }
  },
})

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
    detector: predictedFailure.name,
    kind: 'node-hardware',
    subject: node,
    node,
    pool,
    atMs,
    severity: 'error',
    confidenceRatio: probability,
    evidence,
  }
}

function featureEvidence({ feature, value, expected, peerPercentile }: Contribution): Evidence {
  return {
    what: feature,
    value: value ?? 'missing',
    limit: null,
    ...(expected === null ? {} : { expected }),
    ...(peerPercentile === null ? {} : { peerPercentile }),
  }
}
