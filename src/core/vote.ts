/** Ballots: what nodes are asked before something grave is done, and their votes. */
import type { NodeId, PoolId } from './ids.ts'

export type BallotId = string & { readonly __brand: 'BallotId' }
export type Choice = 'yes' | 'no'

/** On the public topic `votes`. */
export interface Vote {
  readonly pool: PoolId
  readonly ballot: BallotId
  readonly node: NodeId
  readonly choice: Choice
  readonly atMs: number
  /** By the node's own key, over `voteText`; hex. */
  readonly mac: string
}

/** What is signed: a vote for one ballot says nothing in another. */
export function voteText({
  pool,
  ballot,
  node,
  choice,
}: Pick<Vote, 'pool' | 'ballot' | 'node' | 'choice'>): string {
  return JSON.stringify(['vote', pool, ballot, node, choice])
}

export interface VoteRules {
  /** Weight of the yes, of that of all who may vote, 0..1. */
  readonly quorumRatio: number
  readonly deadlineMs: number
  /** What was approved may be done for so long, ms. */
  readonly validMs: number
  /** A node votes only when it had been of the pool for so long as the ballot was opened, ms. */
  readonly ageMinMs: number
  /** And had at least this reputation, 0..1; it weighs by it. */
  readonly trustMinRatio: number
  /** With fewer who may vote nothing is approved. */
  readonly electorsMin: number
  /** The nodes of one zone weigh at most this share of all, 0..1. */
  readonly zoneWeightMaxRatio: number
  /** Fencing more nodes at once than this is asked for. */
  readonly fenceNodesMax: number
  /** Work of a zone most of which is down is taken over only by a vote. */
  readonly zoneFailover: boolean
  /** And so is that of a region that is lost, where the policy has regional failover. */
  readonly regionFailover: boolean
  /** An emergency that a person declares begins only by a vote; one that is counted only holds back. */
  readonly emergency: boolean
}

export type BallotState = 'open' | 'approved' | 'rejected' | 'expired'

/** As lines of the journal carry it. */
export interface BallotRecord {
  readonly ballot: BallotId
  readonly subject: string
  /** What is asked, as a sentence. */
  readonly question: string
  readonly state: BallotState
  readonly openedAtMs: number
  readonly deadlineMs: number
  readonly electorCount: number
  readonly voteCount: number
  /** Of the weight of all who may vote, 0..1. */
  readonly yesRatio: number
  readonly noRatio: number
}
