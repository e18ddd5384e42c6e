/** Silence: a node whose heartbeats stopped. `unknown` is our own blindness and never a fault. */
import type { Assessment } from '../core/assessment.ts'
import type { Fault } from '../core/fault.ts'

export function detectSilence(assessment: Assessment, atMs: number): Fault | null {
  const { node, pool, liveness, silentForMs, lastSeenAtMs } = assessment
  if (liveness !== 'silent') return null
  return {
    detector: 'heartbeat',
    kind: 'service-unavailability',
    node,
    pool,
    atMs,
    severity: 'critical',
    confidenceRatio: 1,
    evidence: [
      { what: 'silentForMs', value: silentForMs, limit: null },
      { what: 'lastSeenAtMs', value: lastSeenAtMs, limit: null },
    ],
  }
}
