// Goal: a change of members moves what it must and nothing else, within bounds, zones and budget.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { NOBODY } from '../../../src/core/ring.ts'
import type { RingMember } from '../../../src/core/ring.ts'
import type { Ring } from '../../../src/state/ring.ts'
import type { Placement, RingPlan } from '../../../src/state/placement.ts'
import { fleetOf, member, memberLists, names, newRing, shardKeys } from '../../support/ring.ts'

const KEYS = shardKeys(600)
const sizes = fc.integer({ min: 3, max: 40 })
const bounds = fc.constantFrom(1, 1.1, 1.25, 2)
const replicaCounts = fc.integer({ min: 1, max: 3 })

const held = (ring: Ring, { owners }: Placement, node: string): number =>
  owners.filter((owner) => owner !== NOBODY && ring.nodeAt(owner) === node).length

function expectWithinBound(ring: Ring, placement: Placement, bound: number): void {
  for (const { load, capacity } of ring.loads(placement, bound)) {
    expect(load).toBeLessThanOrEqual(capacity)
  }
}

/** Replaying the moves one by one gives the new placement: none is missing, none is made twice. */
function expectMovesLead(before: Placement, { moves, placement }: RingPlan): void {
  const owners = before.owners.slice()
  for (const { slot, from, to } of moves) {
    expect(owners[slot]).toBe(from)
    owners[slot] = to
  }
  expect(owners).toEqual(placement.owners)
  expect(new Set(moves.map(({ slot }) => slot)).size).toBe(moves.length)
}

test.prop([sizes, fc.nat(39), bounds], { numRuns: 60 })(
  'a node that leaves moves exactly what it held',
  (count, pick, bound) => {
    const ring = newRing(fleetOf(count))
    const { placement } = ring.place(KEYS, 1, { bound })
    const leaving = `n${pick % count}`
    const share = held(ring, placement, leaving)
    const plan = ring.plan(placement, { leave: [leaving] }, { bound })
    expectMovesLead(placement, plan)
    expect(plan.moves).toHaveLength(share)
    for (const { from } of plan.moves) expect(ring.nodeAt(from)).toBe(leaving)
    expectWithinBound(ring, plan.placement, bound)
  },
)

test.prop([sizes, bounds, fc.constantFrom(0.5, 1, 3)], { numRuns: 60 })(
  'a node that joins receives every move, but for what the bound takes from the overloaded',
  (count, bound, weight) => {
    const ring = newRing(fleetOf(count))
    const { placement } = ring.place(KEYS, 1, { bound })
    const plan = ring.plan(placement, { join: [member('new', { weight })] }, { bound })
    expectMovesLead(placement, plan)
    const elsewhere = plan.moves.filter(({ to }) => ring.nodeAt(to) !== 'new')
    const relieved = new Map(ring.loads(plan.placement, bound).map((row) => [row.member.node, row]))
    // Who gave to others than the new node stands at its bound exactly: not one move more.
    for (const { from } of elsewhere) {
      const { load, capacity } = relieved.get(ring.nodeAt(from))!
      expect(load).toBe(capacity)
    }
    expectWithinBound(ring, plan.placement, bound)
    expect(plan.excessCount).toBe(0)
  },
)

test.prop([sizes, fc.constantFrom(0, 0.3, 2)], { numRuns: 60 })(
  'another weight moves keys of that node only, while the bound is wide',
  (count, weight) => {
    const ring = newRing(fleetOf(count))
    const { placement } = ring.place(KEYS, 1, { bound: 64 })
    const plan = ring.plan(placement, { change: [member('n1', { weight })] }, { bound: 64 })
    expectMovesLead(placement, plan)
    for (const { from, to } of plan.moves) {
      expect([ring.nodeAt(from), ring.nodeAt(to)]).toContain('n1')
      expect(ring.nodeAt(weight > 1 ? to : from)).toBe('n1')
    }
    expect(plan.moves.length).toBeGreaterThan(0)
  },
)

// Zones of equal weight: the bound leaves room for the spread. Where it does not, the bound wins.
const perZone = fc.integer({ min: 2, max: 8 })
test.prop([perZone, replicaCounts, fc.integer({ min: 3, max: 6 })], { numRuns: 60, seed: 4 })(
  'replicas of a key are on distinct nodes and in distinct zones, also after one has left',
  (count, replicaCount, zoneCount) => {
    const fleet = fleetOf(count * zoneCount, zoneCount)
    const ring = newRing(fleet)
    const zoneOf = new Map(fleet.map(({ node, zone }) => [node, zone]))
    const first = ring.place(KEYS, replicaCount)
    const plan = ring.plan(first.placement, { leave: ['n0'] })
    const lost = held(ring, first.placement, 'n0')
    expect(plan.moves).toHaveLength(lost)
    const sets = ring.replicas(KEYS, replicaCount)
    for (const placement of [first.placement, { ...first.placement, owners: sets }]) {
      for (const set of names(ring, placement)) {
        expect(new Set(set.map((node) => zoneOf.get(node))).size).toBe(replicaCount)
      }
    }
    for (const set of names(ring, plan.placement)) {
      expect(new Set(set).size).toBe(replicaCount)
      expect(set).not.toContain('')
    }
    expectWithinBound(ring, plan.placement, 1.25)
  },
)

