// Goal: what is grave waits for a quorum of signed votes, and each step of a ballot is in the journal.
import { describe, expect, test } from 'vitest'
import type { AlertRecord } from '../../../src/core/alert.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import type { Policy } from '../../../src/core/policy.ts'
import type { VoteRules } from '../../../src/core/vote.ts'
import {
  asText,
  bodies,
  CAPACITY,
  CoordinatorWorld,
  POOL,
} from '../../support/coordinator-world.ts'
import { ballotsOf, keyOf, signedVote, VOTE_RULES } from '../../support/votes.ts'

function createWorld(
  rules: Partial<VoteRules> = {},
  policy: Partial<Policy> = {},
): CoordinatorWorld {
  const votes = { ...VOTE_RULES, ...rules }
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1, votes, ...policy }, keyOf })
  world.joinMany(9)
  return world
}

function vote(
  world: CoordinatorWorld,
  nodes: readonly number[],
  choice: 'yes' | 'no' = 'yes',
): void {
  const { ballot } = ballotsOf(world).at(-1)!
  for (const i of nodes) world.feed('vote', signedVote(ballot, `n${i}`, choice))
}

const fenced = (world: CoordinatorWorld) => world.commands('fence').map(({ node }) => node)
const silence = (world: CoordinatorWorld, ...nodes: readonly string[]) => {
  for (const node of nodes) world.silent(node)
}

