import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { dataCorruption } from '../../../src/detect/data-corruption.ts'
import { merkleRoot } from '../../../src/detect/merkle.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

const GOOD = ['a', 'b', 'c'].map(hash)
const BAD = ['a', 'x', 'c'].map(hash)

function report(
  feed: DetectorFeed,
  node: string,
  chunks: readonly string[],
  root = merkleRoot(chunks),
) {
  feed.nowMs += 1
  return feed.evidence({ kind: 'digest', node, object: 'o', version: '7', root, chunks })
}

test('replicas that agree are sound', () => {
  const feed = new DetectorFeed(dataCorruption)
  for (const node of ['n1', 'n2', 'n3']) expect(report(feed, node, GOOD)).toEqual([])
})

test('the one that differs from most is wrong, and the chunk is named', () => {
  const feed = new DetectorFeed(dataCorruption)
  report(feed, 'n1', GOOD)
  expect(report(feed, 'n2', BAD)).toEqual(['raised o@7 critical'])
  expect(report(feed, 'n3', GOOD)).toEqual(['cleared o@7 critical', 'raised o@7/n2 critical'])
  const { evidence, confidenceRatio } = feed.told.at(-1)!.fault
  expect(evidence).toContainEqual({ what: 'chunks', value: '1', limit: null })
  expect(confidenceRatio).toBeCloseTo(2 / 3)
  const root = merkleRoot(GOOD)
  const replica = { object: 'o', version: '7', root, sources: ['n1', 'n3'] }
  expect(feed.told.at(-1)!.fault.replica).toEqual(replica)
  expect(report(feed, 'n2', GOOD)).toEqual(['cleared o@7/n2 critical'])
})

test('two that differ cannot tell who is right', () => {
  const feed = new DetectorFeed(dataCorruption)
  report(feed, 'n1', GOOD)
  report(feed, 'n2', BAD)
  expect(feed.told[0].fault).toMatchObject({
    node: null,
    others: ['n1', 'n2'],
    confidenceRatio: 0.5,
  })
})

test('a root that does not follow from its chunks is wrong alone', () => {
  const feed = new DetectorFeed(dataCorruption)
  expect(report(feed, 'n1', GOOD, hash('other'))).toEqual(['raised o@7/n1 critical'])
  expect(feed.told.at(-1)!.fault).not.toHaveProperty('replica')
  report(feed, 'n2', GOOD)
  report(feed, 'n3', GOOD)
  // By now most of those whose word counts agree.
  expect(feed.set.standing()).toMatchObject([{ node: 'n1', replica: { sources: ['n2', 'n3'] } }])
})

test('another version is another matter', () => {
  const feed = new DetectorFeed(dataCorruption)
  report(feed, 'n1', GOOD)
  const newer = {
    kind: 'digest',
    object: 'o',
    version: '8',
    root: merkleRoot(BAD),
    chunks: BAD,
  } as const
  expect(feed.evidence({ ...newer, node: 'n2' })).toEqual([])
})

test('a Merkle root is that of RFC 6962, and changes with any chunk and with their order', () => {
  const leaf = (hex: string) =>
    createHash('sha256')
      .update(Buffer.concat([Buffer.of(0), Buffer.from(hex, 'hex')]))
      .digest()
  const [a, b] = GOOD.map(leaf)
  const pair = createHash('sha256')
    .update(Buffer.concat([Buffer.of(1), a, b]))
    .digest('hex')
  expect(merkleRoot(GOOD.slice(0, 2))).toBe(pair)
  expect(new Set([GOOD, BAD, GOOD.toReversed(), GOOD.slice(0, 2)].map(merkleRoot)).size).toBe(4)
})
