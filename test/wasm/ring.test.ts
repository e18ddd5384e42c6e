// Goal: the ring's kernels and their readable twins agree, to the last owner and the last move.
// Method: random members, keys and changes on both.
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { ringCapacities, referencePlan } from '../../src/core/ring-plan.ts'
import { NOBODY, ringHash, ringKeys } from '../../src/core/ring.ts'
import type { RingMember } from '../../src/core/ring.ts'
import type { Placement } from '../../src/state/placement.ts'
import { RingMemory } from '../../src/state/ring-memory.ts'
import { foreshockWasm } from '../support/node-class.ts'
import { member, memberLists, newRing, referenceSets } from '../support/ring.ts'

const texts = fc.array(fc.string({ maxLength: 40, unit: 'grapheme' }), { maxLength: 60 })

test.prop([fc.uint8Array({ maxLength: 100 })], { numRuns: 300, seed: 1 })(
  'a hash is the same in both',
  (key) => {
    const memory = new RingMemory(foreshockWasm())
    const [at, out] = [memory.room('keys', key.length), memory.room('seeds', 8)]
    memory.bytes().set(key, at)
    memory.kernel.ringHash(at, key.length, out)
    expect(new BigUint64Array(memory.bytes().buffer, out, 1)[0]).toBe(ringHash(key))
  },
)

test.prop([memberLists(12), texts, fc.integer({ min: 1, max: 5 })], { numRuns: 60, seed: 2 })(
  'owners and replicas equal the reference',
  (members, keys, replicaCount) => {
    const ring = newRing(members)
    const { walks, sets } = referenceSets(members, keys, replicaCount)
    expect([...ring.owners(ringKeys(keys))]).toEqual(walks.map((walk) => walk[0] ?? NOBODY))
    expect([...ring.replicas(ringKeys(keys), replicaCount)]).toEqual(sets.flat())
    const { bytes, offsets } = ringKeys(keys)
    const staged = ring.stage(bytes.length, keys.length)
    staged.bytes.set(bytes)
    staged.offsets.set(offsets)
    expect(ring.stagedOwners(keys.length)).toEqual(ring.owners({ bytes, offsets }))
  },
)

interface Step {
  readonly leave: number
  readonly join: boolean
  readonly weight: number
  readonly movesMax: number
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    leave: fc.nat(20),
    join: fc.boolean(),
    weight: fc.constantFrom(0, 0.2, 1, 3),
    movesMax: fc.constantFrom(0, 3, 1_000, 1_000),
  }),
  { minLength: 1, maxLength: 4 },
)
const options = fc.record({
  replicaCount: fc.integer({ min: 1, max: 4 }),
  bound: fc.constantFrom(1, 1.1, 1.25, 2),
})

/** The same members with the same indices; one that has left has no points and no zone. */
class ReferenceRing {
  readonly members: RingMember[]
  readonly gone = new Set<number>()

  constructor(members: readonly RingMember[]) {
    this.members = [...members]
  }

  sets(keys: readonly string[], replicaCount: number) {
    const present = this.members.map((m, i) => (this.gone.has(i) ? { ...m, weight: 0 } : m))
    return referenceSets(present, keys, replicaCount)
  }

  weights(): readonly number[] {
    return this.members.map(({ weight }, i) => (this.gone.has(i) ? 0 : weight))
  }

  zones(): readonly (string | null)[] {
    return this.members.map(({ zone }, i) => (this.gone.has(i) ? null : `of ${zone}`))
  }
}

describe('plans', () => {
  test.prop([memberLists(9), texts, options, steps], { numRuns: 120, seed: 3 })(
    'every move of every plan equals the reference',
    (members, keys, { replicaCount, bound }, program) => {
      const ring = newRing(members)
      const twin = new ReferenceRing(members)
      let placement: Placement = ring.place(ringKeys(keys), replicaCount, { bound }).placement
      let before = twin.sets(keys, replicaCount).sets
      const mirrored = keys.map(() => Array.from({ length: replicaCount }, () => NOBODY))
      const follow = (movesMax: number) => {
        const { walks, sets: after } = twin.sets(keys, replicaCount)
        const capacities = ringCapacities(twin.weights(), keys.length, replicaCount, bound)
        const zones = twin.zones()
        const plan = { walks, placement: mirrored, before, after, capacities, zones, movesMax }
        const moves = referencePlan(plan)
        before = after
        return moves
      }
      follow(1_000)
      expect([...placement.owners]).toEqual(mirrored.flat())
      for (const [i, { leave, join, weight, movesMax }] of program.entries()) {
        const index = leave % twin.members.length
        const present = !twin.gone.has(index)
        const joining = join || !present ? [member(`new ${i}`, { weight, zone: 'a' })] : []
        const leaving = present && weight === 0.2 ? [twin.members[index].node] : []
        const changing = present && leaving.length === 0 ? [{ ...twin.members[index], weight }] : []
        twin.members.push(...joining)
        if (leaving.length > 0) twin.gone.add(index)
        else if (present) twin.members[index] = changing[0]
        const change = { join: joining, leave: leaving, change: changing }
        const plan = ring.plan(placement, change, { bound, movesMax })
        expect(plan.moves).toEqual(follow(movesMax))
        expect([...plan.placement.owners]).toEqual(mirrored.flat())
        placement = plan.placement
      }
    },
  )
})
