/** Faults: what detectors report, with evidence. */
import type { ExpectedRange } from './assessment.ts'
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
/** From the slightest to the gravest. */
export const SEVERITIES: readonly Severity[] = ['info', 'warning', 'error', 'critical']

export interface Evidence {
  readonly what: string
  readonly value: number | string
  readonly limit: number | string | null
  /** Of a feature that a model explains itself by: where it usually lies, and among its peers. */
  readonly expected?: ExpectedRange
  readonly peerPercentile?: number
}

export interface Fault {
  readonly detector: string
  readonly kind: FaultKind
  /** What it is about, within its detector and pool: the same as long as the fault lasts. */
  readonly subject: string
  /** Null where no single node is at fault. */
  readonly node: NodeId | null
  readonly pool: PoolId
  readonly atMs: number
  readonly severity: Severity
  /** 0..1. */
  readonly confidenceRatio: number
  readonly evidence: readonly Evidence[]
  /** Further nodes that it concerns. */
  readonly others?: readonly NodeId[]
  /** Of data that is wrong on `node`, where it is known who has it right. */
  readonly replica?: WrongReplica
}

/** An object that a node has wrong, and what most of its holders have. */
export interface WrongReplica {
  readonly object: string
  readonly version: string
  /** Merkle root that it should have (hex, SHA-256). */
  readonly root: string
  /** Who has it so, at most `SOURCES_MAX` of them. */
  readonly sources: readonly NodeId[]
}

/** Of data that is wrong, where it is known who has it right. */
export type ReplicaFault = Fault & { readonly replica: WrongReplica }

/** Holders that are named, from which a wrong replica can be fetched. */
export const SOURCES_MAX = 8

/** What a detector says of one subject: there is a fault, or there is none any longer. */
export type Finding =
  | { readonly ok: false; readonly fault: Fault }
  | { readonly ok: true; readonly subject: string; readonly why: string }
