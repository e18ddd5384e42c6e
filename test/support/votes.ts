/** Votes as nodes sign them, and rules under which they count at once. */
import type { NodeId } from '../../src/core/ids.ts'
import type { BallotRecord, Choice, Vote, VoteRules } from '../../src/core/vote.ts'
import { voteMac } from '../../src/decide/vote-signature.ts'
import { nodeKey } from '../../src/detect/challenge-response.ts'
import { type CoordinatorWorld, POOL } from './coordinator-world.ts'

export const VOTE_RULES: VoteRules = {
  quorumRatio: 2 / 3,
  deadlineMs: 60_000,
  validMs: 300_000,
  ageMinMs: 0,
  trustMinRatio: 0.5,
  electorsMin: 3,
  zoneWeightMaxRatio: 1,
  fenceNodesMax: 2,
  zoneFailover: true,
  regionFailover: true,
  emergency: true,
}

export const keyOf = (node: NodeId) => nodeKey('the secret of a test, long enough', node)

export function signedVote(ballot: string, node: string, choice: Choice): Vote {
  const vote = {
    pool: POOL,
    ballot: ballot as Vote['ballot'],
    node: node as NodeId,
    choice,
  }
  return { ...vote, atMs: 0, mac: voteMac(keyOf(vote.node), vote) }
}

/** What the journal says of ballots, newest last. */
export function ballotsOf(world: CoordinatorWorld): readonly BallotRecord[] {
  return world.journal('ballot').flatMap(({ ballot }) => ballot ?? [])
}
