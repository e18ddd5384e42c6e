// Goal: whatever the partition and whatever the policy, at most one side acts.
// Method: each side of any partition of the members is asked for itself. A policy that is wrong on
// purpose is caught, so the property can fail.
import { fc, test } from '@fast-check/vitest'
import { describe, expect, test as once } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import { SPLIT_BRAIN_POLICIES } from '../../../src/core/split-brain.ts'
import {
  judgeSplit,
  type Lease,
  leaseAfter,
  mayGoOn,
  type Members,
} from '../../../src/decide/split-brain.ts'

interface Split {
  /** Oldest first. */
  readonly members: readonly NodeId[]
  readonly sides: readonly (readonly NodeId[])[]
  readonly quorumNodes: number
  readonly holder: NodeId | null
}

/** Every partition of up to forty nodes into up to six sides; some nodes may be on no side. */
const splits: fc.Arbitrary<Split> = fc
  .record({
    sideOf: fc.array(fc.integer({ min: -1, max: 5 }), { minLength: 1, maxLength: 40 }),
    quorumNodes: fc.integer({ min: 1, max: 45 }),
    holder: fc.integer({ min: -1, max: 39 }),
  })
  .map(({ sideOf, quorumNodes, holder }) => {
    const members = sideOf.map((_, i) => `n${i}` as NodeId)
    const sides = [0, 1, 2, 3, 4, 5]
      .map((side) => members.filter((_, i) => sideOf[i] === side))
      .filter(({ length }) => length > 0)
    return { members, sides, quorumNodes, holder: members[holder] ?? null }
  })

function membersOf({ members, sides, holder }: Split): Members {
  const on = new Set(sides.flat())
  return {
    nodeCount: members.length,
    oldest: members.find((node) => on.has(node)) ?? null,
    leaseHolder: holder,
  }
}

describe.each(SPLIT_BRAIN_POLICIES)('%s', (policy) => {
  test.prop([splits], { numRuns: 500 })('at most one side goes on, asked one by one', (split) => {
    const { sides, quorumNodes } = split
    const members = membersOf(split)
    const going = sides.filter((side) => mayGoOn({ policy, quorumNodes }, new Set(side), members))
    expect(going.length).toBeLessThanOrEqual(1)
    const { lives } = judgeSplit({ policy, quorumNodes }, sides, members)
    expect(lives === null ? [] : [sides[lives]]).toEqual(going)
  })

  test.prop([splits, fc.integer({ min: 0, max: 5 })])(
    'when the side that went on splits again, nobody but a part of it goes on',
    (split, cut) => {
      const { sides, quorumNodes } = split
      const members = membersOf(split)
      const { lives } = judgeSplit({ policy, quorumNodes }, sides, members)
      if (lives === null) return
      const parts = sides.flatMap((side, i) =>
        i === lives ? [side.slice(0, cut), side.slice(cut)] : [side],
      )
      const kept = parts.filter(({ length }) => length > 0)
      const after = judgeSplit({ policy, quorumNodes }, kept, members)
      if (after.lives === null) return
      expect(sides[lives]).toEqual(expect.arrayContaining([...kept[after.lives]]))
    },
  )
})

once('a rule of half or more would be caught', () => {
  const halves = fc.property(splits, ({ sides, members }) => {
    return sides.filter(({ length }) => 2 * length >= members.length).length <= 1
  })
  expect(fc.check(halves, { numRuns: 5_000 }).failed).toBe(true)
})

/** Reports in any order of any nodes: the log says who was first. */
test.prop([
  splits,
  fc.array(fc.tuple(fc.integer({ min: 0, max: 39 }), fc.integer({ max: 9_000 }))),
])(
  'the lease has one holder at a time, and while it is fresh it stays on its side',
  (split, voices) => {
    const { sides, members } = split
    const sideOf = new Map(sides.flatMap((side, i) => side.map((node) => [node, i] as const)))
    const sizes = sides.map(({ length }) => length)
    const of = { sideOf, sizes, nodeCount: members.length, stableAtMs: 0 }
    let lease: Lease | null = null
    let nowMs = 0
    for (const [voice, afterMs] of voices) {
      nowMs += Math.abs(afterMs)
      const before: Lease | null = lease
      lease = leaseAfter(lease, members[voice % members.length], of, 10_000, nowMs)
      if (lease === null) continue
      expect(lease.renewedAtMs).toBeLessThanOrEqual(nowMs)
      const isFresh = before !== null && nowMs - before.renewedAtMs <= 10_000
      if (isFresh) expect(lease.holder).toBe(before.holder)
      const isMajority = 2 * sizes[sideOf.get(lease.holder)!] > members.length
      if (before === null && nowMs < 10_000) expect(isMajority).toBe(true)
    }
  },
)
