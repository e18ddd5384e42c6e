/**
 * Suspicion before silence: phi accrual says how surprising a quiet is, given how regularly the node
 * spoke before. It warns earlier than the fixed timeout where heartbeats are regular, and is no ground
 * for acting: the timeout decides.
 */
import type { NodeId } from '../core/ids.ts'
import { detector, type DetectorFold, found, NOTHING_FOUND, well } from './detector.ts'
import { number } from './settings.ts'

export const phiAccrual = detector({
  name: 'phi-accrual',
  inputs: ['assessment', 'departure'],
  enabled: true,
  settings: {
    /** Phi 8: one mistake in a hundred million quiets. */
    suspicion: number(8, 1, 16),
  },
  create({ suspicion }): DetectorFold {
    const suspects = new Set<NodeId>()
    return {
      take(input, nowMs) {
        if (input.kind === 'departure') suspects.delete(input.node)
        if (input.kind !== 'assessment') return NOTHING_FOUND
        const { node, pool, phi, silentForMs, lastSeenAtMs } = input.row
        if (input.liveness !== 'live' || phi === undefined || phi < suspicion) {
          if (!suspects.delete(node)) return NOTHING_FOUND
          const heard = input.liveness === 'live'
          return well(node, heard ? 'it is heard of again' : 'its silence is certain by now')
        }
        suspects.add(node)
        return found({
          detector: phiAccrual.name,
          kind: 'service-unavailability',
          subject: node,
          node,
          pool,
          atMs: nowMs,
          severity: 'warning',
          confidenceRatio: 1 - 10 ** -phi,
          evidence: [
            { what: 'phi', value: phi, limit: suspicion },
            { what: 'silentForMs', value: silentForMs, limit: null },
            { what: 'lastSeenAtMs', value: lastSeenAtMs, limit: null },
          ],
        })
      },
      stats: () => ({ suspects: suspects.size }),
    }
  },
})
