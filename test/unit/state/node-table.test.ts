import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { describe, expect, test } from 'vitest'
import { featureHash } from '../../../src/state/features.ts'
import { metric, PROBE, samplesIpc } from '../../support/node-class.ts'
import { newTable, OBSERVED } from '../../support/node-program.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import type { NodeClass } from '../../../src/core/node.ts'
import type { NodeTable } from '../../../src/state/node-table.ts'

const DRIVE: NodeClass = {
  ...PROBE,
  name: 'drive',
  metrics: Array.from({ length: 9 }, (_, n) => metric(`smart_${n}`)),
  heartbeatIntervalMs: null,
}

function fold(table: NodeTable, ...args: Parameters<typeof samplesIpc>): void {
  table.load(samplesIpc(...args))
  while (!table.fold(OBSERVED)) table.clearRows()
}

function lastRow(table: NodeTable): Readonly<Record<string, number>> {
  const { count, matrix } = table.rows()
  const from = (count - 1) * table.featureNames.length
  return Object.fromEntries(table.featureNames.map((name, i) => [name, matrix[from + i]]))
}

describe('the memory map', () => {
  test('a node of sixteen metrics takes 1,040 bytes, whatever the table is made for', () => {
    const metrics = Array.from({ length: 16 }, (_, n) => metric(`m${n}`))
    const table = newTable({ ...PROBE, metrics, attributes: [] }, 1, 1_000_000)
    // The node's line, its life sign and flags; per metric the last value, ten moments and the missing
    // ratio as float32, and two times of 48 bits; a byte for four of them.
    expect(table.bytesPerNode).toBe(64 + 12 + 16 * (4 + 40 + 4 + 12) + 4)
    expect(table.bytesPerNode).toBe(1_040)
    expect(table.memoryBytes).toBeLessThan(100_000)
    const rows = Array.from({ length: 2_048 }, (_, n) => ({ node: `n${n}`, at: 1, metrics: {} }))
    const before = table.memoryBytes
    fold(table, { ...PROBE, metrics }, rows)
    expect((table.memoryBytes - before) / rows.length).toBeLessThan(1_750)
  })
})

describe('features', () => {
  test('drives have between 100 and 135 of them, all with different names', () => {
    const { featureNames } = newTable(DRIVE)
    expect(new Set(featureNames).size).toBe(featureNames.length)
    expect(featureNames.length).toBe(9 * 14 + 3 + 1)
  })

  test.each([
    { what: 'its name', other: { ...PROBE, name: 'other' } },
    { what: 'a half-life', other: { ...PROBE, halfLivesMs: [1, 2, 3] as const } },
    {
      what: 'a kind',
      other: { ...PROBE, metrics: PROBE.metrics.map((m) => ({ ...m, kind: 'gauge' as const })) },
    },
  ])('the hash tells a class from one that differs in $what', ({ other }) => {
    expect(featureHash(other)).not.toBe(featureHash(PROBE))
    expect(featureHash(PROBE)).toMatch(/^[0-9a-f]{64}$/)
  })

  test('a held signal: after one half-life, half of a step is left in the residual', () => {
    const table = newTable()
    fold(table, PROBE, [
      { node: 'a', at: 0, metrics: { latency: 10 } },
      { node: 'a', at: 50_000, metrics: { latency: 20 } },
    ])
    table.advance(60_000)
    expect(lastRow(table)).toMatchObject({
      'latency.value': 20,
      'latency.residual.10s': 5,
      'latency.deviation.10s': 5,
      'latency.changes.10s': 0.5,
      'latency.max': 20,
    })
    expect(lastRow(table)['latency.since-change.hours']).toBeCloseTo(10 / 3600, 6)
    expect(lastRow(table)['age.hours']).toBeCloseTo(60 / 3600, 6)
  })

  test('the mean of a signal is that of what was seen, however short that was', () => {
    const metrics = [metric('pressure', { kind: 'signal' }), metric('level')]
    const noisy = { ...PROBE, metrics, attributes: [] }
    const table = newTable(noisy)
    const seen = [30, 0, 0]
    fold(
      table,
      noisy,
      seen.map((value, n) => ({
        node: 'a',
        at: 57_000 + n * 1_000,
        metrics: { pressure: value, level: value },
      })),
    )
    table.advance(60_000)
    const row = lastRow(table)
    expect(row['pressure.mean.10m']).toBeCloseTo(10, 1)
    expect(row['pressure.residual.10m']).toBeCloseTo(-10, 1)
    // That of any other kind stands at the first value, until half-lives have passed.
    expect(row['level.residual.10m']).toBeCloseTo(-30, 0)
  })

  test('a counter is a rate per second, and counts from zero after a reset', () => {
    const table = newTable()
    const rates: number[] = []
    for (const [n, bytes] of [1_000, 2_000, 500].entries()) {
      fold(table, PROBE, [{ node: 'a', at: n * 10_000, metrics: { bytes } }])
      table.emitChanged(0)
      rates.push(lastRow(table)['bytes.value'])
    }
    expect(rates).toEqual([Number.NaN, 100, 50])
  })

  test('labels fill the attributes: numbers, categories, and the hours since an epoch', () => {
    const table = newTable()
    const node = 'a' as NodeId
    const labels = { size: '12.5', maker: 'b', made: '-3600000' }
    table.foldEvent({ kind: 'labels', node, atMs: 0, labels }, 0, OBSERVED)
    fold(table, PROBE, [{ node, at: 0, metrics: {} }])
    table.advance(0)
    expect(lastRow(table)).toMatchObject({ size: 12.5, maker: 1, 'made.hours': 1 })
    table.foldEvent({ kind: 'labels', node, atMs: 1, labels: { maker: null } }, 0, OBSERVED)
    table.advance(60_000)
    expect(lastRow(table)).toMatchObject({ size: 12.5, maker: Number.NaN })
  })
})