test('so many nodes may be fenced, the next one waits for the quorum and is fenced with it', () => {
  const world = createWorld()
  silence(world, 'n0', 'n1', 'n2')
  expect(fenced(world)).toEqual(['n0', 'n1'])
  expect(world.rails()).toEqual(['votes'])
  const [opened] = world.journal('ballot')
  expect(opened.reasons[0]).toMatch(
    /^Ballot web\.\d+\.b\d+ is opened: may more than 2 nodes of pool web be fenced at once, beginning with n2\? 6 nodes may vote for 1m; 66\.7 % of their weight is asked for\.$/,
  )
  vote(world, [3, 4, 5])
  expect(fenced(world)).toEqual(['n0', 'n1'])
  vote(world, [6])
  expect(fenced(world)).toEqual(['n0', 'n1', 'n2'])
  expect(ballotsOf(world).map(({ state, voteCount }) => `${state} ${voteCount}`)).toEqual([
    'open 0',
    'open 1',
    'open 2',
    'open 3',
    'open 4',
    'approved 4',
  ])
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('an approval holds for a while, and then it is asked anew', () => {
  const world = createWorld()
  silence(world, 'n0', 'n1', 'n2')
  vote(world, [3, 4, 5, 6])
  world.silent('n3')
  expect(fenced(world)).toHaveLength(4)
  world.after(300_000)
  world.silent('n4')
  expect(fenced(world)).toHaveLength(4)
  expect(new Set(ballotsOf(world).map(({ ballot }) => ballot)).size).toBe(2)
})

test.each([
  {
    end: 'rejected',
    play: (world: CoordinatorWorld) => vote(world, [3, 4, 5], 'no'),
    because: 'more than a third is against it',
  },
  {
    end: 'expired',
    play: (world: CoordinatorWorld) => {
      vote(world, [3, 4, 5])
      world.after(60_001)
      vote(world, [6, 7, 8])
    },
    because: 'the last votes come too late',
  },
])('a ballot is $end: $because; people are told, and it is asked again after a rest', (each) => {
  const world = createWorld({}, { cooldownMs: 120_000 })
  silence(world, 'n0', 'n1', 'n2')
  each.play(world)
  expect(fenced(world)).toHaveLength(2)
  expect(ballotsOf(world).at(-1)!.state).toBe(each.end)
  const alerts = bodies<AlertRecord>(world.outputs, 't.alerts').filter(
    ({ kind }) => kind === 'ballot',
  )
  expect(alerts).toMatchObject([{ severity: 'warning', cause: 'ballot:fences' }])
  world.after(119_000)
  expect(new Set(ballotsOf(world).map(({ ballot }) => ballot)).size).toBe(1)
  world.after(1_000)
  expect(new Set(ballotsOf(world).map(({ ballot }) => ballot)).size).toBe(2)
})

test('room under the limit lets the next node be fenced without a vote', () => {
  const world = createWorld()
  silence(world, 'n0', 'n1', 'n2')
  world.live('n0')
  world.after(1_000)
  expect(fenced(world)).toEqual(['n0', 'n1', 'n2'])
})

test('votes that are forged, of strangers, of other ballots or of new members are counted and change nothing', () => {
  const world = createWorld({ ageMinMs: 60_000 })
  world.after(3_600_000)
  for (const node of ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']) world.join(node)
  silence(world, 'n0', 'n1', 'n2')
  const { ballot, electorCount } = ballotsOf(world)[0]
  expect(electorCount).toBe(6)
  for (let i = 3; i < 9; i++) {
    world.feed('vote', { ...signedVote(ballot, `n${i}`, 'yes'), mac: '00'.repeat(32) })
    world.feed('vote', { ...signedVote(ballot, 'm0', 'yes'), node: `n${i}` })
    world.feed('vote', { ...signedVote('web.0.b0', `n${i}`, 'yes'), ballot })
    world.feed('vote', signedVote('web.0.b0', `n${i}`, 'yes'))
    world.feed('vote', signedVote(ballot, `m${i - 3}`, 'yes'))
    world.feed('vote', signedVote(ballot, `n${i - 3}`, 'yes'))
  }
  // Of the last, n3 to n5 are members that may vote: half of the weight.
  expect(ballotsOf(world).at(-1)).toMatchObject({ state: 'open', voteCount: 3, yesRatio: 0.5 })
  expect(world.stats()).toMatchObject({
    forgedVoteCount: 18,
    countedVoteCount: 3,
    refusedVoteCount: 15,
  })
  expect(fenced(world)).toHaveLength(2)
})

test('who votes twice is seen by the detector of manipulation', () => {
  const world = createWorld({}, { detectors: { 'vote-manipulation': { enabled: true } } })
  silence(world, 'n0', 'n1', 'n2')
  const { ballot } = ballotsOf(world)[0]
  world.feed('vote', signedVote(ballot, 'n3', 'yes'))
  world.feed('vote', signedVote(ballot, 'n3', 'no'))
  const faults = world.journal('fault').filter(({ node }) => node === 'n3')
  expect(faults).toHaveLength(1)
  expect(ballotsOf(world).at(-1)).toMatchObject({ voteCount: 1, noRatio: 0 })
})

test('a zone most of which is down is taken over by a vote only', () => {
  for (const zoneFailover of [true, false]) {
    const world = createWorld({ fenceNodesMax: 100, zoneFailover })
    for (const zone of ['a', 'b']) world.joinMany(6, zone)
    silence(world, 'a0', 'a1', 'a2')
    expect(fenced(world)).toHaveLength(3)
    silence(world, 'a3')
    expect(fenced(world)).toHaveLength(zoneFailover ? 3 : 4)
    if (!zoneFailover) continue
    expect(ballotsOf(world)[0]).toMatchObject({ subject: 'zone:a' })
    silence(world, 'b0')
    expect(fenced(world)).toContain('b0')
  }
})

describe('a region that is lost', () => {
  const POLICY = { regionalFailover: true, sharedCauseNodesMin: 3 }
  const WEST = ['w0', 'w1', 'w2']

  /** Nine nodes elsewhere; the first of the region has CRITICAL work, and is down before the others. */
  function lost(regionFailover: boolean, policy: Partial<Policy> = POLICY): CoordinatorWorld {
    const world = createWorld({ fenceNodesMax: 100, zoneFailover: false, regionFailover }, policy)
    for (const node of WEST) {
      const place = { zone: null, region: 'west', latitude: null, longitude: null }
      const join = {
        kind: 'join',
        node: node as NodeId,
        atMs: world.nowMs,
        class: 'server',
      } as const
      world.fact({ ...join, pool: POOL, labels: {}, place, capacity: CAPACITY })
      world.live(node)
    }
    world.place('urgent', 'w0', { priority: 'CRITICAL' })
    silence(world, ...WEST)
    return world
  }

  function carryOutFences(world: CoordinatorWorld): void {
    const fence = world.commands('fence').find(({ node }) => node === 'w0')!
    for (const state of ['accepted', 'started', 'succeeded', 'verified'] as const) {
      world.result(fence, state)
    }
  }
  const recovered = (world: CoordinatorWorld) => world.commands('recover').map(({ node }) => node)

  test('is taken over by a vote only, also what was fenced before the last of it was down', () => {
    const world = lost(true)
    expect(fenced(world)).toEqual(['w0', 'w1'])
    carryOutFences(world)
    expect(recovered(world)).toEqual([])
    expect(ballotsOf(world)).toMatchObject([
      {
        subject: 'region:west',
        question:
          'the CRITICAL and HIGH work of region west go to other regions (all of its 3 nodes were down)',
        electorCount: 9,
      },
    ])
    const said = world.journal('fault').flatMap(({ reasons }) => reasons)
    expect(said).toContainEqual(expect.stringContaining('once nodes have voted for it'))
    vote(world, [0, 1, 2, 3, 4])
    expect([fenced(world), recovered(world)]).toEqual([['w0', 'w1'], []])
    vote(world, [5])
    expect([fenced(world), recovered(world)]).toEqual([WEST, ['w0']])
    expect(asText(world.refold())).toEqual(asText(world.outputs))
  })

  test('that comes back needs no vote any more', () => {
    const world = lost(true)
    carryOutFences(world)
    vote(world, [0, 1, 2, 3], 'no')
    expect(ballotsOf(world).at(-1)).toMatchObject({ state: 'rejected' })
    expect(recovered(world)).toEqual([])
    for (const node of ['w1', 'w2']) world.live(node)
    world.after(1_000)
    expect(recovered(world)).toEqual(['w0'])
  })

  test.each([
    { because: 'the policy does not ask for it', regionFailover: false, policy: POLICY },
    { because: 'regions are not failed over', regionFailover: true, policy: {} },
  ])('is not asked about where $because', ({ regionFailover, policy }) => {
    const world = lost(regionFailover, policy)
    expect(fenced(world)).toEqual(WEST)
    carryOutFences(world)
    expect(recovered(world)).toEqual(['w0'])
    expect(ballotsOf(world)).toEqual([])
  })
})

test('an emergency that a person declares begins with the quorum, and a counted one at once', () => {
  const world = createWorld({}, {})
  const standing = () => world.railFigures().emergency
  world.control({ kind: 'emergency', emergency: true, reason: 'flood' })
  expect(standing()).toBe(false)
  expect(world.journal('control')[0].reasons[0]).toMatch(/flood\. It waits for a vote: ballot web/)
  vote(world, [0, 1, 2, 3, 4])
  expect(standing()).toBe(false)
  vote(world, [5])
  expect(standing()).toBe(true)
  world.control({ kind: 'emergency', emergency: false })
  expect(standing()).toBe(false)
  expect(asText(world.refold())).toEqual(asText(world.outputs))
  const counted = createWorld()
  silence(counted, 'n0', 'n1', 'n2')
  expect(counted.railFigures().emergency).toBe(true)
})

test('one that was taken back before the quorum does not begin with it', () => {
  const world = createWorld()
  world.control({ kind: 'emergency', emergency: true })
  world.control({ kind: 'emergency', emergency: false })
  vote(world, [0, 1, 2, 3, 4, 5])
  expect(ballotsOf(world).at(-1)!.state).toBe('approved')
  expect(world.railFigures().emergency).toBe(false)
})

test('without rules nothing is voted on, and a vote finds no ballot', () => {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1 }, keyOf })
  world.joinMany(9)
  silence(world, 'n0', 'n1', 'n2', 'n3')
  expect(fenced(world)).toHaveLength(4)
  world.feed('vote', signedVote('web.1.b0', 'n5', 'yes'))
  expect(world.stats()).toMatchObject({ refusedVoteCount: 1, ballotCount: 0 })
})

test('without keys no vote counts', () => {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1, votes: VOTE_RULES } })
  world.joinMany(9)
  silence(world, 'n0', 'n1', 'n2')
  vote(world, [3, 4, 5, 6, 7, 8])
  expect(fenced(world)).toHaveLength(2)
  expect(world.stats()).toMatchObject({ forgedVoteCount: 6 })
})
