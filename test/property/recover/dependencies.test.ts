// Goal: whatever workloads depend on, there is an order, it respects what they depend on, and only
// circles are opened.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { WorkloadId } from '../../../src/core/ids.ts'
import { type Dependent, orderByDependency } from '../../../src/recover/dependencies.ts'

const COUNT_MAX = 12

const names = Array.from({ length: COUNT_MAX }, (_, i) => `w${i}` as WorkloadId)
const dependents = fc
  .array(
    fc.record({
      rank: fc.nat(3),
      dependsOn: fc.uniqueArray(fc.constantFrom(...names, 'elsewhere' as WorkloadId), {
        maxLength: 4,
      }),
    }),
    { maxLength: COUNT_MAX },
  )
  .map((rows): Dependent[] => rows.map((row, i) => ({ ...row, workload: names[i] })))
/** Each depends on earlier ones only, so there is no circle. */
const acyclic = dependents.map((rows) =>
  rows.map((row, i) => ({
    ...row,
    dependsOn: row.dependsOn.filter((other) => names.indexOf(other) < i && other !== 'elsewhere'),
  })),
)

const indexOf = (order: readonly WorkloadId[]) =>
  new Map(order.map((workload, index) => [workload, index]))

test.prop([dependents])('each workload comes once, after all that it waits for', (given) => {
  const { order, waitsFor } = orderByDependency(given)
  expect([...order].sort()).toEqual(given.map(({ workload }) => workload).sort())
  const at = indexOf(order)
  for (const [workload, before] of waitsFor) {
    for (const other of before) expect(at.get(other)!).toBeLessThan(at.get(workload)!)
  }
})

test.prop([dependents])(
  'it waits for all it depends on that is there, but what was dropped',
  (given) => {
    const { waitsFor, dropped } = orderByDependency(given)
    const there = new Set(given.map(({ workload }) => workload))
    for (const { workload, dependsOn } of given) {
      const expected = dependsOn.filter((other) => {
        const isDropped = dropped.some((d) => d.workload === workload && d.dependency === other)
        return other !== workload && there.has(other) && !isDropped
      })
      expect([...waitsFor.get(workload)!].sort()).toEqual(expected.sort())
    }
  },
)

test.prop([dependents])(
  'what is dropped closes a circle, at its least urgent workload',
  (given) => {
    const byName = new Map(given.map((row) => [row.workload, row]))
    for (const { workload, dependency, circle } of orderByDependency(given).dropped) {
      expect([circle[0], circle[1], circle.at(-1)]).toEqual([workload, dependency, workload])
      for (let i = 1; i < circle.length; i++) {
        expect(byName.get(circle[i - 1])!.dependsOn).toContain(circle[i])
      }
      const rank = byName.get(dependency)!.rank
      for (const other of circle) expect(byName.get(other)!.rank).toBeLessThanOrEqual(rank)
    }
  },
)

test.prop([acyclic])(
  'without a circle nothing is dropped, and urgency rules what is free',
  (given) => {
    const { order, dropped } = orderByDependency(given)
    expect(dropped).toEqual([])
    const byName = new Map(given.map((row) => [row.workload, row]))
    const rankOf = (workload: WorkloadId) => byName.get(workload)!.rank
    for (let i = 0; i < order.length; i++) {
      const taken = new Set(order.slice(0, i))
      const free = order
        .slice(i)
        .filter((workload) => byName.get(workload)!.dependsOn.every((other) => taken.has(other)))
      expect(rankOf(order[i])).toBe(Math.min(...free.map(rankOf)))
    }
  },
)

test.prop([dependents, fc.nat()])(
  'the order in which they are given changes nothing',
  (given, seed) => {
    const shuffled = [...given].sort(
      (a, b) =>
        ((names.indexOf(a.workload) * 7 + seed) % 13) -
        ((names.indexOf(b.workload) * 7 + seed) % 13),
    )
    const [first, second] = [orderByDependency(given), orderByDependency(shuffled)]
    expect(second.order).toEqual(first.order)
    expect(second.dropped).toEqual(first.dropped)
  },
)
