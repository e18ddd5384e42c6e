import { expect, test } from 'vitest'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { BallotId, Choice, VoteRules } from '../../../src/core/vote.ts'
import { Ballot, type Candidate } from '../../../src/decide/ballot.ts'
import { isVoteSigned, voteMac } from '../../../src/decide/vote-signature.ts'
import { VOTE_RULES } from '../../support/votes.ts'

const OPENED_AT = 10_000_000

function candidate(node: string, more: Partial<Candidate> = {}): Candidate {
  return { node: node as NodeId, zone: null, memberSinceMs: 0, trust: 1, ...more }
}

function ballotOf(candidates: readonly Candidate[], rules: Partial<VoteRules> = {}): Ballot {
  return new Ballot(candidates, { ...VOTE_RULES, ...rules }, OPENED_AT)
}

/** `+a` is a yes of node a. */
function cast(ballot: Ballot, votes: readonly string[], atMs = OPENED_AT): readonly string[] {
  return votes.map((vote) => {
    const choice: Choice = vote.startsWith('+') ? 'yes' : 'no'
    return ballot.cast(vote.slice(1) as NodeId, choice, atMs)
  })
}

const SIX = ['a', 'b', 'c', 'd', 'e', 'f'].map((node) => candidate(node))

test.each([
  { votes: ['+a', '+b', '+c'], state: 'open', because: 'half is not two thirds' },
  { votes: ['+a', '+b', '+c', '+d'], state: 'approved', because: 'two thirds are' },
  { votes: ['-a', '-b'], state: 'open', because: 'a third does not decide against it' },
  { votes: ['-a', '-b', '-c'], state: 'rejected', because: 'more than a third does' },
  { votes: ['+a', '+a', '+a', '+a'], state: 'open', because: 'a node votes once' },
  { votes: ['-a', '+a', '+b', '+c', '+d'], state: 'open', because: 'its first vote counts' },
  { votes: ['+x', '+y', '+z', '+u'], state: 'open', because: 'strangers have no vote' },
])('$votes: $state, because $because', ({ votes, state }) => {
  const ballot = ballotOf(SIX)
  cast(ballot, votes)
  expect(ballot.stateAt(OPENED_AT)).toBe(state)
})

test('each vote is told what became of it', () => {
  const ballot = ballotOf(SIX)
  expect(cast(ballot, ['+a', '-a', '+x'])).toEqual(['counted', 'repeated', 'stranger'])
  expect(cast(ballot, ['+b'], ballot.deadlineAtMs)).toEqual(['counted'])
  expect(cast(ballot, ['+c'], ballot.deadlineAtMs + 1)).toEqual(['late'])
  expect(ballot.voteCount).toBe(2)
  expect(ballot.stateAt(ballot.deadlineAtMs)).toBe('open')
  expect(ballot.stateAt(ballot.deadlineAtMs + 1)).toBe('expired')
})

test('trust weighs', () => {
  const ballot = ballotOf([
    candidate('a', { trust: 1 }),
    candidate('b', { trust: 0.6 }),
    candidate('c', { trust: 0.6 }),
  ])
  cast(ballot, ['+b', '+c'])
  expect(ballot.yesRatio).toBeCloseTo(1.2 / 2.2, 9)
  expect(ballot.stateAt(OPENED_AT)).toBe('open')
})

test.each([
  { more: { memberSinceMs: OPENED_AT - 999 }, able: false, because: 'it is too new' },
  { more: { memberSinceMs: OPENED_AT - 1_000 }, able: true, because: 'it is just old enough' },
  { more: { trust: 0.49 }, able: false, because: 'it is not trusted' },
  { more: { trust: 0 }, able: false, because: 'a vote without weight is none' },
])('$more may vote: $able, $because', ({ more, able }) => {
  const ballot = ballotOf([...SIX, candidate('n', more)], { ageMinMs: 1_000 })
  expect(cast(ballot, ['+n'])).toEqual([able ? 'counted' : 'stranger'])
  expect(ballot.electorCount).toBe(able ? 7 : 6)
})

test('a zone weighs at most its share, however many nodes it has', () => {
  const nodes = [...Array.from({ length: 8 }, (_, i) => candidate(`z${i}`, { zone: 'z' })), ...SIX]
  const all = nodes.map(({ node }) => `+${node}`)
  const bounded = ballotOf(nodes, { zoneWeightMaxRatio: 0.4, quorumRatio: 0.51 })
  cast(bounded, all.slice(0, 8))
  expect(bounded.yesRatio).toBeCloseTo(0.4, 9)
  expect(bounded.stateAt(OPENED_AT)).toBe('open')
  cast(bounded, all.slice(8))
  expect(bounded.stateAt(OPENED_AT)).toBe('approved')
  const free = ballotOf(nodes, { quorumRatio: 0.51 })
  cast(free, all.slice(0, 8))
  expect(free.stateAt(OPENED_AT)).toBe('approved')
})

test('where too few may vote nothing is decided but by time', () => {
  const ballot = ballotOf(SIX.slice(0, 2))
  cast(ballot, ['+a', '+b'])
  expect(ballot.stateAt(OPENED_AT)).toBe('open')
  expect(ballot.stateAt(ballot.deadlineAtMs + 1)).toBe('expired')
})

const VOTE = {
  pool: 'web' as PoolId,
  ballot: 'web.1.b0' as BallotId,
  node: 'n1' as NodeId,
  choice: 'yes' as Choice,
}
const KEY = 'ab'.repeat(32)

test('a signature holds for one vote of one node alone', () => {
  const mac = voteMac(KEY, VOTE)
  const signed = { ...VOTE, atMs: 5, mac }
  expect(isVoteSigned(KEY, signed)).toBe(true)
  // When it was said is not signed: the log says when it counts.
  expect(isVoteSigned(KEY, { ...signed, atMs: 6 })).toBe(true)
  expect(isVoteSigned('cd'.repeat(32), signed)).toBe(false)
  for (const [field, value] of Object.entries({
    pool: 'db',
    ballot: 'b',
    node: 'n2',
    choice: 'no',
  })) {
    expect(isVoteSigned(KEY, { ...signed, [field]: value }), field).toBe(false)
  }
  expect(isVoteSigned(KEY, { ...signed, mac: 'ab' })).toBe(false)
})