describe('rows', () => {
  test('keep the id of a node that left, until they are cleared', () => {
    const table = newTable()
    fold(table, PROBE, [{ node: 'a', at: 60_000, metrics: { latency: 1 } }])
    table.foldEvent({ kind: 'leave', node: 'a' as NodeId, atMs: 130_000 }, 0, OBSERVED)
    fold(table, PROBE, [{ node: 'b', at: 60_000, metrics: { latency: 1 } }])
    const { count, node, atMs } = table.rows()
    expect([count, ...atMs]).toEqual([2, 60_000, 120_000])
    expect(table.idOf(node[0])).toBe('a')
    table.clearRows()
    expect(table.indexOf('a')).toBeUndefined()
  })

  test('a changed node waits for the gap, and a node is not told twice', () => {
    const table = newTable()
    const times: number[] = []
    for (const at of [100, 500, 1_200, 1_300]) {
      fold(table, PROBE, [{ node: 'a', at, metrics: { latency: at } }])
      table.emitChanged(1_000)
      table.emitChanged(1_000)
      times.push(...table.rows().atMs)
      table.clearRows()
    }
    expect(times).toEqual([100, 1_200])
  })
})

test('a change right after a grid time does not wait for the gap', () => {
  const table = newTable()
  const rows: string[] = []
  for (const at of [50_000, 61_000]) {
    fold(table, PROBE, [{ node: 'a', at, metrics: { latency: at } }])
    table.emitChanged(2_500)
    const { atMs, trigger } = table.rows()
    rows.push(...[...atMs].map((time, row) => `${time} ${trigger[row] === 0 ? 'grid' : 'change'}`))
    table.clearRows()
  }
  expect(rows).toEqual(['50000 change', '60000 grid', '61000 change'])
})

describe('what comes in', () => {
  test.each([
    {
      what: 'no Arrow',
      ipc: new Uint8Array([1, 2, 3, 4, 5]),
      says: /not an Arrow IPC stream|has no column node/,
    },
    { what: 'no node', ipc: tableToIPC(tableFromArrays({ x: [1] })), says: /has no column node/ },
    {
      what: 'times that are numbers',
      ipc: tableToIPC(tableFromArrays({ node: ['a'], at: [1], appended_at: [1] })),
      says: /column at, which takes timestamp\[ms\]/,
    },
  ])('a record with $what is refused with a message that names it', ({ ipc, says }) => {
    expect(() => newTable().load(ipc)).toThrow(says)
  })

  test('what is outside the bounds is missing and counted; unknown columns are counted', () => {
    const table = newTable()
    fold(
      table,
      PROBE,
      [{ node: 'a', at: 0, metrics: { temperature: 151, bytes: -1, latency: Infinity, foo: 1 } }],
      { extra: ['foo'] },
    )
    expect(table.counts()).toEqual({
      rows: 1,
      folded: 1,
      late: 0,
      rejected: 0,
      outOfBounds: 3,
      unknownColumns: 1,
    })
    table.advance(0)
    expect(lastRow(table)['temperature.value']).toBeNaN()
  })

  test('ids that are none are rejected and leave no node', () => {
    const table = newTable()
    const rows = ['', 'x'.repeat(257), 'ok'].map((node) => ({ node, at: 0, metrics: {} }))
    fold(table, PROBE, rows)
    expect(table.counts()).toMatchObject({ rows: 3, rejected: 2, folded: 1 })
    expect(table.nodeCount).toBe(1)
  })
})
