/** Rings, keys and the reference's answers, for tests. */
import { fc } from '@fast-check/vitest'
import { NOBODY, replicasOf, ringKeys, ringPoints, walkRing } from '../../src/core/ring.ts'
import type { RingMember } from '../../src/core/ring.ts'
import { toBytes } from '../../src/core/bytes.ts'
import { Ring } from '../../src/state/ring.ts'
import type { Placement } from '../../src/state/placement.ts'
import { foreshockWasm } from './node-class.ts'

const wasm = foreshockWasm()

export const newRing = (members: readonly RingMember[] = []): Ring => new Ring(wasm, members)

export function member(node: string, more: Partial<RingMember> = {}): RingMember {
  return { node, weight: 1, zone: null, ...more }
}

/** `n0`, `n1`, ...; with zones, in turns. */
export function fleetOf(count: number, zoneCount = 1): readonly RingMember[] {
  return Array.from({ length: count }, (_, i) => member(`n${i}`, { zone: `z${i % zoneCount}` }))
}

export const shards = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `shard-${i}`)

export const shardKeys = (count: number) => ringKeys(shards(count))

/** Members with names that differ, some of weight 0, few zones. */
export const memberLists = (countMax: number): fc.Arbitrary<readonly RingMember[]> =>
  fc.uniqueArray(
    fc.record({
      node: fc.oneof(
        fc.integer({ min: 0, max: 99 }).map((n) => `n${n}`),
        fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
      ),
      weight: fc.constantFrom(0, 0.1, 0.5, 1, 1, 1, 2.5),
      zone: fc.constantFrom(null, 'a', 'b', 'c'),
    }),
    { selector: ({ node }) => node, minLength: 1, maxLength: countMax },
  )

/** Per key the names of its owners. */
export function names(ring: Ring, { owners, replicaCount }: Placement): readonly string[][] {
  return Array.from({ length: owners.length / replicaCount }, (_, key) =>
    [...owners.subarray(key * replicaCount, (key + 1) * replicaCount)].map((owner) =>
      owner === NOBODY ? '' : ring.nodeAt(owner),
    ),
  )
}

/** Walks and replica sets by the reference; NOBODY fills up. */
export function referenceSets(
  members: readonly RingMember[],
  keys: readonly string[],
  replicaCount: number,
): { readonly walks: readonly (readonly number[])[]; readonly sets: readonly number[][] } {
  const points = ringPoints(members)
  const walks = keys.map((key) => [...walkRing(points, toBytes(key))])
  const sets = walks.map((walk) => {
    const set = replicasOf(members, walk, replicaCount)
    return Array.from({ length: replicaCount }, (_, i) => set[i] ?? NOBODY)
  })
  return { walks, sets }
}
