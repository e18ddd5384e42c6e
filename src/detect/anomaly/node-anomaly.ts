/** A node that does what it never did: told to people with the metric that shows it; it moves nothing. */
import type { Assessment } from '../../core/assessment.ts'
import type { Fault } from '../../core/fault.ts'

export function detectAnomaly(assessment: Assessment, atMs: number): Fault | null {
  const { node, pool, anomaly } = assessment
  if (anomaly === undefined || anomaly === 'warming-up') return null
  const { metric, value, expected, deviation, threshold } = anomaly
  return {
    detector: 'anomaly',
    subject: node,
    kind: 'performance-degradation',
    node,
    pool,
    atMs,
    severity: 'warning',
    // How far beyond the threshold; at twice the threshold there is hardly a doubt.
    confidenceRatio: Math.min(1, deviation / (2 * threshold)),
    evidence: [
      { what: 'deviation', value: deviation, limit: threshold },
      { what: metric, value, limit: expected },
    ],
  }
}
