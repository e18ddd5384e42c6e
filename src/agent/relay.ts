/**
 * Passes on what another node has observed, for one that does not reach the bus itself. Each time it may be
 * passed on once less; what has used that up is not passed on, and ingest would not take it.
 */
import type { Output } from '../core/bus.ts'
import { type EvidenceRecord, HOPS_MAX } from '../core/evidence.ts'
import { evidenceOutput } from './probe.ts'
import type { Reporter } from './report.ts'

/** Null where it was passed on too often: it goes in a circle, or takes a way that is too long. */
export function relayOutput(reporter: Reporter, record: EvidenceRecord): Output | null {
  const hopsLeft = (record.hopsLeft ?? HOPS_MAX + 1) - 1
  return hopsLeft < 1 ? null : evidenceOutput(reporter, { ...record, hopsLeft })
}
