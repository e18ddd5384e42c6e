/** Faults: what detectors report, with evidence. */
import type { NodeId, PoolId } from './ids.ts'

export type FaultKind =
  | 'node-hardware'
  | 'network'
  | 'software'
  | 'performance-degradation'
  | 'resource-exhaustion'
  | 'network-partition'
  | 'service-unavailability'
  | 'data-corruption'
  | 'byzantine'
  | 'attack'

export type Severity = 'info' | 'warning' | 'error' | 'critical'

export interface Evidence {
  readonly what: string
  readonly value: number | string
  readonly limit: number | string | null
}

export interface Fault {
  readonly detector: string
  readonly kind: FaultKind
  readonly node: NodeId
  readonly pool: PoolId
  readonly atMs: number
  readonly severity: Severity
  /** 0..1. */
  readonly confidenceRatio: number
  readonly evidence: readonly Evidence[]
}
