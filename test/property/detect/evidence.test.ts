// Goal: what is found follows from what was said, not from the order in which it came.
import { createHash } from 'node:crypto'
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { ReachabilityReport } from '../../../src/core/evidence.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { byzantine } from '../../../src/detect/byzantine.ts'
import { dataCorruption } from '../../../src/detect/data-corruption.ts'
import { merkleRoot } from '../../../src/detect/merkle.ts'
import { Reachability } from '../../../src/detect/reachability.ts'
import { serviceUnavailable } from '../../../src/detect/service-unavailable.ts'
import { UnionFind } from '../../../src/detect/union-find.ts'
import { DetectorFeed, POOL } from '../../support/detector-feed.ts'

const pairs = fc.array(fc.tuple(fc.nat(29), fc.nat(29)), { maxLength: 60 })

/** Sets by painting: slow, and plainly right. */
function painted(count: number, edges: readonly (readonly [number, number])[]): number[] {
  const colour = Array.from({ length: count }, (_, i) => i)
  for (const [a, b] of edges) {
    const [from, to] = [colour[b], colour[a]]
    for (let i = 0; i < count; i++) if (colour[i] === from) colour[i] = to
  }
  return colour
}

test.prop([pairs])(
  'union-find: two are together exactly where a path leads from one to the other',
  (edges) => {
    const sets = new UnionFind(30)
    for (const [a, b] of edges) sets.union(a, b)
    const colour = painted(30, edges)
    for (let a = 0; a < 30; a++) {
      for (let b = 0; b < 30; b++) {
        expect(sets.find(a) === sets.find(b)).toBe(colour[a] === colour[b])
      }
    }
  },
)

const nodes = fc.integer({ min: 0, max: 11 }).map((i) => `n${i}` as NodeId)
/** Reports of different times: of two of the same time neither is the newer. */
const reports = fc
  .uniqueArray(
    fc.record({
      node: nodes,
      atMs: fc.nat(1_000),
      reachable: fc.uniqueArray(nodes, { maxLength: 6 }),
      unreachable: fc.uniqueArray(nodes, { maxLength: 6 }),
    }),
    { maxLength: 30, selector: ({ node, atMs }) => `${node}@${atMs}` },
  )
  .map((list) =>
    list.map((each): ReachabilityReport => ({ kind: 'reachability', pool: POOL, ...each })),
  )

test.prop([reports, fc.infiniteStream(fc.nat())])(
  'reachability: the sides do not depend on the order of the reports',
  (list, keys) => {
    const shuffled = list
      .map((report) => ({ report, key: keys.next().value as number }))
      .sort((a, b) => a.key - b.key)
      .map(({ report }) => report)
    const [one, other] = [list, shuffled].map((order) => {
      const reachability = new Reachability()
      for (const report of order) reachability.take(report, 1)
      return reachability.sides(1, 10)
    })
    expect(other).toEqual(one)
  },
)

test.prop([reports])('reachability: every node is on one side, and sides fall in size', (list) => {
  const reachability = new Reachability()
  for (const report of list) reachability.take(report, 1)
  const { sides, nodeCount } = reachability.sides(1, 10)
  const all = sides.flat()
  expect(new Set(all).size).toBe(all.length)
  expect(all.length).toBeLessThanOrEqual(nodeCount)
  for (let i = 1; i < sides.length; i++) {
    expect(sides[i].length).toBeLessThanOrEqual(sides[i - 1].length)
  }
})

test.prop([reports, fc.uniqueArray(nodes, { maxLength: 12 })])(
  'reachability: a node that left is on no side, also after names have moved up',
  (list, left) => {
    const reachability = new Reachability()
    // Enough names that leave to make the list close up its holes.
    for (let i = 0; i < 1_200; i++) {
      const node = `gone${i}` as NodeId
      reachability.take(
        { kind: 'reachability', pool: POOL, node, atMs: 1, reachable: [], unreachable: [] },
        1,
      )
      reachability.forget(node)
    }
    const plain = new Reachability()
    for (const report of list) for (const each of [reachability, plain]) each.take(report, 1)
    for (const node of left) for (const each of [reachability, plain]) each.forget(node)
    for (let i = 0; i < 1_200; i++) {
      const node = `more${i}` as NodeId
      reachability.take(
        { kind: 'reachability', pool: POOL, node, atMs: 1, reachable: [], unreachable: [] },
        1,
      )
      reachability.forget(node)
    }
    const { sides } = reachability.sides(1, 10)
    expect(sides).toEqual(plain.sides(1, 10).sides)
    for (const node of left) expect(sides.flat()).not.toContain(node)
  },
)

