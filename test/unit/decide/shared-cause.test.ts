import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import { type Attributes, SharedCauses } from '../../../src/decide/shared-cause.ts'

const POLICY = { sharedCauseRatio: 0.3, sharedCauseNodesMin: 5, nodeCount: 100 }

/** A hundred nodes in ten racks and two zones, every fourth with the new image. */
function fleet(): SharedCauses {
  const causes = new SharedCauses()
  for (let i = 0; i < 100; i++) causes.setMember(name(i), attributes(i))
  return causes
}

function name(i: number): NodeId {
  return `n${i}` as NodeId
}

function attributes(i: number): Attributes {
  return { rack: `r${Math.floor(i / 10)}`, zone: `z${i % 2}`, image: i % 4 === 0 ? 'new' : 'old' }
}

function makeFaulty(causes: SharedCauses, which: (i: number) => boolean, model?: string): void {
  for (let i = 0; i < 100; i++) if (which(i)) causes.setFaulty(name(i), model)
}

test.each([
  {
    which: (i: number) => i < 8,
    cause: { dimension: 'rack', value: 'r0' },
    because: 'eight of a rack',
  },
  {
    which: (i: number) => i % 4 === 0,
    cause: { dimension: 'image', value: 'new' },
    because: 'all of an image',
  },
  {
    which: (i: number) => i % 2 === 0,
    cause: { dimension: 'zone', value: 'z0' },
    because: 'all of a zone',
  },
  {
    which: (i: number) => i % 3 === 0,
    cause: { dimension: 'pool', value: 'all' },
    because: 'a third of everything',
  },
  { which: (i: number) => i < 4, cause: null, because: 'four are too few' },
  { which: (i: number) => i % 25 === 0, cause: null, because: 'they have nothing in common' },
])('$because: $cause', ({ which, cause }) => {
  const causes = fleet()
  makeFaulty(causes, which)
  const found = causes.causeOf(name(0), POLICY)
  if (cause === null) expect(found).toBeNull()
  else expect(found).toMatchObject(cause)
})

test('our own model is the cause when it alone calls most of the faulty ones faulty', () => {
  const causes = fleet()
  makeFaulty(causes, (i) => i % 3 === 0, 'm2')
  expect(causes.causeOf(name(0), POLICY)).toMatchObject({ dimension: 'model', value: 'm2' })
})

test('a node that is well has no cause, and one that leaves is counted no longer', () => {
  const causes = fleet()
  makeFaulty(causes, (i) => i < 8)
  expect(causes.causeOf(name(50), POLICY)).toBeNull()
  for (let i = 3; i < 8; i++) causes.removeMember(name(i))
  expect(causes.causeOf(name(0), POLICY)).toBeNull()
})
