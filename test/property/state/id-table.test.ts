import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { isServiceError } from '../../../src/core/errors.ts'
import { instantiate } from '../../../src/state/kernel.ts'
import { foreshockWasm, samplesIpc, PROBE } from '../../support/node-class.ts'
import { newTable, OBSERVED } from '../../support/node-program.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import type { NodeTable } from '../../../src/state/node-table.ts'

/** Prefixes of each other, the longest allowed, bytes beyond ASCII, and whatever else. */
const ids = fc.oneof(
  fc.integer({ min: 1, max: 256 }).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 0, max: 300 }).map((n) => `node-${n}`),
  fc.constantFrom('é'.repeat(128), '节点', '💥', 'a\u0000b', 'a', 'aa', 'aaa'),
  fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
)
const changes = fc.array(fc.record({ id: ids, leaves: fc.boolean() }), { maxLength: 300 })

function change(table: NodeTable, id: string, leaves: boolean): void {
  const event = { kind: leaves ? 'leave' : 'heartbeat', node: id as NodeId, atMs: 0 } as const
  if (event.kind === 'leave') table.foldEvent({ ...event, kind: 'leave' }, 0, OBSERVED)
  else table.foldEvent({ ...event, kind: 'heartbeat', component: null }, 0, OBSERVED)
}

/** By the birthday paradox some pair of half a million ids shares its 32-bit hash. */
function collision(): readonly [string, string] {
  const kernel = instantiate(foreshockWasm())
  const at = kernel.idScratchPointer()
  const bytes = new Uint8Array(kernel.memory.buffer, at, 32)
  const seen = new Map<number, string>()
  for (let n = 0; n < 500_000; n++) {
    // The hash keeps neighbouring short ids apart, so these are spread over several words.
    const id = `${Math.imul(n, 0x9e3779b1) >>> 0}/${n}`
    new TextEncoder().encodeInto(id, bytes)
    const hash = kernel.hashOf(at, id.length)
    const before = seen.get(hash)
    if (before !== undefined) return [before, id]
    seen.set(hash, id)
  }
  throw new Error('no collision found: is the hash 32 bits?')
}

test.prop([changes], { numRuns: 30 })('the table of ids is a map', (steps) => {
  const table = newTable(PROBE, 4, 512)
  const expected = new Set<string>()
  for (const { id, leaves } of steps) {
    change(table, id, leaves)
    if (leaves) expected.delete(id)
    else expected.add(id)
  }
  expect(table.nodeCount).toBe(expected.size)
  const indices = new Set<number>()
  for (const id of expected) {
    const index = table.indexOf(id)!
    expect(table.idOf(index)).toBe(id)
    indices.add(index)
  }
  expect(indices.size).toBe(expected.size)
  for (const { id } of steps) if (!expected.has(id)) expect(table.indexOf(id)).toBeUndefined()
})

test('five thousand ids that grow the table several times are all found again', () => {
  const table = newTable(PROBE, 4, 5_000)
  const rows = Array.from({ length: 5_000 }, (_, n) => ({
    node: `rack-${n % 97}/node-${n}`,
    at: n,
    metrics: {},
  }))
  table.load(samplesIpc(PROBE, rows))
  while (!table.fold(OBSERVED)) table.clearRows()
  expect(table.nodeCount).toBe(5_000)
  expect(new Set(rows.map(({ node }) => table.indexOf(node))).size).toBe(5_000)
  for (const { node } of rows) expect(table.idOf(table.indexOf(node)!)).toBe(node)
})

test('two ids with the same hash are two nodes, and either may leave first', () => {
  const [one, other] = collision()
  for (const leaver of [one, other]) {
    const table = newTable()
    for (const id of [one, other]) change(table, id, false)
    expect(table.nodeCount).toBe(2)
    change(table, leaver, true)
    const stays = leaver === one ? other : one
    expect(table.indexOf(leaver)).toBeUndefined()
    expect(table.idOf(table.indexOf(stays)!)).toBe(stays)
  }
})

test('a slot is reused, and nothing of the node before is left in it', () => {
  const table = newTable(PROBE, 64, 1)
  const emit = (node: string): readonly number[] => {
    table.load(samplesIpc(PROBE, [{ node, at: 60_000, metrics: { temperature: 50 } }]))
    table.fold(OBSERVED)
    table.advance(60_000)
    const row = [...table.rows().matrix]
    table.clearRows()
    change(table, node, true)
    return row
  }
  const first = emit('a')
  expect(table.nodeCount).toBe(0)
  for (let n = 0; n < 100; n++) expect(emit(`b${n}`)).toEqual(first)
  expect(table.indexCount).toBe(1)
})

test('coming and going takes no more memory: ids of every length are given back', () => {
  const table = newTable(PROBE, 64, 8)
  const comeAndGo = (): void => {
    for (let n = 1; n <= 256; n++) {
      change(table, 'y'.repeat(n), false)
      change(table, 'y'.repeat(n), true)
    }
  }
  comeAndGo()
  const before = table.memoryBytes
  for (let round = 0; round < 20; round++) comeAndGo()
  expect(table.memoryBytes).toBe(before)
})

test('a full table says TABLE_FULL and keeps what it has', () => {
  const table = newTable(PROBE, 4, 2)
  const rows = ['a', 'b', 'c'].map((node) => ({ node, at: 1, metrics: { latency: 1 } }))
  let code = 'none'
  try {
    table.load(samplesIpc(PROBE, rows))
  } catch (error) {
    if (isServiceError(error)) code = error.code
  }
  expect(code).toBe('TABLE_FULL')
  expect(['a', 'b', 'c'].map((id) => table.indexOf(id) !== undefined)).toEqual([true, true, false])
})

test('an id too long for ingest takes no slot, up to 64 KB, and its neighbours are taken', () => {
  const table = newTable(PROBE, 64, 512)
  for (const length of [257, 4_096, 65_536, 65_537]) {
    const long = 'x'.repeat(length)
    const ids = [long, `${long.slice(1)}y`, long.slice(0, 256), `after ${length}`]
    table.load(
      samplesIpc(
        PROBE,
        ids.map((node) => ({ node, at: 1, metrics: {} })),
      ),
    )
    while (!table.fold(OBSERVED)) table.clearRows()
    const found = ids.map((id) => table.indexOf(id) !== undefined)
    expect(found).toEqual([false, false, true, true])
  }
  expect(table.nodeCount).toBe(5)
})

test.each([257, 65_536])(
  'an id of %i bytes is none: neither found, nor made a node, nor kept',
  (length) => {
    const table = newTable()
    const id = 'z'.repeat(length)
    const rows = [id, 'z', id].map((node) => ({ node, at: 1, metrics: { latency: 1 } }))
    for (const dictionary of [false, true]) {
      table.load(samplesIpc(PROBE, rows, { dictionary }))
      table.fold(OBSERVED)
    }
    change(table, id, false)
    expect(table.counts()).toMatchObject({ rows: 6, rejected: 4, folded: 1, late: 1 })
    expect([table.nodeCount, table.indexOf(id), table.indexOf('z')]).toEqual([1, undefined, 0])
  },
)
