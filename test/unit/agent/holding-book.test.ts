// Goal: an agent that was cut off takes what the log knows better, sends what it does not know, keeps what it
// loses, and follows nothing that is not signed, is damaged, or comes from an owner that was followed by another.
import { beforeEach, describe, expect, test } from 'vitest'
import { HoldingBook } from '../../../src/agent/holding-book.ts'
import type { LogRecord, Output } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import type { HoldingReport } from '../../../src/core/evidence.ts'
import type { NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import type { ResyncBlock } from '../../../src/core/resync.ts'
import type { VersionVector } from '../../../src/core/version-vector.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { textOf } from '../../support/output.ts'

const NODE = 'n1' as NodeId
const W = 'w' as WorkloadId
const topology = {
  prefix: 't.',
  nodePartitions: 2,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 1,
} as const
const signed = (text: string) => `signed-${text}`
const verify = (bytes: Uint8Array, signature: string) =>
  signature === signed(Buffer.from(bytes).toString())

let book: HoldingBook
beforeEach(() => {
  book = new HoldingBook({ topology, source: '/agents/n1', node: NODE, verify, placementsMax: 4 })
})

function placement(node: string | null, versions?: VersionVector, workload: string = W): Placement {
  return {
    workload: workload as WorkloadId,
    node: node as NodeId | null,
    pool: 'web' as PoolId,
    priority: 'HIGH',
    needs: { cpu: 2, memoryBytes: 3, gpu: null },
    stateBytes: 0,
    dependsOn: [],
    ...(versions === undefined ? {} : { versions }),
  }
}

function block(more: Partial<Record<keyof ResyncBlock, unknown>> = {}, text?: string): LogRecord {
  const body = {
    resync: 'web.7.resync',
    pool: 'web',
    node: NODE,
    epoch: 3,
    block: 0,
    blocks: 1,
    digest: 'x',
    entries: null,
    atMs: 1_000,
    expiresAtMs: 61_000,
    ...more,
  }
  const value = text ?? JSON.stringify(body)
  const headers = { signature: signed(JSON.stringify(body)) }
  const at = { topic: 't.resync', partition: 0, offset: 0, appendedAtMs: 1_000, key: null }
  return { ...at, value: toBytes(value), headers }
}

const entry = (known: Placement | null) => [{ workload: W, placement: known }]
const placed = (outputs: readonly Output[]) =>
  outputs
    .filter(({ topic }) => topic === 't.placements')
    .map(({ value }) => JSON.parse(textOf(value)) as Placement)
const answer = (outputs: readonly Output[]) =>
  JSON.parse(textOf(outputs.at(-1)!.value)) as HoldingReport

describe('what the log and the agent know of a workload', () => {
  test.each([
    { own: placement(NODE, { e: 1 }), log: null, says: NODE, holds: true, lost: 0 },
    { own: placement(NODE, { e: 1 }), log: placement(NODE, { e: 1 }), holds: true, lost: 0 },
    { own: placement(NODE, { e: 1 }), log: placement(NODE, { e: 2 }), holds: true, lost: 0 },
    { own: placement(NODE, { e: 1 }), log: placement('n2', { e: 2 }), holds: false, lost: 1 },
    {
      own: placement(NODE, { e: 2 }),
      log: placement('n2', { e: 1 }),
      says: NODE,
      holds: true,
      lost: 0,
    },
    {
      own: placement(NODE, { e: 1, f: 1 }),
      log: placement('n2', { e: 2 }),
      says: NODE,
      holds: true,
      lost: 0,
    },
    { own: placement(NODE), log: placement('n2'), holds: false, lost: 1 },
    {
      own: placement('n2', { e: 2 }),
      log: placement(NODE, { e: 1 }),
      says: 'n2',
      holds: false,
      lost: 0,
    },
    { own: null, log: placement(NODE, { e: 1 }), says: null, holds: false, lost: 0 },
    { own: null, log: placement(NODE), holds: false, lost: 0 },
  ])('own $own.node $own.versions, log $log.node $log.versions', (row) => {
    if (row.own !== null) book.note(row.own)
    const outputs = book.take(block({ entries: entry(row.log) }), 1_000)
    const said = 'says' in row ? [row.says] : []
    expect(placed(outputs).map(({ node }) => node)).toEqual(said)
    expect(book.held()).toHaveLength(row.holds ? 1 : 0)
    expect(book.lost()).toHaveLength(row.lost)
  })
})

test('what does not run here is said at the very versions and needs that the log has', () => {
  const log = placement(NODE, { e: 3 })
  const [said] = placed(book.take(block({ entries: entry(log) }), 1_000))
  expect(said).toEqual({ ...log, node: null })
})

test('where the digests are the same nothing is listed, otherwise all that it holds in the block', () => {
  book.note(placement(NODE, { e: 1 }))
  const { digest, holds } = answer(book.take(block(), 1_000))
  expect(holds).toEqual([{ workload: W, versions: { e: 1 } }])
  const same = answer(book.take(block({ digest }), 1_000))
  expect(same).toMatchObject({ kind: 'holding', resync: 'web.7.resync', block: 0, digest })
  expect(same.holds).toBeUndefined()
})

test.each([
  { what: 'unsigned', record: { ...block(), headers: {} } },
  {
    what: 'unsigned',
    record: block({}, JSON.stringify({ ...JSON.parse(textOf(block().value)), digest: 'y' })),
  },
  { what: 'malformed', record: block({}, 'no') },
  { what: 'malformed', record: block({ blocks: 0 }) },
  { what: 'malformed', record: block({ block: 1 }) },
  { what: 'malformed', record: block({ epoch: 0.5 }) },
  { what: 'malformed', record: block({ entries: [{ workload: W, placement: 3 }] }) },
  { what: 'malformed', record: block({ expiresAtMs: null }) },
  { what: 'malformed', record: block({ pool: 7 }) },
  { what: 'malformed', record: block({ digest: 7 }) },
  { what: 'stale', record: block({ expiresAtMs: 1_000 }) },
])('$what: not answered, and nothing is taken', ({ what, record }) => {
  book.note(placement(NODE, { e: 1 }))
  expect(book.take(record, 1_000)).toEqual([])
  expect(book.counts()).toMatchObject({ answered: 0, [what]: 1 })
  expect(book.held()).toHaveLength(1)
})

test('an owner that another one has followed is not answered, and another node is none of its business', () => {
  expect(book.take(block({ epoch: 9 }), 1_000)).toHaveLength(1)
  expect(book.take(block({ epoch: 8 }), 1_000)).toEqual([])
  expect(book.take(block({ epoch: 9, node: 'n2' }), 1_000)).toEqual([])
  expect(book.counts()).toEqual({ answered: 1, malformed: 0, unsigned: 0, stale: 1 })
})

test('what runs here is never forgotten, what runs elsewhere is, the oldest first', () => {
  for (let i = 0; i < 4; i++) book.note(placement('n2', { e: 1 }, `elsewhere-${i}`))
  for (let i = 0; i < 6; i++) book.note(placement(NODE, { e: 1 }, `here-${i}`))
  expect(book.held()).toHaveLength(6)
})
