import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'

import { assignPartitions } from '../../../src/bus/local/assignment.ts'

const membersOf = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { maxLength: 9 })
const countOf = fc.integer({ min: 1, max: 40 })

function loads(assignment: ReadonlyMap<number, string>, members: readonly string[]): number[] {
  return members.map((member) => [...assignment.values()].filter((m) => m === member).length)
}

test.prop([membersOf, countOf])(
  'each partition has one member, within one of each other',
  (members, count) => {
    const assignment = assignPartitions(members, count, new Map())
    expect(assignment.size).toBe(members.length === 0 ? 0 : count)
    if (members.length > 0) {
      const counts = loads(assignment, members)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    }
  },
)

test.prop([membersOf, countOf])('the order of the members does not matter', (members, count) => {
  expect(assignPartitions(members.toReversed(), count, new Map())).toEqual(
    assignPartitions(members, count, new Map()),
  )
})

test.prop([membersOf.filter((m) => m.length > 0), countOf])(
  'a join moves only what the newcomer gets',
  (members, count) => {
    const before = assignPartitions(members, count, new Map())
    const after = assignPartitions([...members, 'newcomer'], count, before)
    for (const [partition, member] of after) {
      if (member !== 'newcomer') expect(before.get(partition)).toBe(member)
    }
  },
)

test.prop([membersOf.filter((m) => m.length > 1), countOf])(
  'a leave moves only what the leaver had',
  (members, count) => {
    const before = assignPartitions(members, count, new Map())
    const after = assignPartitions(members.slice(1), count, before)
    for (const [partition, member] of before) {
      if (member !== members[0]) expect(after.get(partition)).toBe(member)
    }
  },
)