const GOOD = ['a', 'b', 'c', 'd'].map((text) => createHash('sha256').update(text).digest('hex'))
/** By holder, which chunk is broken; null is sound. */
const replicas = fc.array(fc.option(fc.nat(3), { freq: 3 }), { minLength: 3, maxLength: 9 })

test.prop([replicas, fc.boolean()])(
  'data corruption: with a sound majority exactly the broken replicas are found, in any order',
  (broken, reversed) => {
    fc.pre(2 * broken.filter((chunk) => chunk === null).length > broken.length)
    const feed = new DetectorFeed(dataCorruption)
    const order = [...broken.entries()]
    if (reversed) order.reverse()
    for (const [i, chunk] of order) {
      const chunks = GOOD.map((hash, at) => (at === chunk ? GOOD[(at + 1) % 4] : hash))
      const root = merkleRoot(chunks)
      feed.evidence({ kind: 'digest', node: `n${i}`, object: 'o', version: '1', root, chunks })
    }
    const found = feed.set.standing().map(({ node }) => node)
    const expected = order.flatMap(([i, chunk]) => (chunk === null ? [] : [`n${i}`]))
    expect(new Set(found)).toEqual(new Set(expected))
  },
)

test.prop([fc.array(fc.boolean(), { maxLength: 60 })])(
  'service: fewer failures in a row than the limit are no fault, and the limit is one',
  (answers) => {
    const feed = new DetectorFeed(serviceUnavailable)
    let failures = 0
    for (const ok of answers) {
      failures = ok ? 0 : failures + 1
      const body = { kind: 'service-check', service: 'db', probe: 'tcp', latencyMs: null } as const
      feed.evidence({ ...body, node: 'a', about: 'n', ok, status: null })
      expect(feed.set.standing()).toHaveLength(failures >= 3 ? 1 : 0)
    }
  },
)

const claims = fc.array(
  fc.record({
    accuser: fc.nat(8),
    about: fc.nat(8),
    claim: fc.constantFrom('dead', 'alive', 'corrupt', 'misbehaving'),
    waitMs: fc.nat(120_000),
  }),
  { maxLength: 80 },
)

test.prop([claims])(
  'byzantine: reputation stays within 0 and 1, and a silent node keeps all of it',
  (list) => {
    const feed = new DetectorFeed(byzantine)
    for (const { accuser, about, claim, waitMs } of list) {
      feed.nowMs += waitMs
      feed.evidence({ kind: 'claim', node: `n${accuser}`, about: `n${about}` as NodeId, claim })
      feed.row(`n${about}`, {})
      feed.take({ kind: 'tick' })
      for (let i = 0; i < 9; i++) {
        const reputation = feed.set.reputationOf(`n${i}` as NodeId, feed.nowMs)
        expect(reputation).toBeGreaterThanOrEqual(0)
        expect(reputation).toBeLessThanOrEqual(1)
      }
    }
    expect(feed.set.reputationOf('never-spoke' as NodeId, feed.nowMs)).toBe(1)
  },
)

test.prop([fc.integer({ min: 1, max: 3 }), fc.array(fc.nat(2), { minLength: 1, maxLength: 60 })])(
  'byzantine: a third of the witnesses, saying what they like, cannot ruin an honest node',
  (liars, picks) => {
    const feed = new DetectorFeed(byzantine)
    for (const pick of picks) {
      for (let i = 0; i < 2 * liars; i++) {
        feed.nowMs += 1
        feed.evidence({
          kind: 'claim',
          node: `honest${i}`,
          about: 'other',
          claim: 'alive',
        })
      }
      for (let i = 0; i < liars; i++) {
        feed.nowMs += 1
        const claim = (['corrupt', 'misbehaving', 'dead'] as const)[(pick + i) % 3]
        feed.evidence({ kind: 'claim', node: `liar${i}`, about: 'victim', claim })
      }
      feed.nowMs += 61_000
      feed.row('victim', {})
      feed.take({ kind: 'tick' })
    }
    expect(feed.set.reputationOf('victim' as NodeId, feed.nowMs)).toBe(1)
  },
)
