// Goal: copies of a placement that went their own ways are told apart from old ones, and whoever merges
// them, in whatever order they come, knows of all of them afterwards.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import { MERGE_POLICIES } from '../../../src/core/split-brain.ts'
import {
  compareVersions,
  mergeVersions,
  type VersionVector,
} from '../../../src/core/version-vector.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { mergePlacement } from '../../../src/decide/placement-merge.ts'

const vectors: fc.Arbitrary<VersionVector> = fc.dictionary(
  fc.constantFrom('e0', 'e1', 'e2', '__proto__', 'constructor'),
  fc.integer({ min: 0, max: 5 }),
)

test.prop([vectors, vectors])('an order is that of the other way round', (a, b) => {
  const turned = { before: 'after', after: 'before', equal: 'equal', concurrent: 'concurrent' }
  expect(compareVersions(b, a)).toBe(turned[compareVersions(a, b)])
})

test.prop([vectors, vectors, vectors])('a merge knows of all, whatever the order', (a, b, c) => {
  const merged = mergeVersions(a, mergeVersions(b, c))
  expect(merged).toEqual(mergeVersions(mergeVersions(c, a), b))
  for (const each of [a, b, c]) expect(['after', 'equal']).toContain(compareVersions(merged, each))
})

const place = (node: string, versions: VersionVector): Placement => ({
  workload: 'w' as WorkloadId,
  node: node as NodeId,
  pool: 'web' as PoolId,
  priority: 'NORMAL',
  needs: { cpu: 1, memoryBytes: 1, gpu: null },
  stateBytes: 0,
  dependsOn: [],
  versions,
})

/** Each executor places the workload in turn, knowing of what the one before it did, or not. */
test.prop([
  fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.boolean()), { minLength: 1, maxLength: 12 }),
  fc.constantFrom(...MERGE_POLICIES),
])(
  'what was written by who knew of it is no conflict, and what was not is one',
  (writes, policy) => {
    let known: Placement | undefined
    const own: VersionVector[] = [{}, {}, {}]
    for (const [i, [writer, isInformed]] of writes.entries()) {
      const base = isInformed ? mergeVersions(own[writer], known?.versions ?? {}) : own[writer]
      const versions = { ...base, [`e${writer}`]: (base[`e${writer}`] ?? 0) + 1 }
      own[writer] = versions
      const said = place(`n${i}`, versions)
      const isKnown = known === undefined || compareVersions(base, known.versions!) !== 'before'
      const merge = mergePlacement(known, said, policy, () => false)
      if (isInformed) expect(merge.kind).toBe('newer')
      if (!isInformed && isKnown) expect(merge.kind).not.toBe('stale')
      if (merge.kind === 'stale') continue
      expect(['after', 'equal']).toContain(compareVersions(merge.kept.versions!, versions))
      known = merge.kept
    }
  },
)
