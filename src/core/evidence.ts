/**
 * Evidence: what nodes, agents and probes observe of others, on the public topic `evidence`. Each record
 * names its pool, because only the pool's coordinator weighs it, and one word of it proves nothing.
 */
import type { NodeId, PoolId } from './ids.ts'
import type { Hold } from './resync.ts'

/** Peers in one reachability report, chunks in one digest. */
export const PEERS_MAX = 256
export const CHUNKS_MAX = 1_024
/** How often an observation may be passed on; one that is passed in a circle dies. */
export const HOPS_MAX = 8

interface Observation {
  readonly pool: PoolId
  /** Who says it. */
  readonly node: NodeId
  readonly atMs: number
  /** How often it may still be passed on, from 1; absent: nobody has passed it on. */
  readonly hopsLeft?: number
}

/** Which peers the node reached when it last tried. */
export interface ReachabilityReport extends Observation {
  readonly kind: 'reachability'
  readonly reachable: readonly NodeId[]
  readonly unreachable: readonly NodeId[]
  /** There and back to each of `reachable`, in its order; null where it was not measured. */
  readonly latenciesMs?: readonly (number | null)[]
}

/** One check of a service that runs on `about`. */
export interface ServiceCheck extends Observation {
  readonly kind: 'service-check'
  readonly about: NodeId
  readonly service: string
  readonly probe: 'tcp' | 'http' | 'container'
  /** Connected, answered, or still running. */
  readonly ok: boolean
  /** HTTP status or exit code of the container; null where there was none. */
  readonly status: number | null
  readonly latencyMs: number | null
}

/** What the answer says of the service. */
export function isFailing({
  ok,
  probe,
  status,
}: Pick<ServiceCheck, 'ok' | 'probe' | 'status'>): boolean {
  return !ok || (probe === 'http' && (status ?? 0) >= 500)
}

/** Merkle root of a replica, with the hashes of its chunks where they are known (hex, SHA-256). */
export interface DigestReport extends Observation {
  readonly kind: 'digest'
  readonly object: string
  readonly version: string
  readonly root: string
  readonly chunks: readonly string[]
}

/** What a node says of another. */
export interface Claim extends Observation {
  readonly kind: 'claim'
  readonly about: NodeId
  readonly claim: 'dead' | 'alive' | 'corrupt' | 'misbehaving'
}

/** A node is asked to prove that it holds its key. */
export interface Challenge extends Observation {
  readonly kind: 'challenge'
  readonly challengeId: string
  readonly about: NodeId
  readonly nonce: string
}

/** HMAC-SHA-256 over `challengeId.nonce` with the node's key, hex. */
export interface ChallengeResponse extends Observation {
  readonly kind: 'challenge-response'
  readonly challengeId: string
  readonly mac: string
}

/** One voice in a ballot, as it was seen. */
export interface Ballot extends Observation {
  readonly kind: 'ballot'
  readonly ballot: string
  readonly choice: string
}

/** What the node holds of one block of a resynchronisation; `holds` where that differs from the log. */
export interface HoldingReport extends Observation {
  readonly kind: 'holding'
  readonly resync: string
  readonly block: number
  /** SHA-256 over `holdingText`, hex. */
  readonly digest: string
  readonly holds?: readonly Hold[]
}

export type EvidenceRecord =
  | ReachabilityReport
  | ServiceCheck
  | DigestReport
  | Claim
  | Challenge
  | ChallengeResponse
  | Ballot
  | HoldingReport
export type EvidenceKind = EvidenceRecord['kind']
