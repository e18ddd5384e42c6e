/** What the detectors of attacks share: they are off by default, and speak only when they are sure enough. */
import type { EvidenceKind } from '../core/evidence.ts'
import type { Evidence, Fault } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { ratio } from './settings.ts'

/** From this confidence on an attack is told. */
export const ACT_AT = ratio(0.7, 0.01, 1)

export const EVIDENCE_KINDS: readonly EvidenceKind[] = [
  'reachability',
  'service-check',
  'digest',
  'claim',
  'challenge',
  'challenge-response',
  'ballot',
]

export interface Attack {
  readonly detector: string
  readonly pool: PoolId
  readonly subject: string
  readonly node: NodeId | null
  readonly others?: readonly NodeId[]
  readonly confidenceRatio: number
  readonly evidence: readonly Evidence[]
}

export function attackFault(attack: Attack, atMs: number): Fault {
  return { kind: 'attack', severity: 'critical', atMs, ...attack }
}

/** 0.7 at the limit, towards 1 the further beyond it. */
export function beyond(value: number, limit: number): number {
  return value < limit ? 0 : 0.7 + 0.3 * (1 - limit / value)
}

export function dropOldest(map: Map<string, unknown>, sizeMax: number): void {
  if (map.size <= sizeMax) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
