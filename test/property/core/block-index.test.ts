import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { BlockIndex } from '../../../src/core/block-index.ts'
import type { WorkloadId } from '../../../src/core/ids.ts'
import { blockOf } from '../../../src/core/resync.ts'

const workload = fc.integer({ min: 0, max: 40 }).map((number) => `w-${number}` as WorkloadId)
const change = fc.record({ workload, comes: fc.boolean() })

test.prop([fc.array(workload), fc.array(change), fc.integer({ min: 1, max: 8 })])(
  'whatever comes and goes, a block has what a look at all workloads would find',
  (first, changes, blocks) => {
    const index = new BlockIndex(first, blocks)
    const all = new Set(first)
    for (const { workload: each, comes } of changes) {
      if (comes) index.add(each)
      else index.delete(each)
      // What comes anew goes to the end, as it does in an agent's book.
      all.delete(each)
      if (comes) all.add(each)
    }
    for (let block = 0; block < blocks; block++) {
      const found = [...all].filter((each) => blockOf(each, blocks) === block)
      expect([...index.of(block)].sort()).toEqual(found.sort())
    }
  },
)