test.prop([memberLists(12), replicaCounts, bounds], { numRuns: 60 })(
  'no load is over the bound, whatever the weights and zones',
  (members, replicaCount, bound) => {
    const ring = newRing(members)
    const plan = ring.place(KEYS, replicaCount, { bound })
    expectWithinBound(ring, plan.placement, bound)
    const taking = members.filter(({ weight }) => weight > 0).length
    if (bound >= 1.25 && replicaCount === 1 && taking > 0) expect(plan.unplacedCount).toBe(0)
  },
)

test.prop([sizes, fc.integer({ min: 1, max: 60 }), replicaCounts], { numRuns: 40 })(
  'a budget is kept, and plans that follow bring the rest, without a move twice',
  (count, movesMax, replicaCount) => {
    const ring = newRing(fleetOf(count, 3))
    const first = ring.place(KEYS, replicaCount)
    const lost = held(ring, first.placement, 'n0') + first.unplacedCount
    let { placement } = first
    let moved = 0
    let plan = ring.plan(placement, { leave: ['n0'] }, { movesMax })
    for (;;) {
      expect(plan.moves.length).toBeLessThanOrEqual(movesMax)
      expect(plan.deferredCount + moved + plan.moves.length + plan.unplacedCount).toBe(lost)
      moved += plan.moves.length
      placement = plan.placement
      if (plan.deferredCount === 0) break
      plan = ring.plan(placement, {}, { movesMax })
    }
  },
)

const shuffled = memberLists(20).chain((members) =>
  fc.tuple(fc.constant(members), fc.shuffledSubarray([...members], { minLength: members.length })),
)

test.prop([shuffled], { numRuns: 60 })(
  'who joined first, in one go or one by one, or left in between, makes no difference',
  ([members, order]) => {
    const owned = (ring: Ring): readonly string[] =>
      [...ring.owners(KEYS)].map((owner) => (owner === NOBODY ? '' : ring.nodeAt(owner)))
    const oneByOne = newRing([member('passing')])
    for (const each of order) oneByOne.change({ join: [each] })
    for (const { node, weight } of order.slice(0, 3)) {
      oneByOne.change({ change: [member(node, { weight: weight + 1 })] })
      oneByOne.change({ change: [order.find((each: RingMember) => each.node === node)!] })
    }
    oneByOne.change({ leave: ['passing'] })
    expect(owned(oneByOne)).toEqual(owned(newRing(members)))
  },
)

test('a ring without members gives keys to nobody, whatever its memory holds', () => {
  for (const count of [1, 2, 600]) {
    const ring = newRing()
    const { placement } = ring.place(shardKeys(count), 2)
    expect(placement.owners.every((owner) => owner === NOBODY)).toBe(true)
    const plan = ring.plan(placement, { join: [member('n0')] })
    expect(plan.moves).toHaveLength(count)
    expect(ring.plan(plan.placement, { leave: ['n0'] }).unplacedCount).toBe(2 * count)
  }
})

test.prop([sizes, fc.nat(39), bounds, replicaCounts], { numRuns: 60 })(
  'a node of weight 0 that may keep what it holds gives nothing away and takes nothing',
  (count, pick, bound, replicaCount) => {
    const ring = newRing(fleetOf(count, 3))
    const { placement } = ring.place(KEYS, replicaCount, { bound })
    const idle = `n${pick % count}`
    const share = held(ring, placement, idle)
    ring.change({ change: [member(idle, { weight: 0, zone: `z${(pick % count) % 3}` })] })
    const change = { leave: [`n${(pick + 1) % count}`], join: [member('new', { zone: 'z1' })] }
    const plan = ring.plan(placement, change, { bound, idle: 'keep' })
    expect(
      plan.moves.some(({ from, to }) => [from, to].some((i) => nameOf(ring, i) === idle)),
    ).toBe(false)
    expect(held(ring, plan.placement, idle)).toBe(share)
    const loads = ring.loads(plan.placement, bound, 'keep')
    if (replicaCount > 1) return
    for (const { load, capacity } of loads) expect(load).toBeLessThanOrEqual(capacity)
  },
)

const nameOf = (ring: Ring, index: number): string | null =>
  index === NOBODY ? null : ring.nodeAt(index)

test.prop([sizes, fc.integer({ min: 1, max: 20 })], { numRuns: 40 })(
  'a plan goes on with the moves that a budget put off, and ends where one plan would have',
  (count, movesMax) => {
    const [ring, other] = [newRing(fleetOf(count)), newRing(fleetOf(count))]
    const first = ring.place(KEYS, 1, { bound: 64 })
    other.place(KEYS, 1, { bound: 64 })
    const before = ring.replicas(KEYS, 1)
    const join = [member('new')]
    const whole = other.plan(first.placement, { join }, { bound: 64 })
    let plan = ring.plan(first.placement, { join }, { bound: 64, movesMax, before })
    for (let i = 0; plan.deferredCount > 0 && i < 600; i++) {
      expect(plan.moves).toHaveLength(movesMax)
      plan = ring.plan(plan.placement, {}, { bound: 64, movesMax, before })
    }
    expect(plan.placement.owners).toEqual(whole.placement.owners)
  },
)
