// Goal: whatever is said, in whatever order, a ballot ends as those who may vote want it.
// Method: ballots of drawn electors with drawn weights; then whole worlds of a coordinator with an adversary
// of up to a third, and the same with a larger one, which must be noticed.
import { fc, test } from '@fast-check/vitest'
import { expect, test as once } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { Choice, VoteRules } from '../../../src/core/vote.ts'
import { RAILS } from '../../../src/decide/admission.ts'
import { Ballot, type Candidate } from '../../../src/decide/ballot.ts'
import { judgeBallots } from '../../../src/simulate/ballot-world.ts'
import { foreshockWasm } from '../../support/node-class.ts'
import { VOTE_RULES } from '../../support/votes.ts'

const OPENED_AT = 10_000_000
const ELECTORS_MAX = 30

type Said = readonly [node: string, choice: Choice, afterMs: number]

const choices = fc.constantFrom<Choice>('yes', 'no')
const electors: fc.Arbitrary<readonly Candidate[]> = fc
  .array(
    fc.record({
      trust: fc.double({ min: 0.5, max: 1, noNaN: true }),
      zone: fc.integer({ max: 3, min: 0 }),
    }),
    {
      minLength: 3,
      maxLength: ELECTORS_MAX,
    },
  )
  .map((list) =>
    list.map(({ trust, zone }, i) => ({
      node: `n${i}` as NodeId,
      zone: zone === 0 ? null : `z${zone}`,
      memberSinceMs: i,
      trust,
    })),
  )
const rules: fc.Arbitrary<VoteRules> = fc
  .record({
    quorumRatio: fc.double({ min: 0.51, max: 1, noNaN: true }),
    zoneWeightMaxRatio: fc.double({ min: 0.2, max: 1, noNaN: true }),
  })
  .map((more) => ({ ...VOTE_RULES, ageMinMs: 1_000, ...more }))
const said: fc.Arbitrary<readonly Said[]> = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: ELECTORS_MAX - 1 }).map((i) => `n${i}`),
    choices,
    fc.integer({ min: 0, max: 120_000 }),
  ),
  { maxLength: 80 },
)
/** New identities, and what is said too late. */
const noise: fc.Arbitrary<readonly Said[]> = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 99 }).map((i) => `new${i}`),
    choices,
    fc.integer({ min: 0, max: 120_000 }),
  ),
  { maxLength: 200 },
)

/** The state after each word, in the order of the log. */
function play(
  candidates: readonly Candidate[],
  of: VoteRules,
  votes: readonly Said[],
): { readonly ballot: Ballot; readonly end: string } {
  const ballot = new Ballot(candidates, of, OPENED_AT)
  const sorted = votes
    .map((vote, i) => ({ vote, i }))
    .sort((a, b) => a.vote[2] - b.vote[2] || a.i - b.i)
  let end = 'open'
  for (const { vote } of sorted) {
    const [node, choice, afterMs] = vote
    if (end !== 'open') break
    ballot.cast(node as NodeId, choice, OPENED_AT + afterMs)
    end = ballot.stateAt(OPENED_AT + afterMs)
  }
  return { ballot, end: end === 'open' ? ballot.stateAt(OPENED_AT + 200_000) : end }
}

test.prop([electors, rules, said, noise], { numRuns: 300 })(
  'new identities, repeated and late votes change nothing',
  (candidates, of, votes, others) => {
    const minted = others.map(([node]) => ({
      node: node as NodeId,
      zone: 'z1',
      memberSinceMs: OPENED_AT - 999,
      trust: 1,
    }))
    const heard = new Set<string>()
    const plain = votes.filter(([node, , afterMs], i) => {
      const earlier = votes.some(
        ([other, , at], j) => other === node && (at < afterMs || (at === afterMs && j < i)),
      )
      heard.add(node)
      return !earlier && afterMs <= of.deadlineMs
    })
    const quiet = play(candidates, of, plain)
    const loud = play([...candidates, ...minted], of, [...votes, ...others])
    expect(loud.end).toBe(quiet.end)
    expect(loud.ballot.yesRatio).toBeCloseTo(quiet.ballot.yesRatio, 9)
  },
)

test.prop([electors, rules, choices, fc.double({ min: 0, max: 1 / 3, noNaN: true })], {
  numRuns: 500,
})('a third of the weight or less never decides alone', (candidates, of, choice, share) => {
  const total = candidates.reduce((sum, { trust }) => sum + Math.round(trust * 1_000), 0)
  const byzantine: Said[] = []
  let weight = 0
  for (const { node, trust } of candidates) {
    weight += Math.round(trust * 1_000)
    if (weight > share * total) break
    byzantine.push([node, choice, 0], [node, choice === 'yes' ? 'no' : 'yes', 1])
  }
  expect(play(candidates, of, byzantine).end).toBe('expired')
})

test.prop([electors, choices, fc.double({ min: 0, max: 1 / 3, noNaN: true })], { numRuns: 500 })(
  'and where the others all vote, they get what they want',
  (candidates, choice, share) => {
    const total = candidates.reduce((sum, { trust }) => sum + Math.round(trust * 1_000), 0)
    let weight = 0
    const votes = candidates.map(({ node, trust }): Said => {
      weight += Math.round(trust * 1_000)
      const isLiar = weight <= share * total
      return [node, isLiar === (choice === 'yes') ? 'no' : 'yes', 0]
    })
    const { end } = play(candidates, { ...VOTE_RULES, quorumRatio: 2 / 3 }, votes)
    // Without honest nodes there is nothing that they want.
    fc.pre(votes.some(([, said_]) => said_ === choice))
    expect(end).toBe(choice === 'yes' ? 'approved' : 'rejected')
  },
)

const kernel = foreshockWasm()
const seeds = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

test.prop([fc.integer({ min: 0, max: 2 ** 30 })], { numRuns: 40 })(
  'a coordinator does what honest nodes want, against forged, repeated, late and minted votes',
  (seed) => {
    const { brokenCount, first, forgedCount } = judgeBallots([seed], { kernel })
    expect(first).toBe('')
    expect(brokenCount).toBe(0)
    expect(forgedCount).toBeGreaterThan(0)
  },
)

once('more than a third is noticed, and so is a missing rail', () => {
  expect(judgeBallots(seeds(20), { kernel, byzantineRatio: 0.7 }).brokenCount).toBeGreaterThan(0)
  const rails = RAILS.filter(({ rail }) => rail !== 'votes')
  expect(judgeBallots(seeds(6), { kernel, rails }).brokenCount).toBe(6)
})
