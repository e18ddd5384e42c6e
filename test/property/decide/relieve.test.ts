// Goal: what leaves a node is enough, and no cheaper set would be.
// Method: all sets of a few workloads are tried.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { WorkloadId } from '../../../src/core/ids.ts'
import { cheapestRelief, type Movable } from '../../../src/decide/relieve.ts'

const amount = fc.integer({ min: 0, max: 9 })
const amounts = { cpu: amount, memoryBytes: amount, gpuCount: fc.integer({ min: 0, max: 3 }) }
const movables = fc
  .array(fc.record({ ...amounts, cost: fc.integer({ min: 1, max: 9 }) }), {
    maxLength: 9,
  })
  .map((all) => all.map((each, i): Movable => ({ ...each, workload: `w${i}` as WorkloadId })))

test.prop([movables, fc.record({ ...amounts, cpu: fc.integer({ min: -2, max: 20 }) })], {
  numRuns: 500,
})(
  'the cheapest set that takes enough off is found, or none where there is none',
  (all, excess) => {
    let least = Number.POSITIVE_INFINITY
    for (let bits = 0; bits < 1 << all.length; bits++) {
      const taken = all.filter((_, i) => (bits & (1 << i)) !== 0)
      if (isEnough(taken, excess)) least = Math.min(least, costOf(taken))
    }
    const found = cheapestRelief(all, excess)
    if (least === Number.POSITIVE_INFINITY) {
      expect(found).toBeNull()
      return
    }
    const taken = all.filter(({ workload }) => found?.includes(workload) === true)
    expect(isEnough(taken, excess)).toBe(true)
    expect(costOf(taken)).toBe(least)
  },
)

function isEnough(
  taken: readonly Movable[],
  excess: { cpu: number; memoryBytes: number; gpuCount: number },
): boolean {
  const sum = (pick: (each: Movable) => number) =>
    taken.reduce((total, each) => total + pick(each), 0)
  return (
    sum(({ cpu }) => cpu) >= excess.cpu &&
    sum((each) => each.memoryBytes) >= excess.memoryBytes &&
    sum((each) => each.gpuCount) >= excess.gpuCount
  )
}

function costOf(taken: readonly Movable[]): number {
  return taken.reduce((sum, { cost }) => sum + cost, 0)
}
