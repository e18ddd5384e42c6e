/** Silence: a node whose heartbeats stopped. `unknown` is our own blindness and never a fault. */
import type { Assessment } from '../core/assessment.ts'
import type { Fault } from '../core/fault.ts'
import type { NodeId } from '../core/ids.ts'
import { detector, type DetectorFold, found, NOTHING_FOUND, well } from './detector.ts'

export const heartbeat = detector({
  name: 'heartbeat',
  inputs: ['assessment', 'departure'],
  enabled: true,
  settings: {},
  create(): DetectorFold {
    const silent = new Set<NodeId>()
    return {
      take(input, nowMs) {
        if (input.kind === 'departure') silent.delete(input.node)
        if (input.kind !== 'assessment') return NOTHING_FOUND
        const { row, liveness } = input
        const fault = liveness === 'silent' ? detectSilence(row, nowMs) : null
        if (fault !== null) {
          silent.add(row.node)
          return found(fault)
        }
        // What a late watcher does not know ends nothing.
        if (liveness !== 'live' || !silent.delete(row.node)) return NOTHING_FOUND
        return well(row.node, 'it is heard of again')
      },
    }
  },
})

export function detectSilence(assessment: Assessment, atMs: number): Fault | null {
  const { node, pool, liveness, silentForMs, lastSeenAtMs } = assessment
  if (liveness !== 'silent') return null
  return {
    detector: heartbeat.name,
    kind: 'service-unavailability',
    subject: node,
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
